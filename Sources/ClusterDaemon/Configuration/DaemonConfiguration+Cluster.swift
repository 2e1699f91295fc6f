import ClusterCredentials
import ClusterTypes
import ConfigText
import KernelLockspaces

/// The section `cluster`: its name, its nodes, and which of them this machine is.
extension DaemonConfiguration {
  /// The votes, views and bitmaps of the cluster are made for this many.
  static let nodesMax = 32
  /// OCFS2 keeps the cluster's name in so many bytes of its superblock.
  static let clusterNameBytesMax = 16
  /// o2cb's node numbers end here; a cluster that stays below it can use either stack.
  static let advisedNodeIDMax: Int32 = 254

  /// What a node does in the cluster.
  private enum Role: String, CaseIterable {
    case member
    case witness
  }

  static func cluster(_ reader: inout SettingsReader, hostName: String) -> Cluster? {
    let name = clusterName(&reader)
    let id = clusterID(&reader)
    let keyDirectory = reader.path(Settings.keyDirectory)
    let localID = reader.number(Settings.localNodeID, in: 1...Int64(Int32.max))
    let controlPort = reader.port(Settings.controlPort)
    let lockPort = reader.port(Settings.lockPort)
    let names = reader.nodeNames()
    let nodes = names.compactMap { node($0, &reader) }.sorted { $0.id < $1.id }
    checkCount(names.count, &reader)
    checkUniqueness(of: nodes, &reader)
    checkAddresses(of: nodes, &reader)
    // A node with errors may well be the one sought: then those errors are enough.
    let local =
      !names.isEmpty && nodes.count == names.count
      ? localNode(localID, hostName: hostName, nodes: nodes, &reader) : nil
    guard let name, let keyDirectory, let local, let controlPort, let lockPort else { return nil }
    return Cluster(
      name: name, id: id, keyDirectory: keyDirectory, localNode: local, controlPort: controlPort,
      lockPort: lockPort, nodes: nodes)
  }

  private static func clusterID(_ reader: inout SettingsReader) -> ClusterIdentifier? {
    guard let text = reader.value(of: Settings.clusterID) else { return nil }
    if let id = ClusterIdentifier(text) { return id }
    reader.error(
      Settings.clusterID.path,
      "'\(text)' is no cluster id as 'clvm cluster init' makes it: 32 hexadecimal digits in groups "
        + "of 8, 4, 4, 4 and 12")
    return nil
  }

  /// Nodes that believe whoever has a node's address can be told anything: that is never the case
  /// unasked. The external provider is for laboratories, and a node alone opens no port.
  func checkKeys(allowsPlaintext: Bool, _ reader: inout SettingsReader) {
    guard cluster.id == nil, cluster.nodes.count > 1, !reader.has(Settings.clusterID) else {
      return
    }
    if allowsPlaintext {
      reader.warning(
        Settings.allowPlaintext.path,
        "the nodes' messages are neither authenticated nor encrypted: whoever reaches their ports "
          + "can speak for them")
    } else if membership.provider != .external {
      reader.error(
        Settings.clusterID.path,
        "the cluster has no keys: run 'clvm cluster init' on one node, then 'clvm cluster token' "
          + "there and 'clvm cluster join' on each of the others; or set allow_plaintext = 1 where "
          + "nobody else can reach the nodes' ports")
    }
  }

  private static func clusterName(_ reader: inout SettingsReader) -> String? {
    guard let name = reader.value(of: Settings.clusterName) else { return nil }
    let place = Settings.clusterName.path
    guard !name.isEmpty, name.utf8.allSatisfy(isNameByte) else {
      reader.error(
        place,
        "'\(name)' is not allowed: letters, digits, '_', '-' and '.' are (a colon would end the "
          + "cluster's name in a GFS2 lock table)")
      return nil
    }
    guard name.utf8.count <= clusterNameBytesMax else {
      reader.error(
        place, "'\(name)' has \(name.utf8.count) characters; OCFS2 keeps \(clusterNameBytesMax)")
      return nil
    }
    return name
  }

