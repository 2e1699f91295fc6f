import ClusterTypes

/// The locks that say which volumes are active here, and how (clvmd-socket spec, section 10).
///
/// They belong to the daemon, not to a connection. An entry means "active here in this mode", or a
/// suspend under way (PW).
extension ClusterLockingMachine {
  struct VolumeLock: Sendable {
    let token: LockToken
    /// Nil while the first request is under way.
    var granted: ClusterLockingMode?
    /// Of the operation under way.
    var requested: ClusterLockingMode?
  }

  /// Who waits for an operation on a lock.
  enum TokenUse: Sendable {
    /// The lock of a volume group for a client's request; `isReplaced` when it had one already.
    case group(ClusterLockingJobID, resource: String)
    /// The lock of a volume, for the request that suspends or has resumed it.
    case suspending(ClusterLockingJobID, volume: String)
    /// The lock of a volume, for this node's part of an activation.
    case activating(ClusterLockingJobID, volume: String)
    /// Nobody waits: a lock goes back to a weaker mode.
    case weakening(volume: String)
    case adopting(volume: String)
  }

  mutating func nextToken(_ use: TokenUse) -> LockToken {
    lastToken += 1
    let token = LockToken(lastToken)
    tokens[token] = use
    return token
  }

  /// Asks for a volume's lock, or for another mode of it; never waits.
  mutating func requestVolumeLock(
    _ volume: String, _ mode: ClusterLockingMode, isReclaim: Bool = false, _ use: TokenUse
  ) {
    if let lock = volumeLocks[volume] {
      tokens[lock.token] = use
      volumeLocks[volume]?.requested = mode
      effects.append(.convert(lock.token, mode))
    } else {
      let token = nextToken(use)
      volumeLocks[volume] = VolumeLock(token: token, granted: nil, requested: mode)
      effects.append(
        .lock(token, resource: volume, mode, isQueued: false, isReclaim: isReclaim))
    }
  }

  mutating func releaseVolumeLock(_ volume: String) {
    guard let lock = volumeLocks.removeValue(forKey: volume) else { return }
    tokens[lock.token] = nil
    effects.append(.unlock(lock.token))
    effects.append(.persist(volume: volume, nil))
  }

  /// The mode in which the volume is active here; nil when it is not. What an earlier life of the
  /// daemon left active is active while its lock is still being claimed: a suspend or a resume must
  /// not pass it by.
  func heldMode(of volume: String) -> ClusterLockingMode? {
    guard let lock = volumeLocks[volume] else { return nil }
    if lock.granted == nil, case .adopting = tokens[lock.token] { return lock.requested }
    return lock.granted
  }

  /// Whether an operation on the volume's lock is under way.
  func isVolumeLockBusy(_ volume: String) -> Bool { volumeLocks[volume]?.requested != nil }

  mutating func lockEnded(_ token: LockToken, refusal: ClusterLockRefusal?) {
    guard let use = tokens[token] else { return }
    switch use {
    case .group(let request, let resource):
      return groupLockEnded(request, resource, token, refusal)
    case .suspending(let request, let volume):
      volumeLockEnded(volume, isGranted: refusal == nil)
      suspendLockEnded(request, refusal)
    case .activating(let job, let volume):
      volumeLockEnded(volume, isGranted: refusal == nil)
      activationLockEnded(job, refusal)
    case .weakening(let volume): volumeLockEnded(volume, isGranted: refusal == nil)
    case .adopting(let volume):
      volumeLockEnded(volume, isGranted: refusal == nil)
      if let refusal {
        effects.append(
          .log(
            .error,
            """
            volume \(volume) is active on this node without a lock (\(refusal)): deactivate it, or \
            make sure that no other node uses it
            """))
      }
    }
  }

  private mutating func volumeLockEnded(_ volume: String, isGranted: Bool) {
    guard let lock = volumeLocks[volume], let requested = lock.requested else { return }
    volumeLocks[volume]?.requested = nil
    if isGranted {
      volumeLocks[volume]?.granted = requested
      // A suspend under way is no state to come back to.
      if requested != .protectedWrite {
        effects.append(.persist(volume: volume, requested))
      }
    } else if lock.granted == nil {
      tokens[lock.token] = nil
      volumeLocks[volume] = nil
    }
  }

  mutating func adopt(_ volumes: [String: ClusterLockingMode]) {
    for (volume, mode) in volumes.sorted(by: { $0.key < $1.key }) where volumeLocks[volume] == nil {
      requestVolumeLock(volume, mode, isReclaim: true, .adopting(volume: volume))
    }
  }
}
