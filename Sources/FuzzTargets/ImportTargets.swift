import ClusterImport
import ConfigText
import Fuzzing

extension FuzzTarget {
  /// Configuration files of O2CB.
  public static let o2cbConfiguration = importTarget(
    name: "o2cb-configuration", format: .o2cb, corpusFolder: "Fixtures/import/o2cb",
    dictionary: [
      "cluster:\n", "node:\n", "heartbeat:\n", "\tname = ", "\tnumber = ", "\tip_address = ",
      "\tcluster = ", "\tnode_count = ",
    ])

  /// Configuration files of corosync.
  public static let corosyncConfiguration = importTarget(
    name: "corosync-configuration", format: .corosync, corpusFolder: "Fixtures/import/corosync",
    dictionary: [
      "totem {\n", "nodelist {\n", "node {\n", "}\n", "nodeid: ", "ring0_addr: ", "ring1_addr: ",
      "name: ", "cluster_name: ",
    ])

  private static func importTarget(
    name: String, format: ImportFormat, corpusFolder: String, dictionary: [String]
  ) -> FuzzTarget {
    FuzzTarget(
      name: name,
      summary: "a \(format) file is refused at a line of it, or its nodes are read back as written",
      corpusFolder: corpusFolder, dictionary: dictionary.map { Array($0.utf8) }
    ) { input throws(FuzzFailure) in
      var digest = ResultDigest()
      let lineCount = input.split(
        separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
      ).count
      let cluster: ImportedCluster
      do throws(ImportError) {
        cluster = try ImportedCluster(parsing: input) {
          $0.utf8.count.isMultiple(of: 2) ? [] : ["192.0.2.9"]
        }
      } catch {
        guard (1...lineCount).contains(error.line) else {
          throw FuzzFailure("refused at line \(error.line) of \(lineCount): \(error.problem)")
        }
        digest.add(1 + min(error.line, 64) << 8)
        for byte in error.problem.utf8.prefix(16) { digest.add(Int(byte)) }
        return digest.value
      }
      digest.add(2 + cluster.nodes.count << 8 + cluster.lines.count << 16)
      let text = cluster.configurationText(from: "fuzz")
      guard let section = try? ConfigSection(parsing: text.utf8),
        section.section("cluster") == cluster.settings
      else { throw FuzzFailure("the configuration is not read back: \(text)") }
      guard zip(cluster.lines, cluster.lines.dropFirst()).allSatisfy({ $0.number < $1.number })
      else {
        throw FuzzFailure("a line is explained twice")
      }
      return digest.value
    }
  }
}
