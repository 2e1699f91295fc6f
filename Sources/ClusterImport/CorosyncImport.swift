/// `/etc/corosync/corosync.conf` as corosync.conf(5) describes it: sections `name {` to `}`, items
/// `key: value`, one a line.
struct CorosyncImport {
  let resolve: (String) -> [String]

  /// Real files nest two deep.
  private static let maximumDepth = 8

  private struct Section {
    let line: SourceLine
    /// With the sections around it: `nodelist.node`.
    let path: String
    var items: [(key: String, value: String, line: SourceLine)] = []

    func item(_ key: String) -> (key: String, value: String, line: SourceLine)? {
      items.first { $0.key == key }
    }
  }

  func read(_ lines: [SourceLine]) throws(ImportError) -> ImportedCluster {
    let sections = try sections(lines)
    guard let totem = sections.first(where: { $0.path == "totem" }) else {
      throw ImportError(line: lines[0].number, problem: "no section 'totem' names the cluster")
    }
    guard let name = totem.item("cluster_name") else {
      throw ImportError(line: totem.line.number, problem: "the section totem has no cluster_name")
    }
    guard sections.contains(where: { $0.path == "nodelist" }) else {
      throw ImportError(
        line: lines.last?.number ?? 1,
        problem:
          "no section 'nodelist' lists the nodes; corosync then finds them by multicast, and "
          + "clvmd does not: list them")
    }
    var explained: [ImportedLine] = []
    var nodes: [ImportedNode] = []
    for section in sections {
      switch section.path {
      case "nodelist.node": nodes.append(try node(section, &explained))
      default: explain(section, &explained)
      }
    }
    return ImportedCluster(
      format: .corosync, name: name.value, nodes: nodes,
      lines: explained.sorted { $0.number < $1.number })
  }

  private func sections(_ lines: [SourceLine]) throws(ImportError) -> [Section] {
    var sections: [Section] = []
    /// Places in `sections` of those that are open.
    var open: [Int] = []
    for line in lines {
      if line.text.hasSuffix("{") {
        let name = String(line.text.dropLast()).trimmed
        guard !name.isEmpty, !name.contains(where: { " \t{}:.".contains($0) }) else {
          throw ImportError(line: line.number, problem: "'\(name)' is no name of a section")
        }
        guard open.count < Self.maximumDepth else {
          throw ImportError(
            line: line.number, problem: "sections are nested deeper than \(Self.maximumDepth)")
        }
        let prefix = open.last.map { sections[$0].path + "." } ?? ""
        open.append(sections.count)
        sections.append(Section(line: line, path: prefix + name))
      } else if line.text == "}" {
        guard open.popLast() != nil else {
          throw ImportError(line: line.number, problem: "a section ends that did not begin")
        }
      } else {
        let (key, value) = try line.halves(":")
        guard let section = open.last else {
          throw ImportError(line: line.number, problem: "'\(key)' stands outside of all sections")
        }
        if let other = sections[section].item(key) {
          throw ImportError(
            line: line.number, problem: "'\(key)' is there already, at line \(other.line.number)")
        }
        sections[section].items.append((key, value, line))
      }
    }
    if let section = open.last {
      throw ImportError(
        line: sections[section].line.number,
        problem: "the section '\(sections[section].path)' does not end")
    }
    return sections
  }

  // MARK: - Nodes

