import ClusterTypes
import NIOCore

/// The configured addresses of the other nodes, found by node and by source address.
///
/// The port of a connection's source says nothing and is ignored.
struct PeerAddresses {
  private let addresses: [NodeID: SocketAddress]
  private let nodes: [String: NodeID]

  init() {
    addresses = [:]
    nodes = [:]
  }

  init(_ addresses: [NodeID: SocketAddress]) throws(TransportError) {
    var nodes: [String: NodeID] = [:]
    for (node, address) in addresses.sorted(by: { $0.key < $1.key }) {
      guard let host = address.ipAddress else { throw .notAnIPAddress(node) }
      if let other = nodes.updateValue(node, forKey: host) {
        throw .sharedAddress(host, other, node)
      }
    }
    self.addresses = addresses
    self.nodes = nodes
  }

  subscript(node: NodeID) -> SocketAddress? { addresses[node] }

  var all: [NodeID: SocketAddress] { addresses }

  /// The node that connects from `source`.
  func node(at source: SocketAddress?) -> NodeID? {
    source?.ipAddress.flatMap { nodes[$0] }
  }
}
