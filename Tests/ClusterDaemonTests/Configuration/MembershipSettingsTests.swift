import ClusterTypes
import Testing

@testable import ClusterDaemon

@Suite struct MembershipSettingsTests {
  private func check(_ membership: String, nodes: String = "") -> ConfigurationCheck {
    let text = """
      cluster { name = "lab" id = "01234567-0123-0123-0123-0123456789ab" nodes {
        n1 { id = 1 address = "192.0.2.1" }
        n2 { id = 2 address = "192.0.2.2" }
        \(nodes)
      } }
      membership { \(membership) }
      """
    return DaemonConfiguration.check(text.utf8, hostName: "n1")
  }

  private let third = "n3 { id = 3 address = \"192.0.2.3\" }"
  private let witness = "n3 { id = 3 address = \"192.0.2.3\" role = \"witness\" }"

  @Test func `the embedded provider is the default, with its standard times`() throws {
    let result = check("", nodes: third)
    #expect(result.problems == [])
    let configuration = try #require(result.configuration)
    #expect(configuration.membership.provider == .embedded)
    #expect(configuration.membership.timers == .standard)
    #expect(configuration.membership.silenceTimeout == .milliseconds(3000))
    #expect(configuration.membership.quorumDisk == nil)
    #expect(configuration.clusterDirectory == "/var/lib/clvmd")
  }

