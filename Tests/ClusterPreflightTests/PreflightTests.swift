import AdminProtocol
import ClusterTypes
import Testing

@testable import ClusterPreflight

/// What the check says about facts that were made up, two nodes that agree at first.
struct PreflightTests {
  private let one: NodeID
  private let two: NodeID
  private let good: ClusterFacts

  init() throws {
    let one = try #require(NodeID(1))
    let two = try #require(NodeID(2))
    self.one = one
    self.two = two
    let nodes: [NodeFacts.ConfiguredNode] = [
      .init(node: one, name: "a", addresses: ["192.0.2.1", "198.51.100.1"]),
      .init(node: two, name: "b", addresses: ["192.0.2.2", "198.51.100.2"]),
    ]
    let facts = nodes.map { own in
      NodeFacts(
        node: own.node, release: "1", hostName: own.name, clusterName: "lab", clusterID: "id",
        commonSettings: ["cluster/lock_port = 1"], nodes: nodes, ownAddresses: own.addresses,
        links: nodes.filter { $0 != own }.flatMap { other in
          zip(own.addresses, other.addresses).map {
            .init(node: other.node, from: $0, to: $1, failure: nil)
          }
        },
        wallClock: 5, physicalVolumes: [.init(id: "pv1", device: "/dev/sda", volumeGroup: "vg")],
        fenceDevices: [.init(name: "ipmi", agent: "fence_ipmilan", failure: nil)],
        watchdogs: [.init(device: "/dev/watchdog0", identity: "iTCO_wdt")], usesLVMLockd: true)
    }
    good = ClusterFacts(
      local: one, facts: facts,
      clockRates: [.init(node: two, partsPerMillion: 20, uncertainty: 100)])
  }

  /// The findings that are not good, after a change of the second node's facts.
  private func findings(_ change: (inout NodeFacts) -> Void) -> [Finding] {
    var facts = good
    change(&facts.facts[1])
    return Preflight(facts).findings.filter { $0.severity != .good }
  }

