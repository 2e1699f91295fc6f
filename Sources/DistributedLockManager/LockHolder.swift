import ClusterTypes
import Glibc
import LockManager
import LockProtocol
import NIOCore

/// How long a request may wait for others.
public enum LockWait: Hashable, Sendable {
  case forever
  /// Fail at once when it cannot be granted.
  case no
  case atMost(Duration)
}

/// One lock of a local user and the operation under way on it.
///
/// Every operation ends exactly once, also when the lockspace is left meanwhile. Confined to the
/// cluster's event loop.
package final class LockHolder: LockListener {
  package typealias Completion = (ClusterLockError?) -> Void

  private enum State {
    case idle
    case requesting(Completion)
    case held
    case converting(Completion)
    case releasing([() -> Void])
    case gone
  }

  package let lockspace: LockspaceName
  package let resource: ResourceName
  private let locks: any LockCalls
  private let loop: any EventLoop
  private let owner: String
  private let processID: UInt32
  // Each call has ended before whoever is told of it can make the next.
  @exclusivity(unchecked)
  private var state = State.idle
  @exclusivity(unchecked)
  private var handle: LockHandle?
  private var timeout: Scheduled<Void>?
  private var hasTimedOut = false

  /// See `OwnedLockRequest`; to be set before the request.
  package var transaction: UInt64?
  package var mayBeVictim = false
  package private(set) var mode = LockMode.iv
  /// What the lock manager last said; nil when it is not valid.
  package private(set) var valueBlock: [UInt8]?
  /// Another wants that mode, which this lock excludes.
  package var blocking: (LockMode) -> Void = { _ in }
  /// The lock is gone for good, or was never granted.
  package var ended: () -> Void = {}

  package init(
    _ resource: ResourceName, in lockspace: LockspaceName, locks: any LockCalls,
    loop: any EventLoop, owner: String, processID: UInt32 = LockHolder.ownProcess
  ) {
    self.resource = resource
    self.lockspace = lockspace
    self.locks = locks
    self.loop = loop
    self.owner = owner
    self.processID = processID
  }

  /// A system call each time would cost more than the rest of a request.
  package static let ownProcess = UInt32(bitPattern: getpid())

  package var isHeld: Bool {
    switch state {
    case .held, .converting: true
    case .idle, .requesting, .releasing, .gone: false
    }
  }

  // MARK: - Operations

  /// Once for a holder. A request that came after `cancel` or `release` ends as cancelled.
  package func request(_ mode: LockMode, wait: LockWait, completion: @escaping Completion) {
    guard case .idle = state else { return completion(.cancelled) }
    if wait == .no, locks.isStopped(lockspace) {
      state = .gone
      return completion(.lockspaceStopped(lockspace))
    }
    let handle = locks.newHandle()
    self.handle = handle
    state = .requesting(completion)
    limit(wait)
    do throws(ClusterLockError) {
      try locks.lock(
        OwnedLockRequest(
          lockspace: lockspace, resource: resource, mode: mode, flags: flags(wait),
          processID: processID, owner: owner, transaction: transaction, mayBeVictim: mayBeVictim),
        handle: handle, listener: self)
    } catch {
      end(error)
    }
  }

  /// - Parameter writing: the new value block; for a lock held in PW or EX only.
  package func convert(
    to mode: LockMode, wait: LockWait, writing: [UInt8]? = nil, completion: @escaping Completion
  ) {
    guard case .held = state, let handle else { return completion(.unusable(resource, lockspace)) }
    if let refusal = refusal(writing: writing) { return completion(refusal) }
    state = .converting(completion)
    limit(wait)
    locks.convert(
      handle, to: mode, flags: flags(wait).union(writeFlags(writing)), valueBlock: writing)
  }

  /// Ends the wait of the operation under way. A request is given up; a conversion ends when its
  /// master has taken it back, or granted it after all.
  package func cancel() { interrupt(.cancelled) }

  /// Gives the lock up, whatever state it is in. `completion` comes when it is gone.
  ///
  /// - Parameter writing: the new value block; counts only for a lock held in PW or EX.
  package func release(writing: [UInt8]? = nil, completion: @escaping () -> Void = {}) {
    switch state {
    case .idle, .gone:
      end(nil)
      completion()
    case .releasing(let waiters): state = .releasing(waiters + [completion])
    case .held:
      state = .releasing([completion])
      unlock(writeFlags(writing), writing)
    case .requesting(let interrupted), .converting(let interrupted):
      state = .releasing([completion])
      unlock(.forceUnlock, nil)
      interrupted(.cancelled)
    }
  }

  /// Why the value block cannot be written; nil when it can or nothing is to be written.
  package func refusal(writing: [UInt8]?) -> ClusterLockError? {
    guard let writing else { return nil }
    guard mode >= .pw else { return .refused("a value block is written under PW or EX only") }
    let length = locks.valueBlockLength(in: lockspace)
    guard writing.count == length else {
      return .refused("a value block has \(length) bytes in this lockspace")
    }
    return nil
  }

  private func flags(_ wait: LockWait) -> LockFlags {
    wait == .no ? [.valueBlock, .noQueue] : .valueBlock
  }

  /// A holder that writes nothing must not make an invalid value block valid by giving it back.
  private func writeFlags(_ writing: [UInt8]?) -> LockFlags {
    if writing != nil { return .valueBlock }
    return mode >= .pw && valueBlock == nil ? .invalidateValueBlock : []
  }

  private func unlock(_ flags: LockFlags, _ valueBlock: [UInt8]?) {
    timeout?.cancel()
    if let handle { locks.unlock(handle, flags: flags, valueBlock: valueBlock) }
  }

  // MARK: - Waiting

  private func limit(_ wait: LockWait) {
    hasTimedOut = false
    guard case .atMost(let duration) = wait else { return }
    timeout = loop.assumeIsolated().scheduleTask(in: duration.timeAmount) { [self] in
      hasTimedOut = true
      interrupt(.timedOut(resource, lockspace))
    }
  }

  private func interrupt(_ reason: ClusterLockError) {
    switch state {
    case .idle: state = .gone
    case .requesting(let completion):
      // Whoever waits is told now; a stopped lockspace may take long to answer.
      state = .releasing([])
      unlock(.forceUnlock, nil)
      completion(reason)
    case .converting: if let handle { locks.cancel(handle) }
    case .held, .releasing, .gone: break
    }
  }

  // MARK: - Events

  package func lockReleased() { end(.notJoined(lockspace)) }
  package func lockBlocks(_ mode: LockMode) { blocking(mode) }
  package func lockIsVictim() { interrupt(.deadlock(resource, lockspace)) }

  package func lockCompleted(_ outcome: LockOutcome) {
    if let mode = outcome.mode { self.mode = mode }
    switch state {
    case .requesting(let completion), .converting(let completion):
      timeout?.cancel()
      guard outcome.mode != nil else { return end(error(of: outcome)) }
      if outcome.result == .granted {
        valueBlock = outcome.flags.contains(.valueNotValid) ? nil : outcome.valueBlock
      }
      state = .held
      completion(error(of: outcome))
    case .releasing: if outcome.mode == nil { end(nil) }
    case .idle, .held, .gone: break
    }
  }

  private func error(of outcome: LockOutcome) -> ClusterLockError? {
    switch outcome.result {
    case .granted: nil
    case .wouldBlock: .heldByOthers(resource, lockspace)
    case .deadlock: .deadlock(resource, lockspace)
    case .cancelled: hasTimedOut ? .timedOut(resource, lockspace) : .cancelled
    case .failed(let result): .refused("\(result)")
    }
  }

  package func lockRefused(_ refusal: CallRefusal) {
    switch state {
    case .converting(let completion):
      timeout?.cancel()
      state = .held
      completion(.refused(refusal.description))
    case .requesting, .releasing: end(.refused(refusal.description))
    case .idle, .held, .gone: break
    }
  }

  /// Nothing is held or under way any more; whoever waits for something hears so.
  private func end(_ error: ClusterLockError?) {
    timeout?.cancel()
    let last = state
    state = .gone
    switch last {
    case .requesting(let completion), .converting(let completion): completion(error ?? .cancelled)
    case .releasing(let waiters): for waiter in waiters { waiter() }
    case .idle, .held: break
    case .gone: return
    }
    ended()
  }
}

extension Duration {
  /// At most what a `TimeAmount` can hold.
  package var timeAmount: TimeAmount { .nanoseconds(Int64(clamping: wholeNanoseconds)) }
}
