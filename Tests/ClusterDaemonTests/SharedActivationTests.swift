import AdminProtocol
import ClusterDaemon
import ClusterTypes
import LVMMetadata
import Testing
import VolumeActivation

extension ClusterTests {
  /// `clvm lvchange` and `vgchange` on shared volume groups, with whole daemons over a disk image and
  /// device-mappers in memory.
  @Suite struct SharedActivationTests {
    private static let names = ["a", "b", "c"]

    /// Daemons of three nodes, with the group started on those of `started`.
    private func withGroup(
      provider: DaemonConfiguration.MembershipProvider = .external, started: Int = 3,
      _ body: (TestCluster, [LoopbackNode], VolumeGroup) async throws -> Void
    ) async throws {
      let group = try SharedGroup.make(volumes: Self.names)
      try await TestCluster.with(provider: provider, volumeGroup: group) { cluster in
        let nodes = try await cluster.startAll()
        for node in nodes.prefix(started) { try await SharedGroup.start(group, on: node) }
        try await body(cluster, nodes, group)
      }
    }

    private func devices(_ cluster: TestCluster) throws -> [[String]] {
      try cluster.loopback.nodes.map { try #require(cluster.loopback.devices(of: $0)).names }
    }

    /// Modes of the locks of volumes, in the order of the nodes.
    private func locks(_ node: LoopbackNode, _ group: VolumeGroup) async throws -> [String:
      [String]]
    {
      var modes: [String: [String]] = [:]
      let names = Dictionary(
        uniqueKeysWithValues: group.logicalVolumes.map { ($0.id.dashed, $0.name) })
      for lock in try await node.locks().sorted(by: { $0.node < $1.node }) {
        if let name = names[lock.resource], let mode = lock.grantedMode {
          modes[name, default: []].append("\(lock.node) \(mode.rawValue)")
        }
      }
      return modes
    }

    private func lvm(
      _ mode: String, _ volume: String, on node: LoopbackNode, _ group: VolumeGroup
    ) async throws -> Int64 {
      let uuid = try #require(group.logicalVolume(named: volume)?.id.dashed)
      let command = try await LockDaemonCommand(on: node)
      let result = try await command.ask(
        "lock_lv",
        [
          "mode": mode, "opts": "persistent", "vg_name": "vg1", "lv_name": volume, "lv_uuid": uuid,
        ])
      try await command.close()
      return result
    }

    @Test(arguments: [DaemonConfiguration.MembershipProvider.external, .embedded])
    func `a group becomes active and inactive on all nodes`(
      provider: DaemonConfiguration.MembershipProvider
    ) async throws {
      try await withGroup(provider: provider) { cluster, nodes, group in
        let all = Self.names.map { "vg1-\($0)" }
        #expect(
          try await SharedGroup.activate(.activate, asking: nodes[1])
            == .activated(
              VolumeActivationOutcome(
                volumeGroup: "vg1", action: .activate, logicalVolumes: Self.names,
                nodes: [Name.one, Name.two, Name.three], warnings: [])))
        #expect(try devices(cluster) == [all, all, all])
        let shared = ["1 PR", "2 PR", "3 PR"]
        #expect(try await locks(nodes[0], group) == ["a": shared, "b": shared, "c": shared])
        // It is lvm's lock: lvm finds it held, and nobody else gets it exclusively.
        #expect(try await lvm("sh", "a", on: nodes[2], group) == -114)
        #expect(try await lvm("ex", "a", on: nodes[2], group) == -11)
        // Who is active already stays so, and what is missing is added.
        guard
          case .activated = try await SharedGroup.activate(.activateShared, ["b"], asking: nodes[0])
        else {
          Issue.record("active volumes are refused")
          return
        }
        guard
          case .activated = try await SharedGroup.activate(
            .deactivate, ["b", "c"], asking: nodes[0])
        else {
          Issue.record("they are not deactivated")
          return
        }
        #expect(try devices(cluster) == [["vg1-a"], ["vg1-a"], ["vg1-a"]])
        #expect(try await locks(nodes[0], group) == ["a": shared])
      }
    }