  private func expect(
    _ subject: Finding.Subject, _ severity: Finding.Severity, saying text: String,
    sourceLocation: SourceLocation = #_sourceLocation, _ change: (inout NodeFacts) -> Void
  ) {
    let findings = findings(change)
    #expect(findings.map(\.subject) == [subject], sourceLocation: sourceLocation)
    #expect(findings.first?.severity == severity, sourceLocation: sourceLocation)
    #expect(
      findings.first?.message.contains(text) == true, "\(findings)", sourceLocation: sourceLocation)
    #expect(findings.first?.advice.isEmpty == false, sourceLocation: sourceLocation)
  }

  @Test func healthyClusterGetsAnAnswerToEveryQuestion() {
    let findings = Preflight(good).findings
    #expect(findings.allSatisfy { $0.severity == .good }, "\(findings)")
    #expect(Set(findings.map(\.subject)) == Set(Finding.Subject.allCases))
  }

  @Test func silentNodeIsNamedAndTheOthersAreJudged() {
    var facts = good
    facts.facts.removeLast()
    facts.silentNodes = [two]
    facts.facts[0].links[0].failure = "refused"
    let findings = Preflight(facts).findings.filter { $0.severity != .good }
    #expect(findings.map(\.subject) == [.answers, .links])
    #expect(findings.first?.message.contains("only this node was looked at") == true)
  }

  @Test func `every link to a silent node is named`() throws {
    var facts = good
    facts.facts.removeLast()
    facts.silentNodes = [two]
    facts.facts[0].links[0].failure = "Connection refused"
    let broken = try #require(Preflight(facts).findings.first { $0.subject == .links })
    #expect(broken.severity == .error)
    #expect(broken.nodes == [two, one])
    #expect(
      broken.message
        == "links to node 2 (b), which did not answer: node 1 (a) from 192.0.2.1 to 192.0.2.2: "
        + "Connection refused; node 1 (a) from 198.51.100.1 to 198.51.100.2: connected")
    facts.facts[0].links[0].failure = nil
    let whole = try #require(Preflight(facts).findings.first { $0.subject == .links })
    #expect(whole.severity == .warning)
    #expect(whole.message.contains("although every link to it carries connections"))
  }

  @Test func differencesBetweenConfigurationsAreErrors() {
    expect(.nodeList, .error, saying: "node 1's name, id or addresses") {
      $0.nodes[0].addresses = ["192.0.2.9", "198.51.100.1"]
    }
    expect(.nodeList, .error, saying: "calls the cluster 'other'") { $0.clusterName = "other" }
    expect(.settings, .error, saying: "differ in cluster/lock_port") {
      $0.commonSettings = ["cluster/lock_port = 2"]
    }
    expect(.keys, .error, saying: "another cluster id") { $0.clusterID = "x" }
    expect(.keys, .warning, saying: "openly") { $0.clusterID = nil }
    expect(.names, .warning, saying: "its host 'z'") { $0.hostName = "z" }
    expect(.releases, .warning, saying: "different releases: 1 on 1; 2 on 2") { $0.release = "2" }
  }

  @Test func namesMayHaveDomainsOnEitherSide() {
    #expect(findings { $0.hostName = "b.example.org" }.isEmpty)
  }

  @Test func missingAddressesAndLinksAreErrors() {
    expect(.addresses, .error, saying: "198.51.100.2 is configured for node 2 (b)") {
      $0.ownAddresses = ["192.0.2.2"]
    }
    expect(.links, .error, saying: "does not get from 192.0.2.2 to 192.0.2.1 of node 1 (a)") {
      $0.links[0].failure = "Connection refused"
    }
  }

  @Test func clocksMayDifferByOnePercentAndLittleByTheDay() {
    var facts = good
    facts.clockRates = [.init(node: two, partsPerMillion: -30_000, uncertainty: 100)]
    let finding = Preflight(facts).findings.first { $0.subject == .clocks }
    #expect(finding?.severity == .error)
    #expect(finding?.message.contains("3 % slower") == true)
    // What may be the network's fault is not the clock's.
    facts.clockRates = [.init(node: two, partsPerMillion: -30_000, uncertainty: 25_000)]
    #expect(Preflight(facts).findings.first { $0.subject == .clocks }?.severity == .good)
    expect(.clocks, .warning, saying: "differs by 60 s") { $0.wallClock = 60_005 }
  }

  @Test func disksAndSafetyAreJudgedNodeByNode() {
    expect(.devices, .error, saying: "pv1 of volume group vg is not seen on node 2 (b)") {
      $0.physicalVolumes = []
    }
    expect(.devices, .error, saying: "could not look at its disks") { $0.diskFailure = "filter" }
    expect(.fencing, .error, saying: "'ipmi' (fence_ipmilan) does not work from node 2") {
      $0.fenceDevices[0].failure = "exit 1"
    }
    expect(.watchdogs, .warning, saying: "no watchdog") { $0.watchdogs = [] }
    expect(.watchdogs, .warning, saying: "software watchdog") {
      $0.watchdogs = [.init(device: "/dev/watchdog0", identity: "Software Watchdog")]
    }
    expect(.lvm, .error, saying: "do not ask for locks") { $0.usesLVMLockd = false }
    expect(.lvm, .warning, saying: "locking_type = 3") { $0.lockingType = 3 }
  }

  @Test func otherStacksAreErrorsThatSayWhatToDo() {
    let findings = findings { $0.foreignStacks = ["dlm_controld runs; stop it"] }
    #expect(findings.map(\.subject) == [.foreignStacks])
    #expect(findings.first?.message == "node 2 (b): dlm_controld runs; stop it")
  }

  @Test func factsAreReadAsTheyWereWritten() throws {
    for facts in good.facts {
      #expect(try NodeFacts(decoding: facts.encode()) == facts)
    }
    #expect(
      try AdminReply(decoding: Array(AdminReply.facts(good).encode().dropLast(4))) == .facts(good))
  }
}
