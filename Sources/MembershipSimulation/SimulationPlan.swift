import ClusterMembership
import ClusterSimulation
import ClusterTypes

/// Which faults a run may have; drawn from its seed, or set by a situation that is aimed at.
package enum Fault: Int, CaseIterable, Hashable, Sendable {
  case partition, oneWayCut, isolation, muting, loss, delay, freeze, powerCut, daemonCrash
  case diskStall, syncError, quorumDiskOutage, totalBlackout, slowStop, keeperStall
  case configurationChange, amnesia, cascade, fenceMood, crashAtStep, leaving, administrator
  case restartAll, reservationLoss
}

/// What one run is made of: everything is drawn from the seed.
package struct SimulationPlan: Sendable {
  package var seed: UInt64
  package var nodeCount: Int
  package var hasDisk: Bool
  package var hasWitness: Bool
  package var timers: MembershipTimers
  package var fenceLevels: UInt8
  /// Bit n - 1: level n takes a node's keys off the shared disks, and does nothing else.
  package var reservationLevels: UInt8 = 0
  /// The node in slot 0 has another list of disks than the others.
  package var hasOtherDisks = false
  /// Fence devices answer at once, for measuring.
  package var fencesAtOnce = false
  /// Where there are two nodes, fence devices that switch off, and no third vote.
  package var mayRace = false
  package var hasFenceRace: Bool {
    mayRace && nodeCount == 2 && !hasDisk && !hasWitness
      && fenceLevels > reservationLevels.nonzeroBitCount
  }
  package var trustsWatchdog: Bool
  package var faults: [Fault]
  /// Milliseconds from one fault to the next, on average.
  package var faultInterval: UInt64
  /// No fault begins after this, and all that last end here.
  package var calmFrom = Timestamp(milliseconds: 420_000)
  package var end = Timestamp(milliseconds: 600_000)
  package var defects: MembershipDefects = []
  /// Percent of all messages that are lost, all the time.
  package var baseLoss = 0
  package var usersToggle = true
  /// A deliberate defect of the world: a restart forgets the vote.
  package var losesVotes = false
  /// A deliberate defect of the world: who comes back without memory votes as if it had forgotten nothing.
  package var overlooksAmnesia = false
  /// Another: a node whose key is gone counts as kept away though the disks are not reserved.
  package var overlooksLostReservation = false
  /// Nobody may be removed once the cluster has formed: the faults are such that nobody need be.
  package var expectsNoRemoval = false
  package var checksFenceTargets = true
  /// What the fence devices do throughout; nil: as chance and faults have it.
  var fenceMood: Int?
  /// Nodes change volume groups, and the record knows of it.
  package var hasOperations = false

  /// A calm cluster, for measuring.
  package init(calm seed: UInt64, nodes: Int, timers: MembershipTimers) {
    self.init(seed: seed)
    nodeCount = nodes
    hasDisk = false
    hasWitness = false
    self.timers = timers
    faults = []
    baseLoss = 0
    mayRace = false
    trustsWatchdog = true
    usersToggle = false
    hasOperations = false
    calmFrom = Timestamp(milliseconds: .max / 1_000_000 / 4)
    end = calmFrom
  }

  package init(seed: UInt64) {
    var chance = SeededGenerator(seed: seed &* 0x2545_F491_4F6C_DD1D &+ 1)
    self.seed = seed
    nodeCount = [2, 2, 3, 3, 3, 3, 4, 5][Int.random(in: 0..<8, using: &chance)]
    let third = Int.random(in: 0..<3, using: &chance)
    hasDisk = nodeCount % 2 == 0 && third == 0
    hasWitness = nodeCount % 2 == 0 && third == 1
    timers = .standard
    timers.rejoinHold = 3000
    timers.agentTimeout = 20_000
    fenceLevels = UInt8(Int.random(in: 0...2, using: &chance))
    trustsWatchdog = fenceLevels == 0 || chance.chance(50)
    // Swarm: half of the faults, so that runs differ in kind.
    faults = Fault.allCases.filter { $0 != .reservationLoss && chance.chance(55) }
    if faults.isEmpty { faults = [.powerCut] }
    faultInterval = UInt64.random(in: 5000...25_000, using: &chance)
    baseLoss = chance.chance(30) ? Int.random(in: 1...3, using: &chance) : 0
    mayRace = !seed.isMultiple(of: 3)
    hasOperations = seed.isMultiple(of: 2)
    if mayRace, nodeCount == 2, !hasDisk, !hasWitness {
      // Without a device that switches off there would be no race.
      fenceLevels = max(1, fenceLevels)
      return
    }
    guard fenceLevels > 0, chance.chance(60) else { return }
    reservationLevels = UInt8(Int.random(in: 1..<1 << Int(fenceLevels), using: &chance))
    hasOtherDisks = chance.chance(15)
    if chance.chance(55) { faults.append(.reservationLoss) }
  }
}
