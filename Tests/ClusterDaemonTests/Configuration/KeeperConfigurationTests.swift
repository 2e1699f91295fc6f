import Testing

@testable import ClusterDaemon

@Suite struct KeeperConfigurationTests {
  private func check(_ provider: String, _ keeper: String) -> ConfigurationCheck {
    let text = """
      cluster {
        name = "lab" id = "01234567-0123-0123-0123-0123456789ab"
        nodes { n1 { id = 1 address = "192.0.2.1" } n2 { id = 2 address = "192.0.2.2" } }
      }
      membership { \(provider) }
      keeper { \(keeper) }
      """
    return DaemonConfiguration.check(text.utf8, hostName: "n1")
  }

  @Test func `a keeper is not used unless it is enabled`() throws {
    let result = check("provider = \"embedded\"", "watchdog = \"/dev/watchdog\"")
    #expect(result.errors == [])
    #expect(try #require(result.configuration).keeper == nil)
  }

  @Test func `socket and watchdog are taken as written`() throws {
    let result = check("provider = \"embedded\"", "enabled = 1 watchdog = \"/dev/watchdog1\"")
    #expect(
      try #require(result.configuration).keeper
        == .init(socket: "/run/clvmd-keeper/socket", watchdog: "/dev/watchdog1"))
  }

  @Test func `the external provider gives no leases to a keeper`() {
    let result = check("provider = \"external\" allow_external = 1", "enabled = 1")
    #expect(result.errors.map(\.place) == ["keeper/enabled"])
  }
}
