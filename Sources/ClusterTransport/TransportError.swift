import ClusterTypes
import NIOCore

/// Why a transport cannot do its work; the text is for the administrator.
public enum TransportError: Error, CustomStringConvertible {
  /// The address is in use or not this machine's.
  case cannotListen(on: SocketAddress, purpose: String, reason: String)
  /// Peers are told apart by their addresses, so two nodes cannot share one.
  case sharedAddress(String, NodeID, NodeID)
  /// Only IP addresses can be configured.
  case notAnIPAddress(NodeID)

  public var description: String {
    switch self {
    case .cannotListen(let address, let purpose, let reason):
      "cannot listen on \(address) for \(purpose): \(reason); check the node's configured address "
        + "and port, and whether another program uses them"
    case .sharedAddress(let address, let first, let second):
      "nodes \(first) and \(second) are configured with the same address \(address); "
        + "give each node its own"
    case .notAnIPAddress(let node):
      "the address of node \(node) is not an IP address"
    }
  }
}
