import Testing

@testable import ClusterDaemon

/// The smallest usable configuration.
private let minimal = """
  cluster {
    name = "lab"
    nodes {
      n1 { id = 1 address = "192.0.2.1" }
      n2 { id = 2 address = "192.0.2.2" }
    }
  }
  membership { provider = "external" allow_external = 1 }
  """

private func check(_ text: String, hostName: String = "n1") -> ConfigurationCheck {
  DaemonConfiguration.check(text.utf8, hostName: hostName)
}

/// The minimal text with `line` in place of the one that contains `part`.
private func minimal(replacing part: String, by line: String) -> String {
  minimal.replacing(part, with: line)
}

@Test func minimalConfiguration_getsTheDocumentedDefaults() throws {
  let result = check(minimal)
  #expect(result.problems == [])
  let configuration = try #require(result.configuration)
  #expect(configuration.cluster.name == "lab")
  #expect(configuration.cluster.localNode.name == "n1")
  #expect(configuration.cluster.nodes.map(\.id.rawValue) == [1, 2])
  #expect(configuration.cluster.controlPort == 21063)
  #expect(configuration.cluster.lockPort == 21065)
  #expect(configuration.membership.provider == .external)
  #expect(configuration.membership.heartbeatInterval == .milliseconds(500))
  #expect(configuration.membership.silenceTimeout == .milliseconds(3000))
  #expect(configuration.kernelLockManager?.tcpPort == 21064)
  #expect(configuration.lvmlockd?.socket == "/run/lvm/lvmlockd.socket")
  #expect(configuration.lvmlockd?.pidFile == "/run/lvmlockd.pid")
  #expect(configuration.adminSocket == "/run/clvmd/admin.socket")
  #expect(configuration.devices == .init(filter: nil, scan: ["/dev"]))
  #expect(configuration.logLevel == .info)
  #expect(configuration.stateDirectory == "/run/clvmd")
}

@Test func fullConfiguration_isTakenAsWritten() throws {
  let result = check(
    """
    cluster {
      name = "site-b.2"  node_id = 7  control_port = 1000  lock_port = 1001
      nodes {
        alpha { id = 7 address = "2001:db8::7" second_address = "192.0.2.7" }
        beta { id = 3 address = "2001:db8::3" }
      }
    }
    membership { provider = "external" allow_external = 1 heartbeat_interval_ms = 1000
                 silence_timeout_ms = 10000 }
    kernel_lockspaces { enabled = 0 tcp_port = 1002 }
    lvmlockd { enabled = 0 socket = "/run/l.socket" pid_file = "/run/l.pid" }
    admin { socket = "/run/a.socket" }
    devices { filter = [ "a|/dev/sd.*|", "r(.*)" ] scan = [ "/dev/mapper", "/dev/disk" ] }
    log { level = "debug" }
    state_directory = "/run/state"
    """)
  #expect(result.problems == [])
  let configuration = try #require(result.configuration)
  #expect(configuration.cluster.localNode.name == "alpha")
  #expect(configuration.cluster.localNode.secondAddress?.description == "192.0.2.7")
  #expect(configuration.cluster.nodes.map(\.name) == ["beta", "alpha"])
  #expect(configuration.cluster.controlPort == 1000)
  #expect(configuration.kernelLockManager == nil)
  #expect(configuration.lvmlockd == nil)
  #expect(configuration.devices.filter == ["a|/dev/sd.*|", "r(.*)"])
  #expect(configuration.devices.scan == ["/dev/mapper", "/dev/disk"])
  #expect(configuration.logLevel == .debug)
}

@Test(arguments: ["n2", "n2.example.com"])
func localNode_isFoundByTheFullOrShortHostName(hostName: String) {
  #expect(check(minimal, hostName: hostName).configuration?.cluster.localNode.name == "n2")
}

@Test func localNode_thatIsNotConfigured_isAnErrorThatNamesTheHost() throws {
  let result = check(minimal, hostName: "other")
  #expect(result.configuration == nil)
  #expect(try #require(result.errors.first).message.contains("'other'"))
}

