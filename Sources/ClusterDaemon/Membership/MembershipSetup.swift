import ByteCoding
import ClusterMembership
import ClusterTypes

/// What a life of the daemon with the embedded provider starts from.
struct MembershipSetup: Sendable {
  let machine: EmbeddedMembership
  let local: Member
  let keeper: any LeaseKeeper
  let files: StateFiles
  let disk: QuorumDisk?
  /// The life before may have left something that writes.
  let isDirty: Bool
  /// What the cluster had decided when this node last ran; nil for a node without memory.
  let decided: ClusterConfiguration?
  /// What an administrator should know, to be logged.
  let warnings: [String]

  /// Reads the node's memory and the quorum disk; blocks.
  ///
  /// - Parameters:
  ///   - reservedDevices: names the disks from which this node can be fenced by reservation; zero without.
  ///   - startedClean: nothing of an earlier life on this boot may still write.
  ///   - seed: chance for jitter and incarnations.
  init(
    configuration: DaemonConfiguration, bootID: String, startedClean: Bool,
    reservedDevices: UInt64 = 0, keeper: any LeaseKeeper, seed: UInt64
  ) throws {
    guard let boot = BootID(bootID) else {
      throw DaemonError("the kernel's boot id is '\(bootID)', which is none")
    }
    let wanted = configuration.clusterConfiguration
    if let problem = wanted.problems.first { throw DaemonError("membership: \(problem)") }
    guard let slot = wanted[configuration.cluster.localNode.id]?.slot else {
      throw DaemonError("this node is none of the cluster's")
    }
    files = try StateFiles(directory: configuration.clusterDirectory)
    var warnings: [String] = []
    var seed = seed
    let state: PersistentState
    if let found = files.found {
      state = found
      try Self.check(found, configuration)
    } else {
      if files.isDamaged {
        warnings.append(
          """
          the memory of this node in \(configuration.clusterDirectory) is damaged: its vote does not \
          count until the other nodes have taken it back
          """)
      }
      seed = seed &+ 1
      state = PersistentState(
        slot: slot,
        genesis: Record(clusterID: configuration.clusterID, configuration: wanted),
        incarnation: Incarnation(0), bootID: BootID(high: 0, low: 0), amnesia: max(1, seed))
    }
    let record = state.accepted.record
    decided = files.found == nil ? nil : record.newestConfiguration
    disk = try configuration.membership.quorumDisk.map { path in
      try QuorumDisk(
        path: path, clusterID: record.clusterID, slot: state.slot, slots: Array(record.configured))
    }
    let findings = keeper.findings
    var capabilities = keeper.capabilities
    capabilities.reservedDevices = reservedDevices
    machine = EmbeddedMembership(
      EmbeddedStart(
        state: state, bootID: boot, capabilities: capabilities,
        keeperIsAlive: findings.isAlive, spaces: findings.spaces, seed: seed &* 3))
    isDirty = state.wasDirty && state.bootID == boot
    local = Member(
      instance: NodeInstance(configuration.cluster.localNode.id, machine.incarnation),
      bootID: bootID, startedClean: startedClean)
    self.keeper = keeper
    self.warnings = warnings
  }

  /// The cluster's decided configuration counts, not the file: the file must at least name the same
  /// cluster and the same node.
  private static func check(
    _ state: PersistentState, _ configuration: DaemonConfiguration
  ) throws(DaemonError) {
    let directory = configuration.clusterDirectory
    let decided = state.accepted.record.newestConfiguration
    guard state.accepted.record.clusterID == configuration.clusterID else {
      throw DaemonError(
        "\(directory) holds the memory of a node of another cluster; move it away if this node has "
          + "left that cluster")
    }
    guard decided[state.slot]?.id == configuration.cluster.localNode.id else {
      throw DaemonError(
        "\(directory) holds the memory of node \(decided[state.slot]?.id.description ?? "?"), and this "
          + "is node \(configuration.cluster.localNode.id): a memory must never be copied")
    }
  }
}

