import AdminProtocol
import ClusterCredentials
import ClusterDaemon
import ClusterTypes

/// Changes whom the nodes of a running cluster believe: signs on the node that holds the authority's key,
/// and has the daemons take it up.
public struct KeyChange {
  /// Asks the daemon of this node.
  public typealias Ask = (KeyRequest) throws -> AdminReply

  public struct Node: Equatable, Sendable {
    public var id: NodeID
    public var name: String

    public init(id: NodeID, name: String) {
      self.id = id
      self.name = name
    }
  }

  /// What all nodes have said about their keys.
  public struct States: Sendable {
    public var states: [NodeKeyState]
    public var silentNodes: [NodeID]

    /// Nodes that do not believe what the list of this number says.
    func behind(_ number: UInt64) -> [NodeID] {
      silentNodes + states.filter { $0.listNumber < number }.map(\.node)
    }
  }

  let directory: KeyDirectory
  let clusterName: String
  let localNode: NodeID
  let nodes: [Node]
  let ask: Ask
  /// Waits between two questions.
  let pause: () -> Void
  private static let attempts = 30
  private static let attemptsToHear = 4

  /// - Parameters:
  ///   - pause: waits about a second.
  public init(
    directory: KeyDirectory, clusterName: String, localNode: NodeID, nodes: [Node],
    pause: @escaping () -> Void, ask: @escaping Ask
  ) {
    self.directory = directory
    self.clusterName = clusterName
    self.localNode = localNode
    self.nodes = nodes
    self.pause = pause
    self.ask = ask
  }

  /// For the cluster that a clvmd.conf describes.
  public init(
    configurationPath: String, pause: @escaping () -> Void, ask: @escaping Ask
  ) throws {
    guard let text = try ConfigurationText(path: configurationPath) else {
      throw SetupError("\(configurationPath) does not exist; 'clvm cluster init' makes a cluster")
    }
    let cluster = try text.configuration().cluster
    guard cluster.id != nil else {
      throw SetupError("the cluster has no keys yet; 'clvm cluster init' makes them")
    }
    self.init(
      directory: KeyDirectory(path: cluster.keyDirectory), clusterName: cluster.name,
      localNode: cluster.localNode.id, nodes: cluster.nodes.map { Node(id: $0.id, name: $0.name) },
      pause: pause, ask: ask)
  }

  /// The configured node that is called so, or has that number; nil when there is none.
  public func node(_ text: String) -> Node? {
    nodes.first { $0.name == text || "\($0.id)" == text }
  }

  public func states() throws -> States { try states(of: ask(.states)) }

  private func states(of reply: AdminReply) throws -> States {
    switch reply {
    case .keyStates(let states, let silentNodes):
      return States(states: states, silentNodes: silentNodes)
    case .failed(let failure): throw SetupError(failure.message)
    default: throw SetupError("clvmd has answered another question")
    }
  }

  /// All nodes that are connected take the list up; those that are not learn it when they are back.
  ///
  /// - Returns: who has not yet.
  func distribute(_ list: TrustList) throws -> [NodeID] {
    let lines = try list.text.split(separator: "\n", omittingEmptySubsequences: false)
    var states = try states(of: ask(.adopt(list: lines.map(String.init))))
    var attempt = 0
    while !states.behind(list.number).isEmpty, attempt < Self.attempts {
      attempt += 1
      pause()
      states = try self.states()
      // Connections that end because of the list are made again at once; who stays silent may be off.
      let isOnlySilence = states.states.allSatisfy { $0.listNumber >= list.number }
      if isOnlySilence, attempt >= Self.attemptsToHear { break }
    }
    return states.behind(list.number).sorted()
  }

  func name(_ id: NodeID) -> String {
    nodes.first { $0.id == id }.map { "\($0.name) (\(id))" } ?? "\(id)"
  }

  func names(_ ids: [NodeID]) -> String { ids.map(name).joined(separator: ", ") }
}

/// `clvm cluster withdraw`.
extension KeyChange {
  public struct Withdrawal: Sendable {
    public var withdrawn: [KeyFingerprint]
    /// Nodes that do not know of it yet, because they are not connected.
    public var unaware: [NodeID]
  }

  /// Nobody believes the keys of the node from now on, and its connections are closed.
  ///
  /// - Parameter fingerprint: this key only; nil for all that were ever signed for the node.
  public func withdraw(_ node: Node, only fingerprint: KeyFingerprint? = nil) throws -> Withdrawal {
    guard node.id != localNode || fingerprint != nil else {
      throw SetupError(
        "\(name(node.id)) is this node, and holds the authority's key: nobody else could sign a new "
          + "key for it. 'clvm cluster rotate-keys' replaces all keys")
    }
    let list = try directory.trustList()
    let signer = try directory.signingAuthority()
    let shown = try states().states.first { $0.node == node.id }
    var keys = try directory.issuedKeys(for: node.id)
    if let shown, let key = KeyFingerprint(shown.fingerprint) { keys.insert(key) }
    if let fingerprint { keys = [fingerprint] }
    if node.id == localNode, let shown,
      keys.contains(where: { $0.description == shown.fingerprint })
    {
      throw SetupError(
        "this key is the one that this node uses; 'clvm cluster rotate-keys' replaces all keys")
    }
    keys.subtract(list.keys.revoked)
    guard !keys.isEmpty else {
      throw SetupError("\(name(node.id)) has no key that is believed")
    }
    let next = try list.followed(by: list.keys.revoking(keys), signedBy: signer)
    let unaware = try distribute(next).filter { $0 != node.id }
    return Withdrawal(
      withdrawn: keys.sorted { $0.description < $1.description }, unaware: unaware)
  }
}
