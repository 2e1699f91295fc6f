import ClusterCredentials
import ClusterDaemon
import ClusterTransport
import ClusterTypes
import NIOCore
import NIOPosix

/// `clvm cluster token`: a token for one node, and the wait until it is used.
public struct JoinInvitation: Sendable {
  public let node: NodeID
  public let nodeName: String
  private let address: String
  private let port: UInt16
  private let secret = ClusterIdentifier.random().bytes
  private let configuration: String
  private let authority: ClusterAuthority
  private let credential: NodeCredential
  private let trusted: TrustList
  private let keyDirectory: KeyDirectory

  /// - Parameters:
  ///   - node: name or number of the node that is to join; nil when there is one other only.
  ///   - port: where to wait, on this node's address; 0 takes any free one.
  public init(node: String?, port: UInt16, configurationPath: String) throws {
    guard let text = try ConfigurationText(path: configurationPath) else {
      throw SetupError("\(configurationPath) does not exist; 'clvm cluster init' makes a cluster")
    }
    let joining = try Self.node(node, of: try text.configuration().cluster)
    try self.init(joining: joining.id, name: joining.name, port: port, text: text)
  }

  init(joining: NodeID, name: String, port: UInt16, text: ConfigurationText) throws {
    let cluster = try text.configuration().cluster
    guard let id = cluster.id else {
      throw SetupError("the cluster has no keys yet; 'clvm cluster init' makes them")
    }
    let directory = KeyDirectory(path: cluster.keyDirectory)
    authority = try directory.authority()
    credential = try directory.credential()
    keyDirectory = directory
    trusted = try directory.trustList()
    guard trusted.keys.cluster == id else {
      throw SetupError("\(directory.path) holds the keys of another cluster")
    }
    guard trusted.keys.authorities.count == 1 else {
      throw SetupError(
        "the cluster's keys are being rotated: finish that with 'clvm cluster rotate-keys' first")
    }
    configuration = try text.text(for: joining)
    node = joining
    nodeName = name
    address = "\(cluster.localNode.address)"
    self.port = port
  }

  /// - Parameter port: where the invitation waits.
  func token(port: UInt16) -> JoinToken {
    JoinToken(
      cluster: trusted.keys.cluster, authority: authority.certificate.fingerprint, node: node,
      address: address, port: port, secret: secret)
  }

  private static func node(
    _ wanted: String?, of cluster: DaemonConfiguration.Cluster
  ) throws(SetupError) -> DaemonConfiguration.Node {
    let others = cluster.nodes.filter { $0.id != cluster.localNode.id }
    let names = others.map { "\($0.name) (\($0.id))" }.joined(separator: ", ")
    guard let wanted else {
      if others.count == 1, let only = others.first { return only }
      throw SetupError("say with --node which node is to join: \(names)")
    }
    guard let node = others.first(where: { $0.name == wanted || "\($0.id)" == wanted }) else {
      throw SetupError(
        "there is no other node '\(wanted)' in the cluster's configuration; there are: \(names)")
    }
    return node
  }

  /// Waits until the token is used, no longer than `lifetime`.
  ///
  /// - Parameter listening: gets the token's text once this node waits for it.
  /// - Returns: the fingerprint of the new node's key.
  public func wait(
    lifetime: Duration, on group: any EventLoopGroup, listening: (String) -> Void
  ) throws -> KeyFingerprint {
    let server = try EnrolmentServer.start(
      token(port: port), authority: authority, credential: credential, trusted: trusted,
      configuration: configuration, eventLoop: group.next(),
      record: { [keyDirectory] certificate throws(CredentialError) in
        try keyDirectory.noteIssued(certificate)
      }
    ).wait()
    defer {
      // Nobody is left to be told, and the process ends.
      _ = try? server.stop().wait()
    }
    server.expire(after: .nanoseconds(Int64(lifetime.wholeNanoseconds)))
    let port = server.address?.port.flatMap { UInt16(exactly: $0) } ?? port
    listening(token(port: port).text)
    return try server.joined.wait().fingerprint
  }
}

/// `clvm cluster join`: makes this machine's key, and stores what the cluster gives for it.
public struct ClusterJoining: Sendable {
  public struct Result: Sendable {
    public var clusterName: String
    public var node: NodeID
    public var fingerprint: KeyFingerprint
  }

  private let token: JoinToken
  private let configurationPath: String
  private let keyDirectory: KeyDirectory

  public init(token: String, configurationPath: String, keyDirectory: KeyDirectory) throws {
    self.token = try JoinToken(text: token)
    self.configurationPath = configurationPath
    self.keyDirectory = keyDirectory
  }

  /// - Parameter replaces: overwrite a clvmd.conf of another content, and an older key.
  public func run(replaces: Bool, on group: any EventLoopGroup) throws -> Result {
    let existing = try ConfigurationText(path: configurationPath)
    if keyDirectory.hasCredential, !replaces {
      throw SetupError(
        "\(keyDirectory.path) holds the key of a node already; --replace gives the node a new one")
    }
    // Whatever is wrong with it, the file was written by somebody for some purpose.
    if let existing, !replaces, try existing.clusterID() != token.cluster {
      throw SetupError(
        "\(configurationPath) exists, and is not that of the token's cluster; --replace overwrites it"
      )
    }
    let key = NodeKey()
    let fingerprint = try key.fingerprint
    let isStandard = keyDirectory.path == KeyDirectory.standardPath
    let store: @Sendable (NodeCredential, Enrolment) throws -> Void = {
      [configurationPath, keyDirectory, token] credential, enrolment in
      var text = ConfigurationText(path: configurationPath, text: enrolment.configuration)
      if !isStandard {
        text.text = try text.text(for: token.node, keyDirectory: keyDirectory.path)
      }
      let cluster = try text.configuration().cluster
      guard cluster.id == token.cluster, cluster.localNode.id == token.node else {
        throw SetupError("the cluster has sent the configuration of another node")
      }
      try keyDirectory.make()
      try keyDirectory.store(enrolment.trusted)
      try text.write()
      try keyDirectory.store(credential)
    }
    try EnrolmentClient.join(token, key: key, eventLoop: group.next(), store: store).wait()
    guard let written = try ConfigurationText(path: configurationPath) else {
      throw SetupError("\(configurationPath) has gone")
    }
    return Result(
      clusterName: try written.configuration().cluster.name, node: token.node,
      fingerprint: fingerprint)
  }
}
