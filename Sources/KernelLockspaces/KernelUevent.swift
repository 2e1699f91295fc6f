import ClusterTypes

/// What the kernel's DLM says about one of its lockspaces (kernel-dlm-control 5).
///
/// `online` and `offline` have a process waiting in the kernel, unkillably, until `event_done` is
/// written: each of them must be answered, be it by an error.
public struct KernelUevent: Equatable, Sendable {
  public enum Action: String, Sendable {
    /// The lockspace's directory appeared; `online` follows.
    case add
    /// Somebody creates or joins the lockspace and waits.
    case online
    /// The last user releases it, or a join failed after it was accepted; the releaser waits.
    case offline
    /// The lockspace's directory is gone.
    case remove
  }

  public let action: Action
  /// As the kernel wrote it. Names that are no `LockspaceName` are possible, because any program
  /// with CAP_SYS_ADMIN may create a lockspace.
  public let lockspaceText: String
  /// Name of its directory in `/sys/kernel/dlm`: the same, but that the kernel puts `!` for `/`.
  public let directory: String
  /// Counts all events of the kernel; nil when missing.
  public let sequenceNumber: UInt64?

  /// Nil when the name cannot be served: answer with `KernelLockManager.refuse(_:errno:)`.
  public var lockspace: LockspaceName? { LockspaceName(lockspaceText) }

  /// Parses one datagram: `action@devpath`, then `KEY=VALUE` fields, each ended by a zero byte.
  ///
  /// Nil for events of other subsystems, for actions that mean nothing here, and for datagrams
  /// that are not events at all.
  public init?(datagram: some Collection<UInt8>) { self.init(UeventFields(datagram: datagram)) }

  init?(_ fields: UeventFields) {
    guard fields["SUBSYSTEM"] == "dlm", let lockspace = fields["LOCKSPACE"], !lockspace.isEmpty,
      let action = fields["ACTION"].flatMap({ Action(rawValue: $0) }),
      let directory = fields["DEVPATH"]?.split(separator: "/").last, directory != ".."
    else { return nil }
    self.action = action
    self.lockspaceText = lockspace
    self.directory = String(directory)
    self.sequenceNumber = fields["SEQNUM"].flatMap { UInt64($0) }
  }
}

/// The `KEY=VALUE` fields of one datagram; the first occurrence of a key counts.
struct UeventFields {
  private var values: [Substring: Substring] = [:]

  init(datagram: some Collection<UInt8>) {
    let text = String(decoding: datagram, as: UTF8.self)
    for field in text.split(separator: "\0").dropFirst() {
      guard let equals = field.firstIndex(of: "="), values[field[..<equals]] == nil else {
        continue
      }
      values[field[..<equals]] = field[field.index(after: equals)...]
    }
  }

  subscript(key: Substring) -> String? { values[key].map { String($0) } }

  /// A device of the lock manager appeared or went: the one of a lockspace that a program created
  /// appears only after that lockspace's join has ended, so no event of the lockspace announces it.
  var concernsDeviceNode: Bool {
    self["SUBSYSTEM"] == "misc" && (self["DEVNAME"].map(DeviceNodes.isOfTheLockManager) ?? false)
  }
}