extension DaemonConfiguration {
  /// Makes the configured device the cluster's quorum disk; refuses one that holds anything.
  public func makeQuorumDisk() throws {
    guard let path = membership.quorumDisk else {
      throw DaemonError("the configuration names no membership/quorum_disk")
    }
    try QuorumDisk.make(path: path, clusterID: clusterID)
  }

  /// Names the cluster on the wire and on disks.
  var clusterID: UInt64 {
    if let id = cluster.id { return id.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
    // Two CRCs of the name and of the name reversed: names of the same site do not collide.
    let name = Array(cluster.name.utf8)
    return UInt64(CRC32.zlib(name)) << 32 | UInt64(CRC32.zlib(name.reversed() + [0x63]))
  }

  /// The cluster as this file describes it: the first record is made of it.
  var clusterConfiguration: ClusterConfiguration {
    let slots = Self.slots(of: cluster.nodes.map(\.id))
    let nodes = cluster.nodes.compactMap { node in
      slots[node.id].map { slot in
        ConfiguredNode(
          slot: slot, id: node.id, name: node.name,
          addresses: [node.address, node.secondAddress].compactMap { $0.map { "\($0)" } },
          isWitness: node.isWitness, fenceLevels: fenceLevels(of: node.name),
          reservationLevels: reservationLevels(of: node.name))
      }
    }
    return ClusterConfiguration(
      nodes: nodes, hasDisk: membership.quorumDisk != nil, fenceRace: membership.fenceRace,
      timers: membership.timers)
  }

  /// A node's place: the same whatever nodes are added, where ids are small. Ids above the number of
  /// slots take what is free from the end, in their order.
  static func slots(of ids: [NodeID]) -> [NodeID: NodeSlot] {
    var slots: [NodeID: NodeSlot] = [:]
    for id in ids { slots[id] = NodeSlot(Int(id.rawValue) - 1) }
    var free = (0..<NodeSlot.limit).reversed().compactMap { NodeSlot($0) }
    free.removeAll { slots.values.contains($0) }
    for (id, slot) in zip(ids.filter { slots[$0] == nil }.sorted(), free) { slots[id] = slot }
    return slots
  }

  /// Topology levels of a node's fence devices, 0 to 255.
  func fenceLevels(of name: String) -> UInt8 {
    UInt8(clamping: fencing.levels[name]?.count ?? 0)
  }

  /// Which of them take the node's keys off disks and do nothing else, as bits from level 1 on.
  func reservationLevels(of name: String) -> UInt8 {
    fencing.reservationLevels(of: name).reduce(0) { $0 | 1 << ($1 - 1) }
  }
}

extension ClusterConfiguration {
  /// In words, what `other` has otherwise; amnesias, which no file knows, do not count.
  func differences(from other: Self) -> [String] {
    var found: [String] = []
    for node in nodes {
      guard let there = other[node.id] else {
        found.append("node \(node.id) is missing")
        continue
      }
      if there.addresses != node.addresses { found.append("node \(node.id) has other addresses") }
      if there.name != node.name { found.append("node \(node.id) is named '\(there.name)'") }
      // A newcomer has no vote yet, whatever its role will be.
      if there.isWitness != node.isWitness || there.votes != node.votes && node.votes != 0 {
        found.append("node \(node.id) has another role")
      }
      if there.fenceLevels != node.fenceLevels {
        found.append("node \(node.id) has \(there.fenceLevels) fence levels")
      }
      if there.reservationLevels != node.reservationLevels {
        found.append("node \(node.id) is fenced by reservation on other levels")
      }
    }
    for node in other.nodes where self[node.id] == nil { found.append("node \(node.id) is new") }
    if hasDisk != other.hasDisk {
      found.append(other.hasDisk ? "it has a quorum disk" : "it has no quorum disk")
    }
    if fenceRace != other.fenceRace {
      found.append(other.fenceRace ? "its nodes race" : "its nodes do not race")
    }
    for difference in timers.differences(from: other.timers) {
      found.append("\(difference.name) is \(difference.there) ms instead of \(difference.here) ms")
    }
    return found
  }
}
