import AdminProtocol
import ClusterTypes
import DistributedLockManager
import LockProtocol
import NIOCore

/// Locks for commands: `clvm lock`, the cluster's flock(1).
///
/// Confined to the cluster's event loop.
final class CommandLocks {
  private let locks: InHouseLockspaces
  private unowned let node: ClusterNode
  private let loop: any EventLoop
  /// Locks of commands that live, by process.
  private var transactions: [Int32: (number: UInt64, count: Int)] = [:]
  private var lastTransaction: UInt64 = 0

  init(locks: InHouseLockspaces, node: ClusterNode, loop: any EventLoop) {
    self.locks = locks
    self.node = node
    self.loop = loop
  }

  /// Joins the lockspace and takes the lock. `reply` gets what becomes of it; the closure that is
  /// returned releases it and leaves again.
  func lock(
    _ request: LockRequest, processID: Int32, reply: @escaping (AdminReply) -> Void
  ) -> () -> Void {
    guard node.isOperational else {
      reply(.failed(AdminFailure(.noQuorum, ClusterLockError.noQuorum.description)))
      return {}
    }
    guard let resource = LockProtocol.ResourceName(request.resource) else {
      reply(.failed(AdminFailure(.invalidRequest, "A resource's name has 1 to 64 bytes.")))
      return {}
    }
    let holder = LockHolder(
      resource, in: request.lockspace, locks: locks, loop: loop, owner: "clvm lock",
      processID: UInt32(bitPattern: processID))
    holder.mayBeVictim = request.mayBeVictim
    holder.transaction = begin(of: processID)
    holder.blocking = { reply(.lockBlocks(requestedMode: LockModeName($0))) }
    let command = CommandLock(request: request, holder: holder, reply: reply)
    command.ended = { [self] in end(of: processID) }
    if let timeout = request.timeoutMilliseconds {
      // The time counts from here: joining may take longer than the lock.
      let delay = TimeAmount.milliseconds(Int64(min(timeout, UInt64(Int64.max / 2_000_000))))
      command.timeout = loop.assumeIsolated().scheduleTask(in: delay) {
        command.end(.timedOut(resource, request.lockspace))
      }
    }
    locks.join(request.lockspace) { [self] failure in joined(command, failure) }
    return { command.end(nil) }
  }

  // MARK: - Transactions

  /// A command that runs under the lock of another gives that one's lock back only by its own end:
  /// both belong to one transaction.
  private func begin(of processID: Int32) -> UInt64 {
    let ancestor = ProcessAncestry(processID).first { transactions[$0] != nil }
    let inherited = ancestor.flatMap { transactions[$0]?.number }
    let number = inherited ?? lastTransaction + 1
    lastTransaction = max(lastTransaction, number)
    transactions[processID] = (number, (transactions[processID]?.count ?? 0) + 1)
    return number
  }

  private func end(of processID: Int32) {
    guard let transaction = transactions[processID] else { return }
    transactions[processID] =
      transaction.count > 1 ? (transaction.number, transaction.count - 1) : nil
  }

  private func joined(_ command: CommandLock, _ failure: DaemonError?) {
    let request = command.request
    if let failure {
      return command.end(.joinFailed(request.lockspace, reason: failure.description))
    }
    command.leave = { [locks] in locks.leave(request.lockspace) {} }
    guard !command.hasEnded else { return command.release() }
    command.holder.request(
      request.mode.lockManagerMode, wait: request.isNonBlocking ? .no : .forever
    ) { error in
      if let error { command.end(error) } else { command.granted() }
    }
  }
}

/// The lock of one command, from its request until its connection closes.
private final class CommandLock {
  let request: LockRequest
  let holder: LockHolder
  private let reply: (AdminReply) -> Void
  var timeout: Scheduled<Void>?
  /// Set once the lockspace has been joined.
  var leave: (() -> Void)?
  private(set) var hasEnded = false
  var ended: () -> Void = {}

  init(request: LockRequest, holder: LockHolder, reply: @escaping (AdminReply) -> Void) {
    self.request = request
    self.holder = holder
    self.reply = reply
  }

  func granted() {
    timeout?.cancel()
    reply(.lockGranted)
  }

  /// The command gets no lock, or (`error` nil) has gone away.
  func end(_ error: ClusterLockError?) {
    guard !hasEnded else { return }
    hasEnded = true
    ended()
    timeout?.cancel()
    if let error { reply(.failed(AdminFailure(error.adminReason, error.description))) }
    release()
  }

  func release() {
    guard let leave else { return }
    self.leave = nil
    holder.release(completion: leave)
  }
}

extension ClusterLockError {
  fileprivate var adminReason: AdminFailure.Reason {
    switch self {
    case .noQuorum: .noQuorum
    case .heldByOthers, .lockspaceStopped: .wouldBlock
    case .timedOut: .timedOut
    case .deadlock: .wouldBlock
    case .notJoined, .joinFailed, .cancelled, .unusable, .refused: .failed
    }
  }
}

extension LockModeName {
  init(_ mode: LockProtocol.LockMode) {
    self =
      switch mode {
      case .iv, .nl: .null
      case .cr: .concurrentRead
      case .cw: .concurrentWrite
      case .pr: .protectedRead
      case .pw: .protectedWrite
      case .ex: .exclusive
      }
  }

  var lockManagerMode: LockProtocol.LockMode {
    switch self {
    case .null: .nl
    case .concurrentRead: .cr
    case .concurrentWrite: .cw
    case .protectedRead: .pr
    case .protectedWrite: .pw
    case .exclusive: .ex
    }
  }
}