@Test func nodeID_winsOverTheHostName_andMustExist() {
  let named = minimal(replacing: "name = \"lab\"", by: "name = \"lab\" node_id = 2")
  #expect(check(named).configuration?.cluster.localNode.name == "n2")
  let unknown = minimal(replacing: "name = \"lab\"", by: "name = \"lab\" node_id = 3")
  #expect(check(unknown).errors.map(\.place) == ["cluster/node_id"])
}

/// A replacement in the minimal text, and the place of the one error that it causes.
@Test(arguments: [
  ("name = \"lab\"", "", "cluster/name"),
  ("\"lab\"", "\"a:b\"", "cluster/name"),
  ("\"lab\"", "\"\"", "cluster/name"),
  ("\"lab\"", "\"seventeen-letters\"", "cluster/name"),
  ("\"lab\"", "7", "cluster/name"),
  ("\"lab\"", "\"lab\" control_port = 0", "cluster/control_port"),
  ("\"lab\"", "\"lab\" control_port = 65536", "cluster/control_port"),
  ("\"lab\"", "\"lab\" control_port = \"21063\"", "cluster/control_port"),
  ("\"lab\"", "\"lab\" lock_port = 21063", "cluster/lock_port"),
  ("\"lab\"", "\"lab\" lock_port = 21064", "kernel_lockspaces/tcp_port"),
  ("id = 2", "", "cluster/nodes/n2/id"),
  ("id = 2", "id = 0", "cluster/nodes/n2/id"),
  ("id = 2", "id = 1", "cluster/nodes/n2/id"),
  ("id = 2", "id = 2 id = 3", "cluster/nodes/n2/id"),
  ("192.0.2.2", "n2.example.com", "cluster/nodes/n2/address"),
  ("192.0.2.2", "192.0.2.2:21064", "cluster/nodes/n2/address"),
  ("192.0.2.2", "192.0.2.1", "cluster/nodes/n2/address"),
  ("192.0.2.2", "127.0.0.1", "cluster/nodes/n2/address"),
  ("192.0.2.2", "0.0.0.0", "cluster/nodes/n2/address"),
  ("192.0.2.2", "2001:db8::2", "cluster/nodes/n2/address"),
  ("192.0.2.2\"", "192.0.2.2\" second_address = \"x\"", "cluster/nodes/n2/second_address"),
  ("n2 {", "n1 {", "cluster/nodes/n1"),
  ("n2 {", "\"n 2\" {", "cluster/nodes/n 2"),
  ("n2 { id = 2 address = \"192.0.2.2\" }", "n2 = 2", "cluster/nodes/n2"),
  ("allow_external = 1", "", "membership/allow_external"),
  ("allow_external = 1", "allow_external = 2", "membership/allow_external"),
  ("provider = \"external\"", "provider = \"magic\"", "membership/provider"),
  (
    "allow_external = 1", "allow_external = 1 silence_timeout_ms = 1400",
    "membership/silence_timeout_ms"
  ),
  (
    "allow_external = 1", "allow_external = 1 heartbeat_interval_ms = 10",
    "membership/heartbeat_interval_ms"
  ),
  ("membership {", "log { level = \"loud\" } membership {", "log/level"),
  ("membership {", "admin = 1 membership {", "admin"),
  ("membership {", "admin { socket = \"run/a\" } membership {", "admin/socket"),
  (
    "membership {", "lvmlockd { socket = \"/run/clvmd/admin.socket\" } membership {",
    "lvmlockd/socket"
  ),
  ("membership {", "devices { scan = [] } membership {", "devices/scan"),
  ("membership {", "devices { scan = [ 1 ] } membership {", "devices/scan"),
  ("membership {", "devices { filter = \"/dev/sda\" } membership {", "devices/filter"),
  ("membership {", "devices { filter = \"a|/dev/sda\" } membership {", "devices/filter"),
  ("membership {", "state_directory = \"\" membership {", "state_directory"),
  ("membership {", "state_directory { } membership {", "state_directory"),
])
func oneMistake_isOneErrorAtItsPlace(part: String, by replacement: String, place: String) {
  let text = minimal(replacing: part, by: replacement)
  #expect(text != minimal)
  let result = check(text)
  #expect(result.configuration == nil)
  #expect(result.errors.map(\.place) == [place], "\(result.problems)")
}

