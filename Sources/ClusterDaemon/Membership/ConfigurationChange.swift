import AdminProtocol
import ClusterMembership
import ClusterTypes
import Fencing
import KernelLockspaces

/// What a change of the cluster's configuration makes of it, or why it cannot be. Pure.
enum ConfigurationChange {
  /// The highest id whose place in the cluster never depends on other nodes.
  static let idMax = Int32(NodeSlot.limit)

  /// A newcomer has no vote before it is there: until then it would only be missing.
  static func adding(
    _ new: NewNode, fenceLevels: UInt8, reservationLevels: UInt8 = 0,
    to current: ClusterConfiguration
  ) throws(AdminFailure) -> (configuration: ClusterConfiguration, node: ConfiguredNode) {
    let taken = Set(current.nodes.map(\.id))
    let free = (1...idMax).lazy.compactMap { NodeID($0) }.first { id in
      guard let slot = NodeSlot(Int(id.rawValue) - 1) else { return false }
      return !taken.contains(id) && current[slot] == nil
    }
    guard let id = new.id ?? free else { throw refused("There is no free node id.") }
    if let other = current[id] { throw refused("\(id) is already the id of node '\(other.name)'.") }
    guard id.rawValue <= idMax, let slot = NodeSlot(Int(id.rawValue) - 1), current[slot] == nil
    else {
      throw refused(
        "Give the node a free id from 1 to \(idMax): larger ones cannot be added later.")
    }
    try checkName(new.name, current)
    try checkAddresses(new.addresses, current)
    let node = ConfiguredNode(
      slot: slot, id: id, name: new.name, addresses: new.addresses, votes: 0,
      isWitness: new.isWitness, fenceLevels: fenceLevels, reservationLevels: reservationLevels)
    var voting = node
    voting.votes = 1
    if let problem = current.with(nodes: current.nodes + [voting]).problems.first {
      throw refused(
        "With this node: \(problem)."
          + advice(for: current))
    }
    return (current.with(nodes: current.nodes + [node]), node)
  }

  private static func checkName(
    _ name: String, _ current: ClusterConfiguration
  ) throws(AdminFailure) {
    guard !name.isEmpty, name.utf8.count <= ConfiguredNode.maximumName,
      name.utf8.allSatisfy(DaemonConfiguration.isNameByte)
    else {
      throw refused(
        "'\(name)' cannot be a node's name: 1 to \(ConfiguredNode.maximumName) letters, digits, '_', "
          + "'-' and '.', as a host name has.")
    }
    if current.nodes.contains(where: { $0.name == name }) {
      throw refused("There is a node '\(name)' already.")
    }
  }

  private static func checkAddresses(
    _ addresses: [String], _ current: ClusterConfiguration
  ) throws(AdminFailure) {
    guard (1...2).contains(addresses.count) else {
      throw refused("A node has one or two addresses.")
    }
    let family = current.nodes.first?.addresses.first.flatMap { NodeAddress($0) }?.isIPv6
    for (index, text) in addresses.enumerated() {
      guard let address = NodeAddress(text), !address.isUnusable else {
        throw refused("'\(text)' is no numeric address to which other nodes can connect.")
      }
      if let other = current.nodes.first(where: { node in
        node.addresses.contains { NodeAddress($0) == address }
      }) {
        throw refused("\(text) is already an address of node '\(other.name)'.")
      }
      if index == 0, let family, address.isIPv6 != family {
        throw refused(
          "\(text) is of another family than the other nodes' addresses; the kernel's lock manager "
            + "needs one family for all nodes.")
      }
    }
  }

  static func removing(
    _ id: NodeID, from current: ClusterConfiguration
  ) throws(AdminFailure) -> ClusterConfiguration {
    guard current[id] != nil else {
      throw AdminFailure(.notFound, "Node \(id) is none of the cluster's.")
    }
    let changed = current.with(nodes: current.nodes.filter { $0.id != id })
    if let problem = changed.problems.first {
      throw refused(
        "Without this node: \(problem)."
          + advice(for: current))
    }
    return changed
  }

  /// Times, fence levels, names, addresses, the quorum disk and the fence race of a file; nodes come and go by themselves.
  static func applying(
    _ file: ClusterConfiguration, to current: ClusterConfiguration, hasDisk: Bool
  ) throws(AdminFailure) -> ClusterConfiguration {
    guard Set(file.nodes.map(\.id)) == Set(current.nodes.map(\.id)) else {
      throw refused(
        "clvmd.conf has other nodes than the cluster. Nodes are added and removed with 'clvm cluster "
          + "add-node' and 'clvm cluster remove-node'; these change the file, too.")
    }
    for name in ["watchdog", "pet"] {
      if file.timers.differences(from: current.timers).contains(where: { $0.name == name }) {
        throw refused(
          "membership/timers/\(name)_ms cannot be changed while the cluster runs: keepers have armed "
            + "their watchdogs with it.")
      }
    }
    if file.hasDisk, !current.hasDisk, !hasDisk {
      throw refused(
        "This node's clvmd has not opened the quorum disk: restart clvmd on all nodes, one after the "
          + "other, then try again.")
    }
    var nodes = current.nodes
    for index in nodes.indices {
      guard let there = file[nodes[index].id] else { continue }
      guard there.isWitness == nodes[index].isWitness else {
        throw refused(
          "The role of node \(there.id) cannot be changed: remove the node, and add it again.")
      }
      nodes[index].name = there.name
      nodes[index].addresses = there.addresses
      nodes[index].fenceLevels = there.fenceLevels
      nodes[index].reservationLevels = there.reservationLevels
    }
    var changed = current.with(nodes: nodes)
    changed.timers = file.timers
    changed.hasDisk = file.hasDisk
    changed.fenceRace = file.fenceRace
    changed = changed.with(nodes: nodes)
    if let problem = changed.problems.first { throw refused("clvmd.conf: \(problem).") }
    return changed
  }

  /// Other fence devices are taken while clvmd runs, but for reservations: a node is registered on its disks
  /// before it may write to them.
  static func checkFencing(
    _ wanted: FenceTopology, after current: FenceTopology
  ) throws(AdminFailure) {
    guard wanted.hasSameReservations(as: current) else {
      throw refused(
        "clvmd.conf has other persistent reservations than this clvmd was started with: restart clvmd on "
          + "all nodes, one after the other, then try again.")
    }
  }

  /// A node that is there gets its vote; nil when there is none without.
  static func promoting(
    _ current: ClusterConfiguration, isThere: (ConfiguredNode) -> Bool
  ) -> ClusterConfiguration? {
    var nodes = current.nodes
    guard let index = nodes.firstIndex(where: { $0.votes == 0 && isThere($0) }) else { return nil }
    nodes[index].votes = 1
    return current.with(nodes: nodes)
  }

  private static func advice(for current: ClusterConfiguration) -> String {
    guard current.hasDisk || current.fenceRace else { return "" }
    let setting = current.hasDisk ? "quorum_disk" : "fence_race"
    return " Take \(setting) out of clvmd.conf and run 'clvm cluster apply' first."
  }

  private static func refused(_ message: String) -> AdminFailure { AdminFailure(.refused, message) }
}
