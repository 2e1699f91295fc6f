import ClusterCredentials
import ClusterTypes
import ConfigText

/// A node as an administrator names it on the command line: `[ID:]NAME=ADDRESS[,ADDRESS]`.
public struct NamedNode: Hashable, Sendable {
  public var name: String
  /// Nil takes the smallest number that no other node has.
  public var id: NodeID?
  public var addresses: [String]

  public init(name: String, id: NodeID? = nil, addresses: [String]) {
    self.name = name
    self.id = id
    self.addresses = addresses
  }

  /// Nil unless `text` has that form. Whether name and addresses can be used is checked with the
  /// whole configuration.
  public init?(_ text: String) {
    let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard halves.count == 2 else { return nil }
    let left = halves[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    if left.count == 2 {
      guard let id = NodeID(left[0]) else { return nil }
      self.id = id
    }
    name = String(left[left.count - 1])
    addresses = halves[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard !name.isEmpty, (1...2).contains(addresses.count), !addresses.contains("") else {
      return nil
    }
  }
}

extension [NamedNode] {
  /// The same nodes, each with an id.
  func numbered() -> [NamedNode] {
    var used = Set(compactMap { $0.id?.rawValue })
    return map { node in
      guard node.id == nil else { return node }
      var node = node
      let free = (1...Int32.max).first { !used.contains($0) }
      if let free { used.insert(free) }
      node.id = free.flatMap { NodeID($0) }
      return node
    }
  }
}

/// The text of a new cluster's clvmd.conf.
struct StartingConfiguration {
  var clusterName: String
  var id: ClusterIdentifier
  var nodes: [NamedNode]
  /// Written when it is not the standard one.
  var keyDirectory: String?
  var localNode: NodeID
  /// The cluster believes an administrator's word about dead nodes.
  var allowsExternal: Bool

  var text: String {
    var cluster = ConfigSection()
    cluster.append("name", .string(clusterName))
    cluster.append("id", .string(id.description))
    if let keyDirectory { cluster.append("key_directory", .string(keyDirectory)) }
    cluster.append("node_id", .integer(Int64(localNode.rawValue)))
    var sections = ConfigSection()
    for node in nodes.numbered() {
      var section = ConfigSection()
      if let id = node.id { section.append("id", .integer(Int64(id.rawValue))) }
      for (name, address) in zip(["address", "second_address"], node.addresses) {
        section.append(name, .string(address))
      }
      sections.append(node.name, section)
    }
    cluster.append("nodes", sections)
    var whole = ConfigSection()
    whole.append("cluster", cluster)
    if allowsExternal {
      var membership = ConfigSection()
      membership.append("provider", .string("external"))
      membership.append("allow_external", .integer(1))
      whole.append("membership", membership)
    }
    return Self.head + String(decoding: whole.text(style: .indented), as: UTF8.self)
  }

  static let head = """
    # Configuration of clvmd(8), made by 'clvm cluster'. clvmd.conf(5) explains each setting.
    # All nodes need the same file, except for node_id. Check it with: clvmd --check-config


    """
}
