import ClusterTypes
import LockProtocol
import NIOCore

/// Another node as the lock transport sees it: its link, and the connections that carry it.
final class LockPeer {
  let node: NodeID
  let addresses: NodeAddresses
  /// Attempts to connect that failed since the last that did not.
  var failedAttempts = 0
  /// Connections are accepted and made only while the control plane allows it.
  var isEnabled = false
  /// The transport has forgotten this peer; a successor may have taken its place.
  private(set) var isRemoved = false
  // The link is stepped for each message, and answers with effects that are carried out afterwards:
  // nothing comes back to it meanwhile, and checks for that would cost more than the step.
  @exclusivity(unchecked)
  var link: PeerLink
  /// Which life of the node new connections belong to, and which one the link talks to. They differ
  /// while the node may have died without anybody being told (`LockTransport.expectNextLife`).
  private(set) var life = 0
  private(set) var linkLife = 0

  /// Oldest first. All are read; only `primary` is written to.
  private(set) var connections: [LockConnection] = []
  @exclusivity(unchecked)
  private(set) var primary: LockConnection?
  var attempt = Attempt.none
  var backoff = Backoff(first: .milliseconds(20), limit: .seconds(1))
  var timer: Scheduled<Void>?
  /// This node has left its last lockspace: it is for us to end the connections.
  var closesWhenAgreed = false

  /// Effects of the link that wait for their turn, while an earlier one is carried out.
  @exclusivity(unchecked)
  var effects: [PeerLink.Effect] = []
  @exclusivity(unchecked)
  var isPerforming = false

  /// How far the making of a connection is.
  enum Attempt {
    case none
    case scheduled(Scheduled<Void>)
    case connecting
  }

  /// Connections of one node at a time. A kernel uses two.
  static let maximumConnectionCount = 8

  init(node: NodeID, addresses: NodeAddresses, link: PeerLink) {
    self.node = node
    self.addresses = addresses
    self.link = link
  }

  /// - Returns: whether the connection is now the one to send on.
  func add(_ connection: LockConnection) -> Bool {
    connection.peer = self
    connection.life = life
    connections.append(connection)
    if connections.count > Self.maximumConnectionCount {
      connections.first { $0 !== primary }?.abort()
    }
    return takePrimary()
  }

  /// - Returns: whether there is a connection to send on now, and was none before.
  private func takePrimary() -> Bool {
    guard primary == nil else { return false }
    primary = connections.first { $0.life == linkLife }
    return primary != nil
  }

  /// - Returns: whether the connection to send on has changed.
  func remove(_ connection: LockConnection) -> Bool {
    connections.removeAll { $0 === connection }
    guard primary === connection else { return false }
    primary = nil
    _ = takePrimary()
    return true
  }

  // MARK: Lives

  /// Whether the link still talks to a life of the node that may be over.
  var isBetweenLives: Bool { life != linkLife }

  func expectNextLife() {
    if link.state == .closed { return }
    life = linkLife + 1
  }

  /// The connection turned out to belong to the life that was thought to be over.
  ///
  /// - Returns: whether it is now the one to send on.
  func keepsLife(_ connection: LockConnection) -> Bool {
    connection.life = linkLife
    return takePrimary()
  }

  /// That life has taken leave in order: what comes next is a new one.
  ///
  /// - Returns: whether there is a connection to send on now, and was none before.
  func endLife() -> Bool {
    guard isBetweenLives else { return false }
    for connection in connections where connection.life == linkLife { connection.life = life }
    linkLife = life
    return takePrimary()
  }

  /// The node has died and is back: nothing of its past counts any more.
  func beginNextLife(with link: PeerLink) {
    linkLife = life
    self.link = link
    effects = []
    timer?.cancel()
    backoff.reset()
    for connection in connections where connection.life != life { connection.abort() }
    connections.removeAll { $0.life != life }
    primary = nil
    _ = takePrimary()
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