@Test func allMistakes_areReportedAtOnce() {
  let result = check(
    """
    cluster { name = "a:b" nodes { n1 { id = 0 address = "x" } } }
    membership { provider = "magic" }
    log { level = "loud" }
    admin { socket = 1 }
    """)
  #expect(
    result.errors.map(\.place) == [
      "cluster/name", "cluster/nodes/n1/id", "cluster/nodes/n1/address", "membership/provider",
      "admin/socket", "log/level",
    ])
}

@Test func emptyText_asksForTheCluster() {
  #expect(check("").errors.map(\.place) == ["cluster/name", "cluster/nodes"])
}

@Test(arguments: [
  ("membership {", "membership { heartbeat_intervall_ms = 400 ", "'heartbeat_interval_ms'"),
  ("membership {", "memberships { } membership {", "'membership'"),
  ("id = 2", "id = 2 adress = \"192.0.2.9\"", "'address'"),
])
func unknownName_isAWarningWithTheNearestKnownOne(
  part: String, by replacement: String, hint: String
) throws {
  let result = check(minimal(replacing: part, by: replacement))
  #expect(result.configuration != nil)
  #expect(result.warnings.count == 1)
  #expect(try #require(result.warnings.first).message.contains(hint))
}

@Test func unknownName_thatResemblesNothing_hasNoHint() throws {
  let result = check(minimal + " zzzzzzzz = 1")
  #expect(try #require(result.warnings.first).message == "unknown and ignored")
}

@Test func adviceThatIsNotObeyed_isAWarning() {
  let large = check(minimal(replacing: "id = 2", by: "id = 300"))
  #expect(large.configuration != nil)
  #expect(large.warnings.map(\.place) == ["cluster/nodes/n2/id"])
  let hasty = check(
    minimal(
      replacing: "allow_external = 1",
      by: "allow_external = 1 heartbeat_interval_ms = 100 silence_timeout_ms = 500"))
  #expect(hasty.configuration != nil)
  #expect(hasty.warnings.map(\.place) == ["membership/silence_timeout_ms"])
}

@Test func tooManyNodes_areRefused() {
  let nodes = (1...33).map { "n\($0) { id = \($0) address = \"192.0.2.\($0)\" }" }
  let text = """
    cluster { name = "lab" nodes { \(nodes.joined(separator: "\n")) } }
    membership { allow_external = 1 }
    """
  #expect(check(text).errors.map(\.place) == ["cluster/nodes"])
}

@Test func halfWrittenFile_isAnErrorWithItsLine() throws {
  let half = String(minimal.prefix(60))
  let problem = try #require(check(half).problems.first)
  #expect(problem.place == "line 4")
  #expect("\(problem)".hasPrefix("error: line 4: "))
}

@Test func everyPrefixAndManyMutations_areCheckedWithoutATrap() {
  let bytes = Array(minimal.utf8)
  // Without its last line the text is one for the default provider.
  let last = "\nmembership { provider = \"external\" allow_external = 1 }"
  for length in 0..<(bytes.count - last.utf8.count) {
    #expect(DaemonConfiguration.check(bytes[..<length], hostName: "n1").configuration == nil)
  }
  var seed: UInt64 = 3
  for _ in 0..<1000 {
    var changed = bytes
    for _ in 0..<3 {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      changed[Int(seed >> 33) % changed.count] = UInt8(truncatingIfNeeded: seed >> 20)
    }
    let result = DaemonConfiguration.check(changed, hostName: "n1")
    #expect(result.configuration != nil || !result.errors.isEmpty, "seed \(seed)")
  }
}

@Test func missingFile_isAProblemThatNamesIt() throws {
  let result = ConfigurationFile.check(path: "/nonexistent/clvmd.conf")
  #expect(result.configuration == nil)
  #expect(try #require(result.errors.first).place == "/nonexistent/clvmd.conf")
}

@Test(arguments: [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("ab", "ba", 2)])
func editDistance_countsChanges(left: String, right: String, distance: Int) {
  #expect(editDistance(left, right) == distance)
  #expect(editDistance(right, left) == distance)
}
