import ConfigText
import Foundation
import Testing

@testable import ClusterImport

struct ClusterImportTests {
  private static let fixtures = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/import")

  private func read(
    _ file: String, hosts: [String: [String]] = [:]
  ) throws -> ImportedCluster {
    let bytes = try Data(contentsOf: Self.fixtures.appendingPathComponent(file))
    return try ImportedCluster(parsing: Array(bytes)) { hosts[$0] ?? [] }
  }

  private func refusal(_ text: String) throws -> ImportError {
    try #require(
      #expect(throws: ImportError.self) {
        try ImportedCluster(parsing: Array(text.utf8)) { _ in [] }
      })
  }

  @Test func o2cbNumbersAreRaisedWhereOneIsZero() throws {
    let cluster = try read("o2cb/local.conf")
    #expect(cluster.format == .o2cb)
    #expect(cluster.name == "webfs")
    #expect(cluster.nodes.map(\.name) == ["web1", "web2"])
    #expect(cluster.nodes.map(\.id) == [1, 2])
    #expect(cluster.nodes.map(\.addresses) == [["192.0.2.1"], ["192.0.2.2"]])
    let attention = cluster.lines.filter { $0.fate == .attention }
    #expect(attention.map(\.number) == [8, 15])
  }

  @Test func o2cbNumbersStayWhereNoneIsZero() throws {
    let cluster = try read("o2cb/global.conf")
    #expect(cluster.nodes.map(\.id) == [1, 2])
    #expect(cluster.nodes.map(\.name) == ["a.example", "b.example"])
    // Three are announced, two are there.
    #expect(cluster.lines.first { $0.number == 3 }?.fate == .attention)
    #expect(cluster.lines.first { $0.text.hasPrefix("region") }?.fate == .ignored)
  }

  @Test func corosyncNodesHaveBothTheirLinks() throws {
    let cluster = try read("corosync/three-nodes.conf")
    #expect(cluster.format == .corosync)
    #expect(cluster.name == "debian")
    #expect(cluster.nodes.map(\.id) == [11, 12, 13])
    #expect(cluster.nodes[0].addresses == ["192.0.2.11", "198.51.100.11"])
    #expect(!cluster.lines.contains { $0.fate == .attention })
  }

  @Test func corosyncHostNamesAreLookedUpOnce() throws {
    let hosts = ["left": ["192.0.2.1"], "right": ["192.0.2.2"]]
    let cluster = try read("corosync/two-nodes-by-name.conf", hosts: hosts)
    #expect(cluster.nodes.map(\.name) == ["left", "right"])
    #expect(cluster.nodes.map(\.addresses) == [["192.0.2.1"], ["192.0.2.2"]])
    let attention = cluster.lines.filter { $0.fate == .attention }.map(\.text)
    #expect(attention == ["quorum_votes: 2", "two_node: 1", "device {"])
    #expect(throws: ImportError.self) { try read("corosync/two-nodes-by-name.conf") }
    #expect(throws: ImportError.self) {
      try read(
        "corosync/two-nodes-by-name.conf",
        hosts: ["left": ["192.0.2.1", "192.0.2.3"], "right": ["192.0.2.2"]])
    }
  }

  /// No line may be passed over in silence.
  @Test(arguments: [
    "o2cb/local.conf", "o2cb/global.conf", "corosync/three-nodes.conf",
    "corosync/two-nodes-by-name.conf",
  ])
  func everyLineIsExplainedOnce(file: String) throws {
    let bytes = try Data(contentsOf: Self.fixtures.appendingPathComponent(file))
    let cluster = try read(file, hosts: ["left": ["192.0.2.1"], "right": ["192.0.2.2"]])
    let said = try SourceLine.lines(of: Array(bytes)).filter { $0.text != "}" }
    #expect(cluster.lines.map(\.number) == said.map(\.number))
    #expect(cluster.lines.map(\.text) == said.map(\.text))
  }

  @Test func textOfTheConfigurationIsReadBack() throws {
    let cluster = try read("corosync/three-nodes.conf")
    let text = cluster.configurationText(from: "/etc/corosync/corosync.conf\nx = 1")
    let section = try ConfigSection(parsing: text.utf8)
    #expect(section.section("cluster") == cluster.settings)
    #expect(section.content("x") == nil)
  }

  @Test(arguments: [
    ("", 1, "says nothing"),
    ("# only\n\n", 1, "says nothing"),
    ("hello\n", 1, "neither"),
    ("cluster:\n\tname = a\n\tname = b\n", 3, "there already, at line 2"),
    ("cluster:\n\tname = a\n", 2, "lists no node"),
    ("node:\n\tname = a\n", 1, "names the cluster"),
    ("cluster:\n\tname = a\ncluster:\n\tname = b\n", 3, "several clusters"),
    ("cluster:\n\tname = a\nname = b\n", 3, "a stanza"),
    ("cluster:\n\tname\n", 2, "is expected"),
    ("cluster:\n\tname = a\nvolume:\n", 3, "not known"),
    ("cluster:\n\tname = a\nnode:\n\tname = n\n\tip_address = x\n\tnumber = 1\n", 5, "numeric"),
    (
      "cluster:\n\tname = a\nnode:\n\tname = n\n\tip_address = 1.2.3.4\n\tnumber = 255\n", 6,
      "0 to 254"
    ),
    ("cluster:\n\tname = a\nnode:\n\tip_address = 1.2.3.4\n\tnumber = 1\n", 3, "no 'name'"),
    ("cluster:\n\tname = a\nnode:\n\tcluster = b\n\tnumber = 1\n", 4, "does not describe"),
    ("totem {\n", 1, "does not end"),
    ("totem {\n}\n}\n", 3, "did not begin"),
    ("totem {\n}\n", 1, "no cluster_name"),
    ("totem {\n cluster_name: a\n}\n", 3, "nodelist"),
    ("totem {\n cluster_name: a\n}\nnodelist {\n node {\n }\n}\n", 5, "no nodeid"),
    ("totem {\n cluster_name: a\n}\nnodelist {\n node {\n nodeid: 0\n }\n}\n", 6, "no node id"),
    (
      "totem {\n cluster_name: a\n}\nnodelist {\n node {\n nodeid: 1\n ring0_addr: 1.2.3.4\n }\n}\n",
      5, "no name"
    ),
    ("totem {\n x\u{1}y: z\n}\n", 2, "no text"),
    ("a {\nb {\nc {\nd {\ne {\nf {\ng {\nh {\ni {\n", 9, "nested deeper"),
  ])
  func whatCannotBeTakenIsRefusedWithItsLine(text: String, line: Int, problem: String) throws {
    let error = try refusal(text)
    #expect(error.line == line)
    #expect(error.problem.contains(problem), "\(error)")
  }

  @Test func sharedNumbersNamesAndAddressesAreRefused() throws {
    func file(_ nodes: [(String, String, String)]) -> String {
      "cluster:\n\tname = c\n"
        + nodes.map { "node:\n\tname = \($0.0)\n\tip_address = \($0.1)\n\tnumber = \($0.2)\n" }
        .joined()
    }
    let first = ("a", "192.0.2.1", "1")
    for second in [("a", "192.0.2.2", "2"), ("b", "192.0.2.1", "2"), ("b", "192.0.2.2", "1")] {
      let error = try refusal(file([first, second]))
      #expect(error.line == 7)
      #expect(error.problem.contains("line 3"))
    }
    let many = (0..<33).map { ("n\($0)", "192.0.2.\($0)", "\($0)") }
    #expect(try refusal(file(many)).problem.contains("at most 32"))
  }

  @Test func sizesAreBounded() throws {
    #expect(try refusal(String(repeating: "x", count: 1025)).problem.contains("1025 bytes"))
    #expect(try refusal(String(repeating: "#\n", count: 1 << 20)).problem.contains("1 MiB"))
  }
}
