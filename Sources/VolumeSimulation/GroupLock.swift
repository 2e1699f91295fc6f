import ClusterTypes

/// Who holds the volume group's lock, and who waits for it: right by construction.
struct GroupLockOracle: Sendable {
  enum Purpose: Hashable, Sendable {
    case command(Int)
    /// A daemon's new life looks at what the earlier one left.
    case recovery
  }

  struct Claim: Hashable, Sendable {
    let owner: NodeInstance
    let purpose: Purpose

    /// Recovery reads; commands write.
    var isExclusive: Bool { purpose != .recovery }
  }

  private(set) var holders: [Claim] = []
  private(set) var waiters: [Claim] = []

  mutating func request(_ claim: Claim) { waiters.append(claim) }

  mutating func release(_ claim: Claim) { holders.removeAll { $0 == claim } }

  mutating func forget(_ instance: NodeInstance) {
    holders.removeAll { $0.owner == instance }
    waiters.removeAll { $0.owner == instance }
  }

  mutating func cancel(_ claim: Claim) { waiters.removeAll { $0 == claim } }

  /// The next claim that may be granted.
  mutating func grant(ignoringHolders: Bool) -> Claim? {
    guard let next = waiters.first else { return nil }
    let isFree =
      ignoringHolders || holders.isEmpty
      || !next.isExclusive && holders.allSatisfy { !$0.isExclusive }
    guard isFree else { return nil }
    waiters.removeFirst()
    holders.append(next)
    return next
  }

  var isFree: Bool { holders.isEmpty }

  func isWriter(_ instance: NodeInstance) -> Bool {
    holders.contains { $0.owner == instance && $0.isExclusive }
  }
}

extension VolumeWorld {
  /// While somebody's death is not settled lockspaces stand still.
  var isRecovering: Bool {
    if mutation == .grantsBeforeFence { return false }
    return !openDeaths.isEmpty || nodes.values.contains { $0.isRunning && !$0.isSettled }
  }

  func grantLocks() {
    guard !isRecovering else { return }
    while let claim = lock.grant(ignoringHolders: mutation == .ignoresLock) {
      guard let node = nodes[claim.owner.node], node.isRunning, node.instance == claim.owner else {
        lock.release(claim)
        continue
      }
      if claim.isExclusive { checkQuiet("the lock is granted to node \(node.id)", except: claim) }
      let effect = begin("lock granted (\(claim.purpose))", on: node)
      if node.isRunning, node.instance == claim.owner {
        switch claim.purpose {
        case .command(let index): agenda.schedule(.planCommand(index), after: .milliseconds(1))
        case .recovery: recoverLeftovers(on: node)
        }
      }
      end(effect, on: node)
    }
  }
}
