import ClusterTypes

/// A configured node as the record knows it.
public struct ConfiguredNode: Hashable, Sendable {
  /// Longest name and address in bytes.
  public static let maximumName = 32
  public static let maximumAddress = 45

  public var slot: NodeSlot
  public var id: NodeID
  public var name: String
  /// One or two addresses as text.
  public var addresses: [String]
  /// Zero for a node that may be a member and has no vote yet.
  public var votes: UInt8
  /// A witness votes and is never a member.
  public var isWitness: Bool
  /// The amnesia (`PersistentState.amnesia`) with which this node's vote counts. Another one means
  /// that its memory was lost since, and its vote does not count until a decision says so here.
  public var amnesia: UInt64
  /// Topology levels of its fence devices; zero when it has none.
  public var fenceLevels: UInt8
  /// Bit n - 1 is set where level n takes the node's reservation keys off disks and does nothing else.
  public var reservationLevels: UInt8

  public init(
    slot: NodeSlot, id: NodeID, name: String, addresses: [String], votes: UInt8 = 1,
    isWitness: Bool = false, amnesia: UInt64 = 0, fenceLevels: UInt8 = 0,
    reservationLevels: UInt8 = 0
  ) {
    self.slot = slot
    self.id = id
    self.name = name
    self.addresses = addresses
    self.votes = votes
    self.isWitness = isWitness
    self.amnesia = amnesia
    self.fenceLevels = fenceLevels
    self.reservationLevels = reservationLevels
  }

  /// Levels after which the node is off, and not merely without disks; ascending, from 1.
  var levelsThatSwitchOff: [UInt8] {
    (0..<fenceLevels).map { $0 + 1 }.filter { !isByReservation(level: $0) }
  }

  /// `level` counts from 1.
  func isByReservation(level: UInt8) -> Bool {
    (1...8).contains(level) && reservationLevels & 1 << (level - 1) != 0
  }
}

/// Who votes, by which times, and what counts as a proof of death (membership design, section 2).
public struct ClusterConfiguration: Hashable, Sendable {
  public static let maximumNodes = 32

  /// Ascending by slot.
  public private(set) var nodes: [ConfiguredNode]
  /// A quorum disk has one vote.
  public var hasDisk: Bool
  /// The node that asks the disk first, else the one in the lowest slot.
  public var preferred: NodeSlot?
  /// A node whose lease is gone stops petting its watchdog.
  public var leaseResets: Bool
  /// Time and an armed hardware watchdog count as a proof of death (evidence 4).
  public var trustsWatchdog: Bool
  /// The same for the kernel's software watchdog.
  public var trustsSoftdog: Bool
  /// Two nodes without a third vote: a verified power-off of the peer is the missing vote. Their fence
  /// devices must be such that they cannot both succeed.
  public var fenceRace: Bool
  public var timers: MembershipTimers

  public private(set) var voters: NodeSet
  public private(set) var all: NodeSet
  public private(set) var totalVotes: Int

  public init(
    nodes: [ConfiguredNode], hasDisk: Bool = false, preferred: NodeSlot? = nil,
    leaseResets: Bool = true, trustsWatchdog: Bool = false, trustsSoftdog: Bool = false,
    fenceRace: Bool = false, timers: MembershipTimers
  ) {
    self.nodes = nodes.sorted { $0.slot < $1.slot }
    self.hasDisk = hasDisk
    self.preferred = preferred
    self.leaseResets = leaseResets
    self.trustsWatchdog = trustsWatchdog
    self.trustsSoftdog = trustsSoftdog
    self.fenceRace = fenceRace
    self.timers = timers
    voters = NodeSet(nodes.filter { $0.votes > 0 }.map(\.slot))
    all = NodeSet(nodes.map(\.slot))
    totalVotes = nodes.reduce(hasDisk ? 1 : 0) { $0 + Int($1.votes) }
  }

  /// The same rules for other nodes.
  public func with(nodes: [ConfiguredNode]) -> Self {
    Self(
      nodes: nodes, hasDisk: hasDisk, preferred: preferred, leaseResets: leaseResets,
      trustsWatchdog: trustsWatchdog, trustsSoftdog: trustsSoftdog, fenceRace: fenceRace,
      timers: timers)
  }

  /// The votes that decide: more than half of all.
  public var quorum: Int { totalVotes / 2 + 1 }

  public subscript(slot: NodeSlot) -> ConfiguredNode? { nodes.first { $0.slot == slot } }
  public subscript(id: NodeID) -> ConfiguredNode? { nodes.first { $0.id == id } }

  /// The votes of `set`, and the disk's if `disk`.
  func weight(_ set: NodeSet, disk: Bool) -> Int {
    var sum = disk && hasDisk ? 1 : 0
    for node in nodes where set.contains(node.slot) { sum += Int(node.votes) }
    return sum
  }

  package func isQuorum(_ set: NodeSet, disk: Bool) -> Bool { weight(set, disk: disk) >= quorum }

  mutating func setAmnesia(_ amnesia: UInt64, of slot: NodeSlot) {
    for index in nodes.indices where nodes[index].slot == slot { nodes[index].amnesia = amnesia }
  }

  /// Why it cannot be used, as sentences; empty when it can.
  public var problems: [String] {
    var problems = timers.problems
    if totalVotes == 0 { problems.append("nobody has a vote") }
    if nodes.count > Self.maximumNodes { problems.append("there are more than 32 nodes") }
    if all.count != nodes.count || Set(nodes.map(\.id)).count != nodes.count {
      problems.append("two nodes have one id or one slot")
    }
    if hasDisk && totalVotes % 2 == 0 {
      problems.append("a quorum disk is allowed only where it makes the number of votes odd")
    }
    if fenceRace {
      if nodes.count != 2 || voters.count != 2 || hasDisk || nodes.contains(where: \.isWitness) {
        problems.append(
          "a fence race is for two nodes with a vote each, without a quorum disk or a witness")
      } else {
        for node in nodes where node.levelsThatSwitchOff.isEmpty {
          problems.append(
            "a fence race needs a fence device that switches node \(node.id) off; "
              + "one that takes its disks away leaves it deciding")
        }
      }
    }
    for node in nodes {
      if node.id.rawValue > 32_768 {
        problems.append("node \(node.id) has an id above 32768, the largest that is supported")
      }
      if node.name.utf8.count > ConfiguredNode.maximumName || node.name.isEmpty {
        problems.append("the name of node \(node.id) must have 1 to 32 bytes")
      }
      if node.addresses.count > 2
        || node.addresses.contains(where: { $0.utf8.count > ConfiguredNode.maximumAddress })
      {
        problems.append("node \(node.id) may have at most two addresses")
      }
    }
    return problems
  }
}
