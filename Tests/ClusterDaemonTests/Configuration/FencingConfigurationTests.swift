import Fencing
import Testing

@testable import ClusterDaemon

@Suite struct FencingConfigurationTests {
  private func check(_ fencing: String) -> ConfigurationCheck {
    let text = """
      cluster {
        name = "lab"
        nodes {
          n1 { id = 1 address = "192.0.2.1" }
          n2 { id = 2 address = "192.0.2.2" }
        }
      }
      membership { provider = "external" allow_external = 1 }
      fencing { \(fencing) }
      """
    return DaemonConfiguration.check(text.utf8, hostName: "n1")
  }

  private func device(_ settings: String) -> ConfigurationCheck {
    check(
      """
      devices { d { \(settings) } }
      nodes { n1 { levels = [ "d" ] } n2 { levels = [ "d" ] } }
      """)
  }

  @Test func `devices and levels are taken as written`() throws {
    let result = check(
      """
      power_on = 1
      devices {
        ipmi { agent = "fence_ipmilan"  parameters = [ "ip=192.0.2.9", "lanplus=1" ]
               secrets = "/etc/lvm/fence/ipmi"  ports = [ "n1=board 1", "n2=b=2" ]
               timeout_ms = 20000  retries = 3  delay_ms = 1500  monitor = "status"
               monitor_interval_s = 30  off_action = "reboot" }
        pdu_a { agent = "/opt/fence_pdu" }
        pcmk { command = [ "/usr/sbin/stonith_admin", "--fence", "%n" ] }
      }
      nodes { n1 { levels = [ "ipmi", "pdu_a, pcmk" ] } n2 { levels = "ipmi" } }
      """)
    #expect(result.problems == [])
    let fencing = try #require(result.configuration).fencing
    #expect(fencing.switchesOnAgain)
    #expect(fencing.levels == ["n1": [["ipmi"], ["pdu_a", "pcmk"]], "n2": [["ipmi"]]])
    #expect(
      fencing.devices["ipmi"]
        == FenceDevice(
          name: "ipmi", program: .agent("fence_ipmilan"),
          parameters: [FenceParameter("ip", "192.0.2.9"), FenceParameter("lanplus", "1")],
          secretsFile: "/etc/lvm/fence/ipmi", ports: ["n1": "board 1", "n2": "b=2"],
          offAction: .reboot, timeoutMilliseconds: 20_000, retries: 3, delayMilliseconds: 1500,
          monitoring: .status, monitorIntervalMilliseconds: 30_000))
    #expect(
      fencing.devices["pdu_a"] == FenceDevice(name: "pdu_a", program: .agent("/opt/fence_pdu")))
    #expect(
      fencing.devices["pcmk"]?.program
        == .command(["/usr/sbin/stonith_admin", "--fence", "%n"]))
  }

  @Test func `without the section there is no device`() throws {
    let result = check("")
    #expect(result.problems == [])
    let fencing = try #require(result.configuration?.fencing)
    #expect(fencing.devices.isEmpty && fencing.levels.isEmpty)
  }

  @Test(arguments: [
    ("agent = \"a\" command = [ \"/bin/b\", \"%n\" ]", "fencing/devices/d", "exactly one"),
    ("retries = 1", "fencing/devices/d", "exactly one"),
    ("agent = \"sub/agent\"", "fencing/devices/d/agent", "absolute path"),
    ("command = [ \"stonith_admin\", \"%n\" ]", "fencing/devices/d/command", "absolute path"),
    ("command = [ \"/bin/off\" ]", "fencing/devices/d/command", "which node"),
    ("agent = \"a\" parameters = [ \"ip\" ]", "fencing/devices/d/parameters", "key=value"),
    (
      "agent = \"a\" parameters = [ \"password=x\" ]", "fencing/devices/d/parameters",
      "only root can read"
    ),
    ("agent = \"a\" parameters = [ \"port=1\" ]", "fencing/devices/d/parameters", "set by clvmd"),
    ("agent = \"a\" secrets = \"x\"", "fencing/devices/d/secrets", "absolute path"),
    ("agent = \"a\" ports = [ \"n3=1\" ]", "fencing/devices/d/ports", "no node"),
    ("agent = \"a\" ports = [ \"n1\" ]", "fencing/devices/d/ports", "node=port"),
    ("agent = \"a\" ports = [ \"n1=1\", \"n1=2\" ]", "fencing/devices/d/ports", "two ports"),
    ("agent = \"a\" off_action = \"cycle\"", "fencing/devices/d/off_action", "'reboot'"),
    ("agent = \"a\" timeout_ms = 10", "fencing/devices/d/timeout_ms", "out of range"),
    ("agent = \"a\" monitor = \"ping\"", "fencing/devices/d/monitor", "unknown"),
  ])
  func `a mistake in a device is an error that names it`(
    settings: String, place: String, part: String
  ) {
    let result = device(settings)
    #expect(result.configuration == nil)
    #expect(
      result.errors.contains { $0.place == place && $0.message.contains(part) },
      "\(result.problems)")
    #expect(!result.problems.contains { $0.message.contains("password=x") })
  }

  @Test(arguments: [
    ("devices { d { agent = \"a\" } } nodes { n1 { levels = [ \"e\" ] } }", "no device"),
    ("devices { d { agent = \"a\" } } nodes { n1 { levels = [ \"d,d\" ] } }", "twice"),
    ("devices { d { agent = \"a\" } } nodes { n1 { levels = [ ] } }", "1 to 8"),
    ("devices { d { agent = \"a\" } } nodes { n9 { levels = [ \"d\" ] } }", "no node"),
    ("devices { d { agent = \"a\" } } nodes { n1 { } }", "missing"),
  ])
  func `a mistake in the levels is an error`(fencing: String, part: String) {
    let result = check(fencing)
    #expect(result.configuration == nil)
    #expect(result.errors.contains { $0.message.contains(part) }, "\(result.problems)")
  }

  @Test func `a device that fences nobody and a node that nobody fences are warnings`() {
    let result = check(
      "devices { d { agent = \"a\" timeout_ms = 90000 } e { agent = \"a\" } } "
        + "nodes { n1 { levels = [ \"d\" ] } }")
    #expect(result.configuration != nil)
    #expect(
      result.warnings.map(\.place) == [
        "fencing/devices/d/timeout_ms", "fencing/devices/e", "fencing/nodes",
      ])
  }
}
