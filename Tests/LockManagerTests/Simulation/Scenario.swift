import ClusterSimulation

/// What a seed makes of a run: how many nodes and resources, which trouble, which flags. Drawn at
/// random, so that runs differ in kind and not only in order.
struct Scenario: Sendable {
  let seed: UInt64
  var nodeCount: Int
  var resourceCount: Int
  /// Locks that a node's clients hold or wait for at a time.
  var locksPerNode: Int
  var hasMembershipChanges: Bool
  /// Each node keeps an NL lock on each resource, so that value blocks are never forgotten.
  var hasAnchors: Bool
  var usesCancel: Bool
  /// Conversions that give their old mode up on deadlock. A master that dies with the demotion untold
  /// loses it, and so does a cancel: therefore never together with these.
  var usesConversionDeadlock: Bool
  var losesStatusMessages: Bool
  var milliseconds: UInt64

  init(seed: UInt64) {
    self.seed = seed
    var random = SeededGenerator(seed: seed ^ 0x5CEA)
    nodeCount = Int.random(in: 2...5, using: &random)
    resourceCount = Int.random(in: 1...6, using: &random)
    locksPerNode = Int.random(in: 1...5, using: &random)
    hasMembershipChanges = random.chance(70)
    hasAnchors = random.chance(60)
    let isDemoting = random.chance(25)
    usesConversionDeadlock = isDemoting && !hasMembershipChanges
    usesCancel = !usesConversionDeadlock && random.chance(70)
    losesStatusMessages = random.chance(30)
    milliseconds = UInt64.random(in: 500...3000, using: &random)
  }
}