  @Test func `nodes without keys are refused unless that is allowed, and then warned of`() throws {
    let nodes = "n1 { id = 1 address = \"192.0.2.1\" } n3 { id = 3 address = \"192.0.2.3\" }"
    func check(_ cluster: String, _ membership: String = "") -> ConfigurationCheck {
      let text = "cluster { name = \"lab\" \(cluster) } membership { \(membership) }"
      return DaemonConfiguration.check(text.utf8, hostName: "n1")
    }
    let refused = check("nodes { \(nodes) }")
    #expect(refused.configuration == nil)
    #expect(refused.errors.map(\.place) == ["cluster/id"])
    #expect(refused.errors.first?.message.contains("clvm cluster init") == true)
    let allowed = check("allow_plaintext = 1 nodes { \(nodes) }")
    #expect(allowed.configuration != nil)
    #expect(allowed.warnings.map(\.place).contains("cluster/allow_plaintext"))
    // A node alone opens no port; a laboratory has its own rules.
    #expect(check("nodes { n1 { id = 1 address = \"192.0.2.1\" } }").configuration != nil)
    #expect(
      check("nodes { \(nodes) }", "provider = \"external\" allow_external = 1").configuration
        != nil)
  }

  @Test func `a profile is a table, in which single times may differ`() throws {
    let result = check(
      "profile = \"lan\" timers { drain_ms = 0 clock_error_permille = 20 }", nodes: third)
    let timers = try #require(result.configuration?.membership.timers)
    #expect(timers.heartbeat == 100)
    #expect(timers.drain == 0)
    #expect(timers.clockError == 20)
  }

  @Test(arguments: [
    ("profile = \"wan\"", "membership/profile", "known: 'default', 'lan'"),
    ("timers { silence_ms = 600 }", "membership/timers", "silence must be at least 4 heartbeats"),
    ("timers { lease_ms = 5000 }", "membership/timers", "lease must be at least"),
    ("timers { pet_ms = \"1s\" }", "membership/timers/pet_ms", "whole number"),
    ("silence_timeout_ms = 3000", "membership/silence_timeout_ms", "membership/timers"),
    ("quorum_disk = \"sdb\"", "membership/quorum_disk", "no absolute path"),
    ("quorum_disk = \"/dev/sdb\"", "membership", "makes the number of votes odd"),
    ("fence_race = 1", "membership", "for two nodes with a vote each"),
    (
      "provider = \"external\" allow_external = 1 profile = \"lan\"", "membership/profile",
      "belongs to the provider 'embedded'"
    ),
  ])
  func `a mistake is named at its place`(text: String, place: String, message: String) throws {
    let result = check(text, nodes: third)
    let error = try #require(result.errors.first, "\(result.problems)")
    #expect(result.errors.count == 1, "\(result.problems)")
    #expect(error.place == place)
    #expect(error.message.contains(message), "\(error)")
  }

  @Test func `two votes are a warning, and a third one ends it`() throws {
    #expect(check("").warnings.map(\.place) == ["membership"])
    #expect(check("quorum_disk = \"/dev/sdb\"").problems == [])
    #expect(check("", nodes: witness).problems == [])
  }

  @Test func `two nodes race only with devices that switch both off`() throws {
    let result = check("fence_race = 1")
    #expect(result.configuration == nil)
    #expect(result.errors.map(\.place) == ["membership", "membership"])
    #expect(result.errors.allSatisfy { $0.message.contains("that switches node") })
  }

  @Test func `a witness runs neither locks nor volumes`() throws {
    let text = """
      cluster { name = "lab" id = "01234567-0123-0123-0123-0123456789ab" node_id = 3 nodes {
        n1 { id = 1 address = "192.0.2.1" }
        n2 { id = 2 address = "192.0.2.2" }
        \(witness)
      } }
      """
    let result = DaemonConfiguration.check(text.utf8, hostName: "n3")
    let configuration = try #require(result.configuration, "\(result.problems)")
    #expect(configuration.cluster.localNode.isWitness)
    #expect(configuration.kernelLockManager == nil)
    #expect(configuration.lvmlockd == nil)
  }

  @Test func `a witness needs a provider that counts votes`() throws {
    let result = check("provider = \"external\" allow_external = 1", nodes: witness)
    #expect(result.errors.map(\.place) == ["cluster/nodes/n3/role"])
  }

  @Test func `slots stay as they are when nodes are added`() throws {
    let ids = try [1, 2, 64, 300, 1000].map { try #require(NodeID(Int32($0))) }
    let slots = DaemonConfiguration.slots(of: ids)
    #expect(ids.map { slots[$0]?.index } == [0, 1, 63, 62, 61])
    #expect(DaemonConfiguration.slots(of: [ids[1], ids[4]])[ids[1]]?.index == 1)
  }

  @Test func `corosync as provider brings its own quorum, and needs no times of ours`() throws {
    let result = check("provider = \"corosync\" silence_timeout_ms = 2000", nodes: third)
    #expect(result.problems == [])
    let membership = try #require(result.configuration?.membership)
    #expect(membership.provider == .corosync)
    #expect(membership.silenceTimeout == .seconds(2))
  }

  @Test(arguments: [
    ("timers { silence_ms = 4000 }", "membership/timers/silence_ms"),
    ("quorum_disk = \"/dev/sdb\"", "membership/quorum_disk"),
    ("profile = \"lan\"", "membership/profile"),
  ])
  func `with corosync, settings of the embedded provider are refused`(
    setting: String, path: String
  ) throws {
    let result = check("provider = \"corosync\" \(setting)", nodes: third)
    #expect(result.configuration == nil)
    let problem = try #require(result.problems.first { $0.place == path })
    #expect(problem.message.contains("this one is 'corosync'"))
  }

  @Test func `fence devices would never be used with corosync, and are refused`() throws {
    let text = """
      cluster { name = "lab" nodes {
        n1 { id = 1 address = "192.0.2.1" }
        n2 { id = 2 address = "192.0.2.2" }
      } }
      membership { provider = "corosync" }
      fencing { devices { power { command = [ "/usr/local/sbin/off", "%n" ] } }
                nodes { n1 { levels = [ "power" ] } n2 { levels = [ "power" ] } } }
      """
    let result = DaemonConfiguration.check(text.utf8, hostName: "n1")
    let problem = try #require(result.errors.first { $0.place == "fencing" })
    #expect(problem.message.contains("clvm node fenced"))
  }
}
