import KernelLockspaces
import Testing

@testable import ClusterDaemon

/// What the package installs must agree with what the daemon understands.
private func shipped(_ path: String) throws -> String {
  let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
  return String(decoding: try HostKernelFiles().read("\(root)/\(path)"), as: UTF8.self)
}

/// With the id that 'clvm cluster init' makes.
private func example() throws -> String {
  try shipped("packaging/clvmd.conf").replacing("# id = \"0000", with: "id = \"0000")
}

@Test func exampleConfiguration_isValidOnceItHasKeys() throws {
  let result = DaemonConfiguration.check(try example().utf8, hostName: "n1")
  #expect(result.problems == [])
  let without = DaemonConfiguration.check(
    try shipped("packaging/clvmd.conf").utf8, hostName: "n1")
  #expect(without.problems.map(\.place) == ["cluster/id"])
}

@Test func exampleConfiguration_withItsSettingsUncommented_saysTheDefaults() throws {
  let example = try example()
  let uncommented = example.split(separator: "\n", omittingEmptySubsequences: false).map { line in
    let isExample = examples.contains { line.contains("# \($0) = ") }
    return line.contains(" = ") && !isExample ? line.replacing("# ", with: "") : line
  }
  let full = DaemonConfiguration.check(uncommented.joined(separator: "\n").utf8, hostName: "n1")
  let plain = DaemonConfiguration.check(example.utf8, hostName: "n1")
  #expect(full.problems == [])
  #expect(full.configuration != nil)
  #expect(full.configuration == plain.configuration)
}

/// Settings without a default, or of another provider, of which the file shows an example.
private let examples = [
  "id", "node_id", "nodes_from", "second_address", "filter", "role", "quorum_disk",
  "allow_external",
  "heartbeat_interval_ms", "silence_timeout_ms", "agent", "command", "parameters", "secrets",
  "ports", "off_action", "timeout_ms", "retries", "delay_ms", "monitor", "monitor_interval_s",
  "levels", "watchdog", "reservations", "failpoint_file",
]

@Test(arguments: Settings.paths)
func everySetting_isInTheManualAndInTheExample(path: String) throws {
  let name = try #require(path.split(separator: "/").last)
  #expect(try shipped("man/clvmd.conf.5").contains("\n.It Ic \(name)"))
  #expect(try shipped("packaging/clvmd.conf").contains("\(name) = "))
}
