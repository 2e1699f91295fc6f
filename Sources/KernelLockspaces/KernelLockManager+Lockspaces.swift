// Stopping, starting and observing one lockspace of the kernel (kernel-dlm-control 4, 6 and 7).

import ByteCoding
import ClusterTypes
import Glibc

/// The answer to a process that waits for its join or leave.
public enum EventResult: Equatable, Sendable {
  case success
  /// The join fails with this error number (positive). The kernel ignores it for a leave.
  case refused(errno: Int32)

  /// As the kernel takes it: 0, or a negative error number.
  public var value: Int32 {
    switch self {
    case .success: 0
    case .refused(let errno): -abs(errno)
    }
  }

  var text: String { String(value) }
}

/// What the kernel shows of one of its lockspaces.
public struct LockspaceState: Equatable, Sendable {
  /// Zero until a control daemon has written it.
  public let identifier: UInt32
  public let recoverStatus: RecoverStatus
  /// The node for which recovery waits, or waited last.
  public let recoverNode: NodeID?
  /// Nil when nobody has described the lockspace to the kernel.
  public let members: Set<NodeID>?

  /// A join for which nobody has done anything yet: after lost events, treat it as an `online`.
  /// A lost `offline` shows in no file.
  public var awaitsJoin: Bool {
    identifier == 0 && recoverStatus.isEmpty && (members?.isEmpty ?? true)
  }
}

extension KernelLockManager {
  /// The directories in `/sys/kernel/dlm`, sorted: what to compare with after lost events, and at
  /// start. Names that are no `LockspaceName` are possible, see `KernelUevent.lockspaceText`.
  public func lockspaces() throws(KernelControlError) -> [String] {
    try files.entriesIfPresent(of: paths.lockspaces)
  }

  /// Stops the lockspace: no lock is granted or released in it until it starts again.
  ///
  /// **Blocks** until all threads of the kernel have left its lock code, which can take as long as
  /// they wait for a network or a disk: call it on a thread of its own for each lockspace, never
  /// on an event loop. Only when it has returned may this node say that it has stopped.
  public func stop(_ lockspace: LockspaceName) throws(KernelControlError) {
    try files.write("0", to: paths.lockspaceFile(.control, of: lockspace))
  }

  /// Starts recovery on the members that configfs has now, and returns at once; `recoverStatus`
  /// tells when it has ended. All members must have stopped before.
  ///
  /// The kernel accepts every start and silently does nothing for one it cannot carry out, so what
  /// it needs is checked first.
  public func start(_ lockspace: LockspaceName) throws(KernelControlError) {
    guard try !members(of: lockspace).isEmpty else {
      throw .nothingToStart(
        lockspace, missing: "it has no members in \(paths.members(of: lockspace))")
    }
    guard try identifier(of: lockspace) != 0 else {
      throw .nothingToStart(lockspace, missing: "its id has not been set")
    }
    try files.write("1", to: paths.lockspaceFile(.control, of: lockspace))
  }

  /// The id of a lockspace in every message of the DLM: the same on all nodes, and the same as
  /// dlm_controld computes, so that dlm_tool shows what its users know.
  public static func identifier(of lockspace: LockspaceName) -> UInt32 {
    CRC32.zlib(Array("dlm:ls:\(lockspace)".utf8) + [0])
  }

  /// To be done once, before the first start.
  public func setIdentifier(_ lockspace: LockspaceName) throws(KernelControlError) {
    try files.write(
      String(Self.identifier(of: lockspace)), to: paths.lockspaceFile(.identifier, of: lockspace))
  }

  /// Answers the waiting join or leave. Exactly one answer belongs to each `online` and `offline`.
  public func finish(
    _ lockspace: LockspaceName, _ result: EventResult
  ) throws(KernelControlError) {
    try files.write(result.text, to: paths.lockspaceFile(.eventDone, of: lockspace))
  }

  /// Refuses the join of a lockspace whose name clvmd does not serve.
  public func refuse(_ event: KernelUevent, errno: Int32) throws(KernelControlError) {
    let file = KernelControlPaths.LockspaceFile.eventDone.rawValue
    try files.write(
      EventResult.refused(errno: errno).text, to: "\(paths.lockspaces)/\(event.directory)/\(file)")
  }

  public func recoverStatus(
    _ lockspace: LockspaceName
  ) throws(KernelControlError) -> RecoverStatus {
    let path = paths.lockspaceFile(.recoverStatus, of: lockspace)
    let text = try files.readText(path)
    guard let status = RecoverStatus(hexadecimal: text) else {
      throw .malformedValue(path: path, text: text)
    }
    return status
  }

  /// The node for which recovery waits, or waited last; nil before the first recovery.
  public func recoverNode(_ lockspace: LockspaceName) throws(KernelControlError) -> NodeID? {
    let path = paths.lockspaceFile(.recoverNode, of: lockspace)
    let text = try files.readText(path)
    guard let number = Int32(text) else { throw .malformedValue(path: path, text: text) }
    return NodeID(number)
  }

  public func state(of lockspace: LockspaceName) throws(KernelControlError) -> LockspaceState {
    LockspaceState(
      identifier: try identifier(of: lockspace), recoverStatus: try recoverStatus(lockspace),
      recoverNode: try recoverNode(lockspace),
      members: files.exists(paths.space(lockspace)) ? try members(of: lockspace) : nil)
  }

  private func identifier(of lockspace: LockspaceName) throws(KernelControlError) -> UInt32 {
    let path = paths.lockspaceFile(.identifier, of: lockspace)
    let text = try files.readText(path)
    guard let identifier = UInt32(text) else { throw .malformedValue(path: path, text: text) }
    return identifier
  }
}
