import ClusterTypes
import ConfigText

/// What the daemon answers. Progress and notices may precede the final reply.
public enum AdminReply: Equatable, Sendable {
  /// A sentence about what goes on; more replies follow.
  case progress(String)
  /// The lock is held now, until the connection closes. Notices may follow.
  case lockGranted
  /// Somebody waits for the lock that this connection holds.
  case lockBlocks(requestedMode: LockModeName)

  // Final replies.
  case failed(AdminFailure)
  case done
  case status(ClusterStatus)
  case nodes([NodeStatus])
  case lockspaces([LockspaceStatus])
  /// Of the whole cluster, without those that only the silent nodes know.
  case locks([LockStatus], silentNodes: [NodeID])
  case posixLocks([PosixLockStatus])
  case resized(ResizeOutcome)
  case activated(VolumeActivationOutcome)
  /// What a command line of LVM's prints on standard output.
  case printed([String])
  case mappedDevices([MappedDeviceStatus])
  case facts(ClusterFacts)
  case keyStates([NodeKeyState], silentNodes: [NodeID])
  /// PKCS #10, DER, in hexadecimal digits.
  case certificateRequest(String)

  /// Whether no other reply follows.
  public var isFinal: Bool {
    switch self {
    case .progress, .lockGranted, .lockBlocks: false
    case .failed, .done, .status, .nodes, .lockspaces, .locks, .posixLocks, .resized, .activated,
      .printed,
      .mappedDevices, .facts, .keyStates, .certificateRequest:
      true
    }
  }
}

/// Why a request was not carried out.
public struct AdminFailure: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Reason: String, Sendable {
    /// The daemon does not understand the request.
    case invalidRequest = "invalid_request"
    /// A node, lockspace, volume group or logical volume of that name is not there.
    case notFound = "not_found"
    /// The request is understood and cannot be carried out, for instance for lack of space.
    case refused
    /// The lock is held by others, and the request would not wait.
    case wouldBlock = "would_block"
    case timedOut = "timed_out"
    case noQuorum = "no_quorum"
    /// It was begun and failed; the message says in which state things are.
    case failed
  }

  public var reason: Reason
  /// Sentences for the administrator.
  public var message: String

  public init(_ reason: Reason, _ message: String) {
    self.reason = reason
    self.message = message
  }

  public var description: String { message }
}

extension AdminReply {
  private enum Name: String {
    case progress
    case lockGranted = "lock_granted"
    case lockBlocks = "lock_blocks"
    case error
    case done
    case status
    case nodes
    case lockspaces
    case locks
    case posixLocks = "posix_locks"
    case resized
    case activated
    case printed
    case mappedDevices = "mapped_devices"
    case facts
    case keyStates = "key_states"
    case certificateRequest = "certificate_request"
  }

  /// The message's bytes, terminator included. A final reply has `result`, others `progress`.
  public func encode() -> [UInt8] {
    var fields = ConfigSection()
    fields.add("version", AdminRequest.version)
    switch self {
    case .progress(let text): fields.add("progress", text)
    case .lockGranted: fields.add("notice", Name.lockGranted.rawValue)
    case .lockBlocks(let mode):
      fields.add("notice", Name.lockBlocks.rawValue)
      fields.add("requested_mode", mode.rawValue)
    case .failed(let failure):
      fields.add("result", Name.error.rawValue)
      fields.add("reason", failure.reason.rawValue)
      fields.add("message", failure.message)
    case .done: fields.add("result", Name.done.rawValue)
    case .status(let status):
      fields.add("result", Name.status.rawValue)
      fields.entries += status.fields.entries
    case .nodes(let nodes):
      fields.add("result", Name.nodes.rawValue)
      fields.add("nodes", nodes)
    case .lockspaces(let lockspaces):
      fields.add("result", Name.lockspaces.rawValue)
      fields.add("lockspaces", lockspaces)
    case .locks(let locks, let silentNodes):
      fields.add("result", Name.locks.rawValue)
      fields.add("locks", locks)
      fields.add("silent_nodes", silentNodes)
    case .posixLocks(let locks):
      fields.add("result", Name.posixLocks.rawValue)
      fields.add("posix_locks", locks)
    case .resized(let outcome):
      fields.add("result", Name.resized.rawValue)
      fields.entries += outcome.fields.entries
    case .activated(let outcome):
      fields.add("result", Name.activated.rawValue)
      fields.entries += outcome.fields.entries
    case .printed(let lines):
      fields.add("result", Name.printed.rawValue)
      fields.add("lines", lines)
    case .mappedDevices(let devices):
      fields.add("result", Name.mappedDevices.rawValue)
      fields.add("mapped_devices", devices)
    case .facts(let facts):
      fields.add("result", Name.facts.rawValue)
      fields.entries += facts.fields.entries
    case .keyStates(let states, let silentNodes):
      fields.add("result", Name.keyStates.rawValue)
      fields.add("nodes", states)
      fields.add("silent_nodes", silentNodes)
    case .certificateRequest(let digits):
      fields.add("result", Name.certificateRequest.rawValue)
      fields.add("request", digits)
    }
    return fields.text(style: .raw) + AdminFraming.terminator
  }

  /// Reads a message without its terminator.
  public init(decoding bytes: [UInt8]) throws(AdminDecodingError) {
    let fields = try ConfigSection(message: bytes, limit: AdminFraming.replyLengthMaximum)
    if let text = try fields.optionalText("progress") {
      self = .progress(text)
      return
    }
    let key = fields.content("notice") == nil ? "result" : "notice"
    switch try fields.choice(key, of: Name.self) {
    case .progress: self = .progress(try fields.text("progress"))
    case .lockGranted: self = .lockGranted
    case .lockBlocks: self = .lockBlocks(requestedMode: try fields.choice("requested_mode"))
    case .error:
      self = .failed(AdminFailure(try fields.choice("reason"), try fields.text("message")))
    case .done: self = .done
    case .status: self = .status(try ClusterStatus(fields: fields))
    case .nodes: self = .nodes(try fields.elements("nodes"))
    case .lockspaces: self = .lockspaces(try fields.elements("lockspaces"))
    case .locks:
      self = .locks(
        try fields.elements("locks"), silentNodes: try fields.nodeList("silent_nodes"))
    case .posixLocks: self = .posixLocks(try fields.elements("posix_locks"))
    case .resized: self = .resized(try ResizeOutcome(fields: fields))
    case .activated: self = .activated(try VolumeActivationOutcome(fields: fields))
    case .printed: self = .printed(try fields.texts("lines"))
    case .mappedDevices: self = .mappedDevices(try fields.elements("mapped_devices"))
    case .facts: self = .facts(try ClusterFacts(fields: fields))
    case .keyStates:
      self = .keyStates(
        try fields.elements("nodes"), silentNodes: try fields.nodeList("silent_nodes"))
    case .certificateRequest: self = .certificateRequest(try fields.text("request"))
    }
  }
}