  private func node(
    _ section: Section, _ explained: inout [ImportedLine]
  ) throws(ImportError) -> ImportedNode {
    guard let number = section.item("nodeid") else {
      throw ImportError(
        line: section.line.number,
        problem:
          "the node has no nodeid; corosync may make one from the address, but clvmd and the "
          + "kernel need a small number that stays: write nodeid into the file")
    }
    guard let id = Int32(number.value), id > 0 else {
      throw ImportError(
        line: number.line.number, problem: "'\(number.value)' is no node id from 1 to 2147483647")
    }
    guard let first = section.item("ring0_addr") else {
      throw ImportError(line: section.line.number, problem: "the node has no ring0_addr")
    }
    let name = try nodeName(section, address: first)
    let place = "cluster/nodes/\(name)"
    var addresses = [try address(first, "\(place)/address", &explained)]
    if let second = section.item("ring1_addr") {
      addresses.append(try address(second, "\(place)/second_address", &explained))
    }
    explained.append(section.line.line(.taken, "section \(place)"))
    for item in section.items {
      let line: ImportedLine? =
        switch item.key {
        case "ring0_addr", "ring1_addr": nil
        case "nodeid": item.line.line(.taken, "\(place)/id")
        case "name": item.line.line(.taken, "the name of \(place)")
        case "quorum_votes" where item.value == "1":
          item.line.line(.taken, "every node has one vote")
        case "quorum_votes":
          item.line.line(.attention, "not taken: with clvmd every node has one vote")
        case let key where key.hasPrefix("ring") && key.hasSuffix("_addr"):
          item.line.line(.attention, "not taken: clvmd uses two addresses of a node")
        default: item.line.line(.ignored, "clvmd has no such setting")
        }
      if let line { explained.append(line) }
    }
    return ImportedNode(name: name, id: id, addresses: addresses, line: section.line.number)
  }

  private func nodeName(
    _ section: Section, address: (key: String, value: String, line: SourceLine)
  ) throws(ImportError) -> String {
    if let name = section.item("name") { return name.value }
    guard !isNumericAddress(address.value) else {
      throw ImportError(
        line: section.line.number,
        problem: "the node has no name, and its address is none either: write 'name: HOST'")
    }
    return address.value
  }

  private func address(
    _ item: (key: String, value: String, line: SourceLine), _ place: String,
    _ explained: inout [ImportedLine]
  ) throws(ImportError) -> String {
    if isNumericAddress(item.value) {
      explained.append(item.line.line(.taken, place))
      return item.value
    }
    let addresses = resolve(item.value)
    guard let first = addresses.first else {
      throw ImportError(
        line: item.line.number, problem: "no address of '\(item.value)' is known on this host")
    }
    guard addresses.count == 1 else {
      throw ImportError(
        line: item.line.number,
        problem:
          "'\(item.value)' has several addresses (\(addresses.joined(separator: ", "))): write "
          + "the one that is meant")
    }
    explained.append(
      item.line.line(.taken, "\(place) = \(first), the address of '\(item.value)' on this host"))
    return first
  }

  // MARK: - Everything else

  private func explain(_ section: Section, _ explained: inout [ImportedLine]) {
    let fate: (ImportedLine.Fate, String) =
      switch section.path {
      case "totem": (.taken, "only the cluster's name")
      case "nodelist": (.taken, "section cluster/nodes")
      case "quorum": (.ignored, "clvmd counts votes itself: a majority of the configured nodes")
      case "quorum.device":
        (.attention, "not taken: clvmd has a quorum disk or a witness node of its own")
      default: (.ignored, "clvmd has no such section")
      }
    explained.append(section.line.line(fate.0, fate.1))
    for item in section.items {
      explained.append(explain(item, in: section.path))
    }
  }

  private func explain(
    _ item: (key: String, value: String, line: SourceLine), in path: String
  ) -> ImportedLine {
    switch (path, item.key) {
    case ("totem", "cluster_name"): item.line.line(.taken, "cluster/name")
    case ("totem", "token"), ("totem", "consensus"), ("totem", "token_retransmit"),
      ("totem", "join"), ("totem", "token_coefficient"):
      item.line.line(.ignored, "clvmd has times of its own, in the section membership")
    case ("totem", "crypto_cipher"), ("totem", "crypto_hash"), ("totem", "secauth"),
      ("totem", "keyfile"), ("totem", "key"), ("totem", "crypto_model"):
      item.line.line(.ignored, "'clvm cluster init' makes keys; clvmd then always encrypts")
    case ("quorum", "two_node") where item.value == "1":
      item.line.line(
        .attention, "not taken: two nodes need a quorum disk or a witness as the third vote")
    case ("quorum", "last_man_standing"), ("quorum", "auto_tie_breaker"),
      ("quorum", "allow_downscale"):
      item.line.line(.attention, "not taken: the number of votes never shrinks by itself")
    case ("quorum", "expected_votes"):
      item.line.line(.ignored, "the number of configured nodes counts")
    default: item.line.line(.ignored, "clvmd has no such setting")
    }
  }
}
