import ClusterTypes
import LockProtocol
import NIOCore

/// Another node as the lock transport sees it: its link, and the connections that carry it.
final class LockPeer {
  let node: NodeID
  let address: SocketAddress
  /// Connections are accepted and made only while the control plane allows it.
  var isEnabled = false
  /// The transport has forgotten this peer; a successor may have taken its place.
  private(set) var isRemoved = false
  var link: PeerLink

  /// Oldest first. All are read; only `primary` is written to.
  private(set) var connections: [LockConnection] = []
  private(set) var primary: LockConnection?
  var attempt = Attempt.none
  var backoff = Backoff(first: .milliseconds(20), limit: .seconds(1))
  var timer: Scheduled<Void>?
  /// This node has left its last lockspace: it is for us to end the connections.
  var closesWhenAgreed = false

  /// Effects of the link that wait for their turn, while an earlier one is carried out.
  var effects: [PeerLink.Effect] = []
  var isPerforming = false

  /// How far the making of a connection is.
  enum Attempt {
    case none
    case scheduled(Scheduled<Void>)
    case connecting
  }

  /// Connections of one node at a time. A kernel uses two.
  static let maximumConnectionCount = 8

  init(node: NodeID, address: SocketAddress, link: PeerLink) {
    self.node = node
    self.address = address
    self.link = link
  }

  /// - Returns: whether the connection is now the one to send on.
  func add(_ connection: LockConnection) -> Bool {
    connection.peer = self
    connections.append(connection)
    if connections.count > Self.maximumConnectionCount {
      connections.first { $0 !== primary }?.abort()
    }
    guard primary == nil else { return false }
    primary = connection
    return true
  }

  /// - Returns: whether the connection to send on has changed.
  func remove(_ connection: LockConnection) -> Bool {
    connections.removeAll { $0 === connection }
    guard primary === connection else { return false }
    primary = connections.first
    return true
  }

  /// Ends all connections with a reset.
  func abortConnections() {
    for connection in connections { connection.abort() }
  }

  /// Nothing of this peer will happen any more.
  func forget() {
    isRemoved = true
    isEnabled = false
    effects = []
    timer?.cancel()
    if case .scheduled(let task) = attempt { task.cancel() }
    abortConnections()
  }
}
