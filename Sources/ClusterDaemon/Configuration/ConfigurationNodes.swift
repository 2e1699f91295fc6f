import ClusterMembership
import ClusterTypes
import ConfigText
import KernelLockspaces

/// The list of nodes as the cluster has decided it, and as it stands in clvmd.conf.
extension DaemonConfiguration {
  /// The same with the nodes that were decided. What the file says about a node that it knows counts:
  /// the record has no ports, and addresses are changed there first.
  func following(_ decided: ClusterConfiguration) -> Self {
    var changed = self
    let nodes = decided.nodes.compactMap { cluster.node($0.id) ?? Node($0) }
    // A node that was removed goes on with what it knows, and is talked to by nobody.
    guard nodes.contains(where: { $0.id == cluster.localNode.id }) else { return self }
    changed.cluster.nodes = nodes.sorted { $0.id < $1.id }
    return changed
  }
}

extension DaemonConfiguration.Node {
  /// Nil if its address is no address.
  init?(_ node: ConfiguredNode) {
    guard let address = node.addresses.first.flatMap({ NodeAddress($0) }) else { return nil }
    self.init(
      name: node.name, id: node.id, address: address,
      secondAddress: node.addresses.dropFirst().first.flatMap { NodeAddress($0) },
      isWitness: node.isWitness)
  }

  fileprivate var section: ConfigSection {
    var section = ConfigSection()
    section.append("id", .integer(Int64(id.rawValue)))
    section.append("address", .string("\(address)"))
    if let secondAddress { section.append("second_address", .string("\(secondAddress)")) }
    if isWitness { section.append("role", .string("witness")) }
    return section
  }
}

/// A change of the nodes in the text of a clvmd.conf.
struct ConfigurationNodesEdit {
  var added: [DaemonConfiguration.Node]
  /// By name.
  var removed: [String]

  /// The text with the nodes added and removed, in other respects as it was; comments survive where the
  /// file is written as usual. Nodes that are there already, or gone already, are left alone.
  ///
  /// Throws what is in the way: a syntax error, or a list of nodes in another stack's file.
  func applied(to text: String) throws(DaemonError) -> String {
    let section = try Self.parsed(text)
    if let other = section.string(Settings.nodesFrom.path) {
      throw DaemonError(
        "\(Settings.nodesFrom.path) takes the nodes from \(other): change them there")
    }
    var expected = section
    var changed = text
    for name in removed where expected.section("\(Settings.nodes)/\(name)") != nil {
      expected.remove("\(Settings.nodes)/\(name)")
      expected.remove("\(Settings.fenceNodes)/\(name)")
      changed = Self.removing(name, from: Self.removing(name, from: changed))
    }
    for node in added where expected.section("\(Settings.nodes)/\(node.name)") == nil {
      expected.set("\(Settings.nodes)/\(node.name)", node.section)
      changed = Self.inserting(node, into: changed)
    }
    if let found = try? Self.parsed(changed), found == expected { return changed }
    return String(decoding: expected.text(style: .indented), as: UTF8.self)
  }

  private static func parsed(_ text: String) throws(DaemonError) -> ConfigSection {
    do {
      return try ConfigSection(parsing: text.utf8, limits: DaemonConfiguration.limits)
    } catch {
      throw DaemonError("clvmd.conf, line \(error.line): \(error.problem)")
    }
  }

  /// At the end of the first section `nodes`; whether that is the right one the caller sees by reading the
  /// text again.
  private static func inserting(_ node: DaemonConfiguration.Node, into text: String) -> String {
    guard let head = text.firstRange(of: /(^|[\s{])nodes\s*\{/),
      let end = closingBrace(of: text, from: head.upperBound)
    else { return text }
    var wrapped = ConfigSection()
    wrapped.append(node.name, node.section)
    let lines = String(decoding: wrapped.text(style: .indented), as: UTF8.self)
      .split(separator: "\n").map { "\t\t" + $0 + "\n" }
    var changed = text
    var place = end
    // Before the blanks that lead to the brace.
    while place > head.upperBound {
      let before = text.index(before: place)
      guard text[before] == " " || text[before] == "\t" else { break }
      place = before
    }
    let needsBreak = place > text.startIndex && text[text.index(before: place)] != "\n"
    changed.insert(
      contentsOf: (needsBreak ? "\n" : "") + lines.joined() + (needsBreak ? "\t" : ""), at: place)
    return changed
  }

  private static func removing(_ name: String, from text: String) -> String {
    var start = text.startIndex
    while let found = text[start...].firstRange(of: name) {
      start = found.upperBound
      let before =
        found.lowerBound == text.startIndex ? " " : text[text.index(before: found.lowerBound)]
      guard before == " " || before == "\t" || before == "\n" || before == "{" || before == "}"
      else {
        continue
      }
      let rest = text[found.upperBound...].drop { $0 == " " || $0 == "\t" }
      guard rest.first == "{",
        let end = closingBrace(of: text, from: text.index(after: rest.startIndex))
      else { continue }
      var lower = found.lowerBound
      while lower > text.startIndex, " \t".contains(text[text.index(before: lower)]) {
        lower = text.index(before: lower)
      }
      var upper = text.index(after: end)
      if upper < text.endIndex, text[upper] == "\n" { upper = text.index(after: upper) }
      var changed = text
      changed.removeSubrange(lower..<upper)
      return changed
    }
    return text
  }

  /// The brace that ends the section whose content begins at `start`.
  private static func closingBrace(of text: String, from start: String.Index) -> String.Index? {
    var depth = 0
    var index = start
    var isQuoted = false
    var isComment = false
    while index < text.endIndex {
      switch text[index] {
      case "\n": isComment = false
      case _ where isComment: break
      case "\\" where isQuoted: index = text.index(after: index)
      case "\"": isQuoted.toggle()
      case _ where isQuoted: break
      case "#": isComment = true
      case "{": depth += 1
      case "}":
        if depth == 0 { return index }
        depth -= 1
      default: break
      }
      guard index < text.endIndex else { return nil }
      index = text.index(after: index)
    }
    return nil
  }
}
