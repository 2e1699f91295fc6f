import ClusterSimulation

/// What a seed makes of a run: how many nodes and resources, which trouble, which flags. Drawn at
/// random, so that runs differ in kind and not only in order.
public struct LockScenario: Sendable, CustomStringConvertible {
  public let seed: UInt64
  public var nodeCount: Int
  public var resourceCount: Int
  public var actionCount: Int
  /// Locks that a node's applications hold or wait for at a time.
  public var locksPerNode: Int
  /// How many of 100 actions are trouble of the kind.
  public var crashPercent: Int
  public var leavePercent: Int
  public var breakPercent: Int
  public var partitionPercent: Int
  public var pausePercent: Int
  /// Microseconds between two actions.
  public var gap: ClosedRange<UInt64>
  public var usualDelay: ClosedRange<UInt64>
  /// Each node keeps an NL lock on each resource, so that value blocks are never forgotten.
  public var hasAnchors: Bool
  public var usesCancel: Bool
  /// Conversions that give their old mode up on deadlock. A master that dies with the demotion untold
  /// loses it, and so does a cancel: therefore never together with these.
  public var usesConversionDeadlock: Bool
  public var usesOrphans: Bool
  public var usesInvalidation: Bool
  /// How many of 100 operations use the value block.
  public var valueBlockPercent: Int
  /// How many do not want to wait.
  public var noQueuePercent: Int
  /// Messages that a link keeps for a peer that does not acknowledge.
  public var linkLimit: Int
  public var tossMilliseconds: UInt64
  /// All nodes have another lockspace in common, which nobody leaves: links do not close with this one.
  public var hasOtherLockspace: Bool

  public init(seed: UInt64) {
    self.seed = seed
    var random = SeededGenerator(seed: seed ^ 0x5CEA)
    nodeCount = Int.random(in: 2...5, using: &random)
    resourceCount = [1, 1, 2, 3, 6].drawn(using: &random)
    actionCount = Int.random(in: 60...260, using: &random)
    locksPerNode = Int.random(in: 1...6, using: &random)
    let isDemoting = random.chance(15)
    usesConversionDeadlock = isDemoting
    usesCancel = !isDemoting && random.chance(70)
    let hasMembershipChanges = !isDemoting && random.chance(80)
    crashPercent = hasMembershipChanges ? [1, 2, 4, 6].drawn(using: &random) : 0
    leavePercent = hasMembershipChanges ? [0, 1, 3].drawn(using: &random) : 0
    breakPercent = [0, 0, 3, 8].drawn(using: &random)
    partitionPercent = [0, 0, 2, 4].drawn(using: &random)
    pausePercent = [0, 0, 2, 4].drawn(using: &random)
    if hasMembershipChanges, random.chance(12) {
      // Hardly a recovery that is not disturbed.
      crashPercent = 15
      leavePercent = 5
      breakPercent = 20
    }
    gap = [0...300, 0...2000, 200...6000].drawn(using: &random)
    usualDelay = [20...100, 50...2000, 500...5000].drawn(using: &random)
    hasAnchors = random.chance(60)
    usesOrphans = random.chance(25)
    usesInvalidation = random.chance(30)
    valueBlockPercent = [0, 70, 95].drawn(using: &random)
    noQueuePercent = [0, 5, 20].drawn(using: &random)
    linkLimit = random.chance(15) ? 60 : 1 << 16
    tossMilliseconds = [200, 1000, 10000].drawn(using: &random)
    hasOtherLockspace = random.chance(25)
  }

  public var description: String {
    """
    \(nodeCount) nodes, \(resourceCount) resources, \(actionCount) actions, up to \(locksPerNode) \
    locks a node; of 100 actions \(crashPercent) crashes or joins, \(leavePercent) leaves, \
    \(breakPercent) lost connections, \(partitionPercent) partitions, \(pausePercent) pauses; \
    actions every \(gap.lowerBound)-\(gap.upperBound) us, messages take \(usualDelay.lowerBound)-\
    \(usualDelay.upperBound) us; anchors \(hasAnchors), cancel \(usesCancel), CONVDEADLK \
    \(usesConversionDeadlock), orphans \(usesOrphans), IVVALBLK \(usesInvalidation), VALBLK \
    \(valueBlockPercent) %, NOQUEUE \(noQueuePercent) %, link limit \(linkLimit), toss \(tossMilliseconds) ms, \
    another lockspace \(hasOtherLockspace)
    """
  }
}

extension Array {
  /// One of them; there must be one.
  func drawn(using random: inout SeededGenerator) -> Element {
    self[Int.random(in: indices, using: &random)]
  }
}
