import AdminProtocol
import ClusterTypes
import LockManager
import LockProtocol
import NIOCore

/// Locks for commands: `clvm lock`, the cluster's flock(1).
///
/// Confined to the cluster's event loop.
final class CommandLocks {
  private let locks: InHouseLockspaces
  private unowned let node: ClusterNode
  private let loop: any EventLoop

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
      reply(.failed(AdminFailure(.noQuorum, "This node has no quorum: no lock is granted.")))
      return {}
    }
    guard let resource = LockProtocol.ResourceName(Array(request.resource.utf8)) else {
      reply(.failed(AdminFailure(.invalidRequest, "A resource's name has 1 to 64 bytes.")))
      return {}
    }
    let held = HeldLock(request: request, resource: resource, processID: processID, reply: reply)
    if let timeout = request.timeoutMilliseconds {
      let delay = TimeAmount.milliseconds(Int64(min(timeout, UInt64(Int64.max / 2_000_000))))
      held.timeout = loop.assumeIsolated().scheduleTask(in: delay) { [self] in timedOut(held) }
    }
    locks.join(request.lockspace) { [self] failure in joined(held, failure) }
    return { [self] in release(held) }
  }

  private func joined(_ held: HeldLock, _ failure: DaemonError?) {
    if let failure {
      held.end(.failed(AdminFailure(.failed, failure.description)))
      return
    }
    held.hasJoined = true
    guard !held.isReleased else { return locks.leave(held.request.lockspace) {} }
    do {
      held.handle = try locks.lock(
        held.request.lockspace, resource: held.resource, mode: held.request.mode.lockManagerMode,
        flags: held.request.isNonBlocking ? .noQueue : [],
        processID: UInt32(bitPattern: held.processID), owner: "clvm lock",
        events: .init(
          completed: { held.completed($0) },
          released: { [self] in locks.leave(held.request.lockspace) {} },
          blocking: { held.reply(.lockBlocks(requestedMode: LockModeName($0))) },
          refused: { held.end(.failed(AdminFailure(.refused, $0.description))) }))
    } catch {
      held.end(.failed(AdminFailure(.failed, error.description)))
    }
  }

  private func timedOut(_ held: HeldLock) {
    guard !held.isGranted else { return }
    held.end(
      .failed(
        AdminFailure(
          .timedOut,
          "\(held.request.resource) in lockspace \(held.request.lockspace) is held by others.")))
  }

  /// The client is gone. A request that still waits is taken back.
  private func release(_ held: HeldLock) {
    guard !held.isReleased else { return }
    held.isReleased = true
    held.timeout?.cancel()
    guard held.hasJoined else { return }
    if let handle = held.handle, !held.isGone {
      locks.unlock(handle, flags: .forceUnlock)
    } else {
      locks.leave(held.request.lockspace) {}
    }
  }
}

/// A lock of a command.
private final class HeldLock {
  let request: LockRequest
  let resource: LockProtocol.ResourceName
  let processID: Int32
  let reply: (AdminReply) -> Void
  var timeout: Scheduled<Void>?
  var handle: LockHandle?
  var hasJoined = false
  var isGranted = false
  /// The request ended without a lock.
  var isGone = false
  var isReleased = false

  init(
    request: LockRequest, resource: LockProtocol.ResourceName, processID: Int32,
    reply: @escaping (AdminReply) -> Void
  ) {
    self.request = request
    self.resource = resource
    self.processID = processID
    self.reply = reply
  }

  func end(_ last: AdminReply) {
    timeout?.cancel()
    reply(last)
  }

  func completed(_ outcome: LockOutcome) {
    timeout?.cancel()
    switch outcome.result {
    case .granted:
      isGranted = true
      reply(.lockGranted)
    case .wouldBlock:
      isGone = true
      reply(
        .failed(
          AdminFailure(
            .wouldBlock,
            "\(request.resource) in lockspace \(request.lockspace) is held by others.")))
    case .cancelled: isGone = true
    case .deadlock, .failed:
      isGone = outcome.mode == nil
      reply(.failed(AdminFailure(.failed, "The lock manager refused: \(outcome.result).")))
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
