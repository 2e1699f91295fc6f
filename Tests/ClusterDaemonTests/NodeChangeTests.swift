import AdminProtocol
import ClusterPreflight
import ClusterTypes
import DistributedLockManager
import Foundation
import Testing

@testable import ClusterDaemon

extension ClusterTests {
  /// Nodes come and go while whole daemons run.
  @Suite struct NodeChangeTests {
    private let firstThree = [Name.one, Name.two, Name.three]
    private let four = Name.node(4)

    private func add(_ node: NodeID, on other: LoopbackNode) async throws {
      let new = NewNode(name: "node\(node)", id: node, addresses: ["127.0.0.\(node)"])
      let reply = try await other.ask(.changeConfiguration(.add(new)))
      guard case .printed = reply else { throw TimedOut(description: "not added: \(reply)") }
    }

    private func refusal(_ request: ConfigurationRequest, on node: LoopbackNode) async throws
      -> String
    {
      guard case .failed(let failure) = try await node.ask(.changeConfiguration(request)) else {
        return ""
      }
      return failure.message
    }

    @Test func `a fourth node comes, votes, and another one goes`() async throws {
      try await TestCluster.with(nodeCount: 4, provider: .embedded) { cluster in
        var nodes: [LoopbackNode] = []
        for node in firstThree {
          nodes.append(try await cluster.start(node, configured: firstThree))
        }
        for node in nodes { try await cluster.awaitView(firstThree, on: node) }
        try await add(four, on: nodes[1])
        for node in nodes {
          try await eventually("node 4 is known everywhere") {
            try await node.status().state(of: four) == .absent
          }
        }
        nodes.append(try await cluster.start(four))
        for node in nodes { try await cluster.awaitView(firstThree + [four], on: node) }
        for node in nodes { try await Pending { try await node.locks.join(Name.space) }.value }
        #expect(
          try await refusal(.remove(four), on: nodes[0]).contains("is alive"),
          "a member is not removed")
        #expect(try await refusal(.remove(Name.one), on: nodes[0]).contains("This is node 1"))

        try await cluster.stop(Name.three)
        try await eventually("node 3 has left") {
          try await nodes[1].status().members == [Name.one, Name.two, four]
        }
        // For a moment the ones that are left may have no leader.
        try await eventually("node 3 is removed from the configuration") {
          let answer = try await nodes[1].ask(.changeConfiguration(.remove(Name.three)))
          if case .printed = answer { return true } else { return false }
        }
        try await eventually("node 4 does not know node 3 any more") {
          try await nodes[3].status().state(of: Name.three) == nil
        }

        // Of three voters two go on: that node 4 has a vote decides.
        try await cluster.kill(Name.one)
        try await eventually("node 1 is removed") {
          try await nodes[1].status().members == [Name.two, four]
        }
        #expect(try await refusal(.remove(Name.one), on: nodes[1]).contains("nobody has proved"))

        // Its file still has the three that it began with: what was decided counts.
        let back = try await cluster.start(Name.one, bootID: "second", configured: firstThree)
        try await cluster.awaitView([Name.one, Name.two, four], on: back)
        #expect(try await back.status().nodes.map(\.node) == [Name.one, Name.two, four])
      }
    }

    @Test func `a node that is alone gets a second one, and its file follows`() async throws {
      try await TestCluster.with(nodeCount: 2, provider: .embedded) { cluster in
        let path = FileManager.default.temporaryDirectory.path + "/clvmd-\(UUID().uuidString).conf"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try "cluster { name = \"loopback\" nodes { node1 { id = 1 address = \"127.0.0.1\" } } }\n"
          .write(toFile: path, atomically: true, encoding: .utf8)
        let first = try await cluster.start(
          Name.one, configured: [Name.one], configurationPath: path)
        try await cluster.awaitView([Name.one], on: first)
        try await add(Name.two, on: first)
        try await eventually("the file lists the new node") {
          try String(contentsOfFile: path, encoding: .utf8).contains("address = \"127.0.0.2\"")
        }
        let second = try await cluster.start(Name.two)
        for node in [first, second] {
          try await cluster.awaitView([Name.one, Name.two], on: node)
        }
      }
    }

    @Test func `the check of the cluster looks at all nodes, and names a dead one`() async throws {
      try await TestCluster.with(provider: .embedded) { cluster in
        let nodes = try await cluster.startAll()
        func findings() async throws -> (facts: ClusterFacts, findings: [Finding]) {
          guard case .facts(let facts) = try await nodes[0].ask(.facts) else {
            throw TimedOut(description: "facts are answered with something else")
          }
          return (facts, Preflight(facts).findings)
        }
        let (facts, found) = try await findings()
        #expect(Set(facts.facts.map(\.node)) == Set(firstThree))
        #expect(Set(facts.clockRates.map(\.node)) == [Name.two, Name.three])
        #expect(facts.clockRates.allSatisfy { abs($0.partsPerMillion) <= $0.uncertainty + 100 })
        #expect(
          facts.facts.allSatisfy {
            $0.links.count == 2 && $0.links.allSatisfy { $0.failure == nil }
          })
        #expect(Set(found.map(\.subject)) == Set(Finding.Subject.allCases))
        for subject in [
          Finding.Subject.answers, .nodeList, .keys, .settings, .links, .clocks, .releases,
        ] {
          #expect(
            found.filter { $0.subject == subject }.allSatisfy { $0.severity == .good }, "\(subject)"
          )
        }
        #expect(
          found.allSatisfy {
            $0.severity == .good || !$0.advice.isEmpty || $0.subject == .foreignStacks
          })

        try await cluster.kill(Name.three)
        let (_, later) = try await findings()
        let silent = try #require(later.first { $0.subject == .answers && $0.severity == .error })
        #expect(silent.nodes == [Name.three])
        #expect(silent.advice.contains("start clvmd there"))
      }
    }
  }
}
