import AdminProtocol
import ClusterMembership
import ClusterTypes
import ConfigText
import KernelLockspaces
import Testing

@testable import ClusterDaemon

/// What becomes of a clvmd.conf when nodes come and go.
@Suite struct ConfigurationNodesTests {
  private let text = """
    # ours
    cluster {
      name = "lab"  # as on the disks
      nodes {
        n1 { id = 1 address = "192.0.2.1" }  # n2 { is not here }
        n2 {
          id = 2
          address = "192.0.2.2"
        }
      }
    }
    fencing { nodes { n2 { levels = [ "power" ] } } devices { power { agent = "fence_x" } } }
    """

  private func node(_ number: Int32, witness: Bool = false) throws -> DaemonConfiguration.Node {
    DaemonConfiguration.Node(
      name: "n\(number)", id: try #require(NodeID(number)),
      address: try #require(NodeAddress("192.0.2.\(number)")),
      secondAddress: NodeAddress("198.51.100.\(number)"), isWitness: witness)
  }

  private func nodes(_ text: String) throws -> [String] {
    let nodes = try ConfigSection(parsing: text.utf8).section("cluster/nodes")
    return nodes?.entries.map(\.name) ?? []
  }

  @Test func `a new node stands at the end, and comments stay`() throws {
    let edit = ConfigurationNodesEdit(added: [try node(3, witness: true)], removed: [])
    let changed = try edit.applied(to: text)
    #expect(try nodes(changed) == ["n1", "n2", "n3"])
    let section = try ConfigSection(parsing: changed.utf8)
    #expect(section.string("cluster/nodes/n3/second_address") == "198.51.100.3")
    #expect(section.string("cluster/nodes/n3/role") == "witness")
    #expect(changed.contains("# as on the disks"))
    #expect(changed.contains("# n2 { is not here }"))
    #expect(try edit.applied(to: changed) == changed, "it is there already")
  }

  @Test func `a node that is gone takes its fence levels along`() throws {
    let changed = try ConfigurationNodesEdit(added: [], removed: ["n2"]).applied(to: text)
    #expect(try nodes(changed) == ["n1"])
    #expect(try ConfigSection(parsing: changed.utf8).section("fencing/nodes/n2") == nil)
    #expect(
      try ConfigSection(parsing: changed.utf8).string("fencing/devices/power/agent") == "fence_x")
  }

  @Test func `a file that is written otherwise is changed all the same`() throws {
    let odd = "fencing { nodes { } } cluster { nodes = 1 nodes2 { } }"
    #expect(throws: Never.self) {
      _ = try ConfigurationNodesEdit(added: [node(3)], removed: []).applied(to: odd)
    }
    let compact = "cluster{nodes{n1{id=1}}}"
    let changed = try ConfigurationNodesEdit(added: [node(3)], removed: ["n1"]).applied(to: compact)
    #expect(try nodes(changed) == ["n3"])
    let other = "cluster { nodes_from = \"/etc/corosync/corosync.conf\" }"
    let error = #expect(throws: DaemonError.self) {
      try ConfigurationNodesEdit(added: [node(3)], removed: []).applied(to: other)
    }
    #expect(error?.description.contains("/etc/corosync/corosync.conf") == true)
    #expect(throws: DaemonError.self) {
      try ConfigurationNodesEdit(added: [node(3)], removed: []).applied(to: "cluster {")
    }
  }
}

/// What the cluster's configuration becomes.
@Suite struct ConfigurationChangeTests {
  private func configured(_ number: Int32, levels: UInt8 = 0) throws -> ConfiguredNode {
    ConfiguredNode(
      slot: try #require(NodeSlot(Int(number) - 1)), id: try #require(NodeID(number)),
      name: "n\(number)", addresses: ["192.0.2.\(number)"], fenceLevels: levels)
  }

  private func cluster(_ count: Int32, hasDisk: Bool = false) throws -> ClusterConfiguration {
    ClusterConfiguration(
      nodes: try (1...count).map { try configured($0) }, hasDisk: hasDisk, timers: .standard)
  }

