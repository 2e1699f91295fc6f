import ClusterTypes
import NIOCore

/// Where a node listens. The second address, on another network, is used while the first does not
/// answer; kernels have none (dlm-wire 2).
struct NodeAddresses: Equatable {
  var first: SocketAddress
  var second: SocketAddress?

  /// - Parameter tryCount: connections to the node that failed since the last that did not.
  /// - Returns: the addresses of this node, `own`, and of that one for the next attempt.
  func path(from own: NodeAddresses, tryCount: Int) -> (
    source: SocketAddress, target: SocketAddress
  ) {
    guard let second, tryCount % 2 == 1 else { return (own.first, first) }
    return (own.second ?? own.first, second)
  }
}

/// The configured addresses of the other nodes, found by node and by source address.
///
/// The port of a connection's source says nothing and is ignored.
struct PeerAddresses {
  private let addresses: [NodeID: NodeAddresses]
  private let nodes: [String: NodeID]

  init() {
    addresses = [:]
    nodes = [:]
  }

  /// - Parameter second: other networks' addresses, of nodes that have one.
  init(
    _ first: [NodeID: SocketAddress], second: [NodeID: SocketAddress] = [:]
  ) throws(TransportError) {
    var nodes: [String: NodeID] = [:]
    var addresses: [NodeID: NodeAddresses] = [:]
    for (node, address) in first.sorted(by: { $0.key < $1.key }) {
      addresses[node] = NodeAddresses(first: address, second: second[node])
      for address in [address, second[node]].compactMap(\.self) {
        guard let host = address.ipAddress else { throw .notAnIPAddress(node) }
        if let other = nodes.updateValue(node, forKey: host) {
          throw .sharedAddress(host, other, node)
        }
      }
    }
    self.addresses = addresses
    self.nodes = nodes
  }

  subscript(node: NodeID) -> NodeAddresses? { addresses[node] }

  var all: [NodeID: NodeAddresses] { addresses }

  /// The node that connects from `source`.
  func node(at source: SocketAddress?) -> NodeID? {
    source?.ipAddress.flatMap { nodes[$0] }
  }
}