    @Test func `named nodes only, and without names the own one exclusively`() async throws {
      try await withGroup { cluster, nodes, group in
        _ = try await SharedGroup.activate(
          .activateShared, ["a"], on: .named(["node2", "3"]), asking: nodes[0])
        _ = try await SharedGroup.activate(.activate, ["b"], on: .local, asking: nodes[0])
        _ = try await SharedGroup.activate(
          .activateExclusively, ["c"], on: .named(["2"]), asking: nodes[0])
        #expect(
          try devices(cluster) == [["vg1-b"], ["vg1-a", "vg1-c"], ["vg1-a"]])
        #expect(
          try await locks(nodes[0], group) == [
            "a": ["2 PR", "3 PR"], "b": ["1 EX"], "c": ["2 EX"],
          ])
        for unknown in ["4", "node", ""] {
          guard
            case .failed(let failure) = try await SharedGroup.activate(
              .deactivate, on: .named([unknown]), asking: nodes[0])
          else {
            Issue.record("node '\(unknown)' is none")
            return
          }
          #expect(failure.reason == .notFound)
        }
        guard
          case .failed(let failure) = try await SharedGroup.activate(
            .activateExclusively, ["a"], asking: nodes[0])
        else {
          Issue.record("exclusive on several nodes")
          return
        }
        #expect(failure.reason == .invalidRequest)
      }
    }

    @Test
    func `a volume that another node has exclusively is left where it is, and so is the rest`()
      async throws
    {
      try await withGroup { cluster, nodes, group in
        #expect(try await lvm("ex", "c", on: nodes[1], group) == 0)
        guard
          case .failed(let failure) = try await SharedGroup.activate(.activate, asking: nodes[0])
        else {
          Issue.record("an exclusive volume becomes shared")
          return
        }
        #expect(failure.message.contains("Logical volume vg1/c cannot be locked here: "))
        #expect(try devices(cluster) == [[], [], []])
        try await eventually("only the exclusive lock is left") {
          try await locks(nodes[0], group) == ["c": ["2 EX"]]
        }
      }
    }

    @Test func `what fails on one node is undone on all, locks included`() async throws {
      try await withGroup { cluster, nodes, group in
        _ = try await SharedGroup.activate(
          .activateExclusively, ["a"], on: .named(["1"]), asking: nodes[0])
        _ = try await SharedGroup.activate(
          .activateShared, ["b"], on: .named(["1"]), asking: nodes[0])
        let third = try #require(cluster.loopback.devices(of: Name.three))
        third.fail(.create, afterSkipping: 1)
        guard
          case .failed(let failure) = try await SharedGroup.activate(
            .activate, ["b", "c"], asking: nodes[0])
        else {
          Issue.record("a device that is not made")
          return
        }
        #expect(failure.message.hasPrefix("Node 3: "))
        #expect(try devices(cluster) == [["vg1-a", "vg1-b"], [], []])
        // What was active before is, and has its locks as they were.
        #expect(try await locks(nodes[0], group) == ["a": ["1 EX"], "b": ["1 PR"]])
        guard case .activated = try await SharedGroup.activate(.activate, ["b"], asking: nodes[1])
        else {
          Issue.record("the next one fails, too")
          return
        }
      }
    }

    @Test func `locks of an interrupted activation are given back, those of active volumes stay`()
      async throws
    {
      try await withGroup(started: 1) { cluster, nodes, group in
        _ = try await SharedGroup.activate(.activateShared, ["a"], on: .local, asking: nodes[0])
        let file = "\(cluster.loopback.stateDirectory(of: Name.one))/lv-locks"
        try await cluster.kill(Name.one)
        // As if it had died while it made `a` and `b` active: `b` has only its lock.
        let uuid = try #require(group.logicalVolume(named: "b")?.id.dashed)
        try LockFile.add(uuid, provisional: true, like: group, to: file)
        let node = try await cluster.start(Name.one, life: 2)
        try await cluster.awaitView(cluster.loopback.members, on: node)
        try await eventually("only the lock of the active volume is left") {
          try await locks(nodes[1], group) == ["a": ["1 PR"]]
        }
        #expect(try devices(cluster)[0] == ["vg1-a"])
      }
    }

    @Test func `a group that is not started here is refused, and a volume that is not there`()
      async throws
    {
      try await withGroup(started: 2) { _, nodes, _ in
        for (node, on, volumes) in [
          (nodes[2], VolumeActivationRequest.Nodes.all, ["a"]),
          (nodes[0], .named(["3"]), ["a"]), (nodes[0], .local, ["z"]),
        ] {
          guard
            case .failed(let failure) = try await SharedGroup.activate(
              .activate, volumes, on: on, asking: node)
          else {
            Issue.record("activated \(volumes) on \(on)")
            return
          }
          #expect(failure.reason == .notFound)
        }
        // All are those on which it is started.
        guard
          case .activated(let outcome) = try await SharedGroup.activate(
            .activate, ["a"], asking: nodes[0])
        else {
          Issue.record("not activated")
          return
        }
        #expect(outcome.nodes == [Name.one, Name.two])
      }
    }
  }
}