  private func new(
    _ name: String = "n9", id: Int32? = nil, _ addresses: [String] = ["192.0.2.9"]
  ) -> NewNode {
    NewNode(name: name, id: id.flatMap { NodeID($0) }, addresses: addresses)
  }

  @Test func `a newcomer takes the smallest free id, and has no vote until it is there`() throws {
    let current = try cluster(3)
    let (changed, node) = try ConfigurationChange.adding(new(), fenceLevels: 2, to: current)
    #expect(node.id == NodeID(4))
    #expect(node.slot == NodeSlot(3))
    #expect(node.fenceLevels == 2)
    #expect(changed.quorum == current.quorum)
    #expect(ConfigurationChange.promoting(changed) { _ in false } == nil)
    let voting = try #require(ConfigurationChange.promoting(changed) { $0.id == node.id })
    #expect(voting.totalVotes == 4)
    #expect(ConfigurationChange.promoting(voting) { _ in true } == nil)
  }

  @Test(
    arguments: [
      ("n2", nil, ["192.0.2.9"], "a node 'n2' already"),
      ("a b", nil, ["192.0.2.9"], "a node's name"),
      ("n9", 3, ["192.0.2.9"], "the id of node 'n3'"), ("n9", 65, ["192.0.2.9"], "from 1 to 64"),
      ("n9", nil, ["192.0.2.1"], "an address of node 'n1'"),
      ("n9", nil, ["n9"], "no numeric address"),
      ("n9", nil, ["2001:db8::9"], "another family"), ("n9", nil, [], "one or two addresses"),
    ] as [(String, Int32?, [String], String)])
  func `a newcomer that does not fit is refused`(
    name: String, id: Int32?, addresses: [String], reason: String
  ) throws {
    let current = try cluster(3)
    let failure = #expect(throws: AdminFailure.self) {
      try ConfigurationChange.adding(new(name, id: id, addresses), fenceLevels: 0, to: current)
    }
    #expect(failure?.message.contains(reason) == true, "\(failure?.message ?? "")")
  }

  @Test func `votes with a quorum disk stay odd`() throws {
    let current = try cluster(2, hasDisk: true)
    let failure = #expect(throws: AdminFailure.self) {
      try ConfigurationChange.adding(new(), fenceLevels: 0, to: current)
    }
    #expect(failure?.message.contains("clvm cluster apply") == true)
    let without = try ConfigurationChange.applying(cluster(2), to: current, hasDisk: true)
    #expect(without.totalVotes == 2)
    #expect(throws: AdminFailure.self) {
      try ConfigurationChange.applying(current, to: cluster(2), hasDisk: false)
    }
  }

  @Test func `a changed file is taken over, but for what needs more`() throws {
    var nodes = try cluster(3).nodes
    nodes[1].amnesia = 7
    let current = try cluster(3).with(nodes: nodes)
    var file = try cluster(3).with(nodes: (1...3).map { try configured($0, levels: 1) })
    file.timers.stopLimit = 20_000
    let changed = try ConfigurationChange.applying(file, to: current, hasDisk: false)
    #expect(changed.timers.stopLimit == 20_000)
    #expect(changed.nodes.map(\.fenceLevels) == [1, 1, 1])
    #expect(changed.nodes[1].amnesia == 7, "what no file knows stays")
    file.timers.pet = 500
    #expect(throws: AdminFailure.self) {
      try ConfigurationChange.applying(file, to: current, hasDisk: false)
    }
    #expect(throws: AdminFailure.self) {
      try ConfigurationChange.applying(cluster(2), to: current, hasDisk: false)
    }
    #expect(throws: AdminFailure.self) {
      try ConfigurationChange.removing(try #require(NodeID(9)), from: current)
    }
    #expect(throws: AdminFailure.self) {
      try ConfigurationChange.removing(try #require(NodeID(1)), from: cluster(1))
    }
  }
}