  static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
      UInt8(ascii: "."):
      true
    default: false
    }
  }

  private static func node(_ name: String, _ reader: inout SettingsReader) -> Node? {
    let place = "\(Settings.nodes)/\(name)"
    if name.isEmpty || name.utf8.count > 64 || !name.utf8.allSatisfy(isNameByte) {
      reader.error(
        place, "a node's name has 1 to 64 letters, digits, '_', '-' and '.', as a host name has")
    }
    let number = reader.number(Settings.nodeID, in: 1...Int64(Int32.max), node: name)
    let id = number.flatMap { Int32(exactly: $0) }.flatMap { NodeID($0) }
    let address = nodeAddress(Settings.nodeAddress, node: name, &reader)
    let secondAddress = nodeAddress(Settings.nodeSecondAddress, node: name, &reader)
    if let id, id.rawValue > advisedNodeIDMax {
      reader.warning(
        Settings.nodeID.path(node: name),
        "\(id) is larger than \(advisedNodeIDMax), and OCFS2's own cluster stack ends there; small "
          + "ids that never change are best")
    }
    let role = reader.choice(Settings.nodeRole, of: Role.self, node: name)
    guard let id, let address, let role else { return nil }
    return Node(
      name: name, id: id, address: address, secondAddress: secondAddress,
      isWitness: role == .witness)
  }

  private static func nodeAddress(
    _ setting: Setting<String>, node: String, _ reader: inout SettingsReader
  ) -> NodeAddress? {
    guard let text = reader.value(of: setting, node: node) else { return nil }
    let place = setting.path(node: node)
    guard let address = NodeAddress(text) else {
      reader.error(
        place,
        "'\(text)' is no numeric IPv4 or IPv6 address (host names and ports do not belong here)")
      return nil
    }
    guard !address.isUnusable else {
      reader.error(place, "'\(text)' is no address to which another node can connect")
      return nil
    }
    return address
  }

  private static func checkCount(_ count: Int, _ reader: inout SettingsReader) {
    if count > nodesMax {
      reader.error(
        Settings.nodes, "\(count) nodes are given, and a cluster has at most \(nodesMax)")
    }
  }

  private static func checkUniqueness(of nodes: [Node], _ reader: inout SettingsReader) {
    var idOwners: [NodeID: String] = [:]
    var addressOwners: [NodeAddress: String] = [:]
    for node in nodes {
      if let owner = idOwners.updateValue(node.name, forKey: node.id) {
        reader.error(
          Settings.nodeID.path(node: node.name), "\(node.id) is already the id of node '\(owner)'")
      }
      for address in [node.address, node.secondAddress].compactMap(\.self) {
        if let owner = addressOwners.updateValue(node.name, forKey: address) {
          reader.error(
            Settings.nodeAddress.path(node: node.name),
            "\(address) is already an address of node '\(owner)'")
        }
      }
    }
  }

  /// The kernel's DLM binds one family only, that of the local node's address.
  private static func checkAddresses(of nodes: [Node], _ reader: inout SettingsReader) {
    for node in nodes where nodes.count > 1 && node.address.isLoopback {
      reader.error(
        Settings.nodeAddress.path(node: node.name),
        "\(node.address) is this machine on every node; give the address that the others connect to"
      )
    }
    guard let first = nodes.first,
      let other = nodes.first(where: { $0.address.isIPv6 != first.address.isIPv6 })
    else { return }
    reader.error(
      Settings.nodeAddress.path(node: other.name),
      "\(other.address) and node '\(first.name)''s \(first.address) are of different families; the "
        + "kernel's lock manager needs one family for all nodes")
  }

  private static func localNode(
    _ id: Int64?, hostName: String, nodes: [Node], _ reader: inout SettingsReader
  ) -> Node? {
    if let id {
      if let node = nodes.first(where: { $0.id.rawValue == id }) { return node }
      reader.error(Settings.localNodeID.path, "no node in \(Settings.nodes) has the id \(id)")
      return nil
    }
    let shortName = hostName.prefix { $0 != "." }
    let candidates =
      nodes.filter { $0.name == hostName }
      + nodes.filter { $0.name == shortName || $0.name.prefix { $0 != "." } == shortName }
    if let node = candidates.first { return node }
    reader.error(
      Settings.localNodeID.path,
      "no node in \(Settings.nodes) is named '\(hostName)' like this host; name the node so, or set "
        + "node_id")
    return nil
  }
}
