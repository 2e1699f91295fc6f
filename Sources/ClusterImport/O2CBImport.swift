/// `/etc/ocfs2/cluster.conf` as o2cb(8) and ocfs2.cluster.conf(5) describe it: stanzas that begin
/// in the first column and end with a colon, attributes `name = value` behind white space.
struct O2CBImport {
  private struct Stanza {
    let line: SourceLine
    let kind: String
    var attributes: [String: (value: String, line: SourceLine)] = [:]
  }

  func read(_ lines: [SourceLine]) throws(ImportError) -> ImportedCluster {
    let stanzas = try stanzas(lines)
    let clusters = stanzas.filter { $0.kind == "cluster" }
    guard let cluster = clusters.first else {
      throw ImportError(line: lines[0].number, problem: "no stanza 'cluster:' names the cluster")
    }
    guard clusters.count == 1 else {
      throw ImportError(
        line: clusters[1].line.number,
        problem:
          "the file describes several clusters; a node of clvmd is in one: leave one in a copy")
    }
    let name = try attribute("name", of: cluster)
    var explained: [ImportedLine] = []
    explain(cluster, &explained)
    let nodeStanzas = stanzas.filter { $0.kind == "node" }
    // The kernel's DLM knows no node 0.
    var offset: Int32 = 0
    for stanza in nodeStanzas where try number(of: stanza) == 0 { offset = 1 }
    var nodes: [ImportedNode] = []
    for stanza in nodeStanzas {
      try checkCluster(of: stanza, is: name)
      nodes.append(try node(stanza, offset: offset, &explained))
    }
    if let count = cluster.attributes["node_count"] {
      explained.append(
        Int(count.value) == nodes.count
          ? count.line.line(.ignored, "the nodes that are listed count")
          : count.line.line(.attention, "\(nodes.count) nodes are listed; all of those are taken"))
    }
    for stanza in stanzas where stanza.kind == "heartbeat" {
      try checkCluster(of: stanza, is: name)
      explained.append(stanza.line.line(.ignored, "clvmd needs no heartbeat on disks"))
      for attribute in stanza.attributes.values {
        explained.append(attribute.line.line(.ignored, "part of a heartbeat region"))
      }
    }
    return ImportedCluster(
      format: .o2cb, name: name, nodes: nodes,
      lines: explained.sorted { $0.number < $1.number })
  }

  private func stanzas(_ lines: [SourceLine]) throws(ImportError) -> [Stanza] {
    var stanzas: [Stanza] = []
    for line in lines {
      if !line.isIndented {
        guard line.text.hasSuffix(":"), !line.text.contains("=") else {
          throw ImportError(
            line: line.number,
            problem: "a stanza ('node:') is expected here; its attributes begin with a tab")
        }
        let kind = String(line.text.dropLast()).trimmed
        guard ["cluster", "node", "heartbeat"].contains(kind) else {
          throw ImportError(line: line.number, problem: "a stanza '\(kind)' is not known")
        }
        stanzas.append(Stanza(line: line, kind: kind))
      } else {
        let (name, value) = try line.halves("=")
        guard let last = stanzas.indices.last else {
          throw ImportError(line: line.number, problem: "an attribute before the first stanza")
        }
        if let other = stanzas[last].attributes.updateValue((value, line), forKey: name) {
          throw ImportError(
            line: line.number, problem: "'\(name)' is there already, at line \(other.line.number)")
        }
      }
    }
    return stanzas
  }

  private func attribute(_ name: String, of stanza: Stanza) throws(ImportError) -> String {
    guard let attribute = stanza.attributes[name] else {
      throw ImportError(
        line: stanza.line.number, problem: "the \(stanza.kind) has no '\(name)'")
    }
    return attribute.value
  }

  private func number(of stanza: Stanza) throws(ImportError) -> Int32 {
    let text = try attribute("number", of: stanza)
    guard let number = Int32(text), (0...254).contains(number) else {
      throw ImportError(
        line: stanza.attributes["number"]?.line.number ?? stanza.line.number,
        problem: "'\(text)' is no node number from 0 to 254")
    }
    return number
  }

  private func checkCluster(of stanza: Stanza, is name: String) throws(ImportError) {
    guard let cluster = stanza.attributes["cluster"], cluster.value != name else { return }
    throw ImportError(
      line: cluster.line.number,
      problem:
        "the \(stanza.kind) is of cluster '\(cluster.value)', which the file does not describe")
  }

  private func explain(_ cluster: Stanza, _ explained: inout [ImportedLine]) {
    explained.append(cluster.line.line(.taken, "section cluster"))
    for (name, attribute) in cluster.attributes {
      let line: ImportedLine? =
        switch name {
        case "name": attribute.line.line(.taken, "cluster/name")
        case "node_count": nil
        case "heartbeat_mode":
          attribute.line.line(.ignored, "clvmd needs no heartbeat on disks")
        default: attribute.line.line(.ignored, "clvmd has no such setting")
        }
      if let line {
        explained.append(line)
      }
    }
  }

  private func node(
    _ stanza: Stanza, offset: Int32, _ explained: inout [ImportedLine]
  ) throws(ImportError) -> ImportedNode {
    let name = try attribute("name", of: stanza)
    let address = try attribute("ip_address", of: stanza)
    let number = try number(of: stanza)
    guard isNumericAddress(address) else {
      throw ImportError(
        line: stanza.attributes["ip_address"]?.line.number ?? stanza.line.number,
        problem: "'\(address)' is no numeric address")
    }
    explained.append(stanza.line.line(.taken, "section cluster/nodes/\(name)"))
    for (key, attribute) in stanza.attributes {
      let line =
        switch key {
        case "name": attribute.line.line(.taken, "the name of cluster/nodes/\(name)")
        case "ip_address": attribute.line.line(.taken, "cluster/nodes/\(name)/address")
        case "number" where offset == 0: attribute.line.line(.taken, "cluster/nodes/\(name)/id")
        case "number":
          attribute.line.line(
            .attention,
            "cluster/nodes/\(name)/id is \(number + offset): the kernel's lock manager knows no node "
              + "0, so every number is raised by one")
        case "ip_port":
          attribute.line.line(
            .ignored, "the port of o2net; clvmd's ports are cluster/control_port and lock_port")
        case "cluster": attribute.line.line(.taken, "it is of this cluster")
        default: attribute.line.line(.ignored, "clvmd has no such setting")
        }
      explained.append(line)
    }
    return ImportedNode(
      name: name, id: number + offset, addresses: [address], line: stanza.line.number)
  }
}

/// Whether `text` has the form of a numeric address: the configuration is checked for more.
func isNumericAddress(_ text: String) -> Bool {
  let isIPv6 = text.contains(":")
  return !text.isEmpty
    && text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."): true
      case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
        UInt8(ascii: ":"):
        isIPv6
      default: false
      }
    }
}
