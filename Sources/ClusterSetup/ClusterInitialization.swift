import ClusterCredentials
import ClusterDaemon
import ClusterTypes

/// `clvm cluster init`: makes the cluster's id, its authority, this node's key, and a clvmd.conf
/// where there is none.
public struct ClusterInitialization: Sendable {
  /// What was made.
  public struct Result: Sendable {
    public var cluster: ClusterIdentifier
    public var clusterName: String
    public var node: NodeID
    public var authority: KeyFingerprint
    /// The other nodes, which have to join.
    public var others: [NodeID]
    public var madeConfiguration: Bool
  }

  /// Of a new cluster. Nil takes the nodes from the existing clvmd.conf.
  public struct NewCluster: Sendable {
    public var name: String
    public var nodes: [NamedNode]
    /// The name of this machine's node; nil is the host's name.
    public var localNode: String?
    /// The cluster believes an administrator's word about dead nodes.
    public var allowsExternal: Bool

    public init(name: String, nodes: [NamedNode], localNode: String?, allowsExternal: Bool) {
      self.name = name
      self.nodes = nodes
      self.localNode = localNode
      self.allowsExternal = allowsExternal
    }
  }

  private let configurationPath: String
  private let keyDirectory: KeyDirectory

  public init(configurationPath: String, keyDirectory: KeyDirectory) {
    self.configurationPath = configurationPath
    self.keyDirectory = keyDirectory
  }

  /// Changes nothing unless all of it can be used.
  ///
  /// - Parameter exportDirectory: where to leave, for each other node, a directory of its name with
  ///   its keys and its clvmd.conf. Nil leaves the other nodes to join with tokens.
  public func run(_ new: NewCluster?, exportDirectory: String? = nil) throws -> Result {
    guard !keyDirectory.hasCredential else {
      throw SetupError(
        "\(keyDirectory.path) holds the key of a node already; a node is in one cluster. Remove the "
          + "directory if this machine is to leave that cluster for good")
    }
    let existing = try ConfigurationText(path: configurationPath)
    let id = ClusterIdentifier.random()
    let configurationText: ConfigurationText
    switch (existing, new) {
    case (let existing?, nil):
      guard try existing.clusterID() == nil else {
        throw SetupError(
          "\(configurationPath) is that of a cluster with keys. A node joins it with "
            + "'clvm cluster join', and a lost key is replaced in the same way")
      }
      var changed = existing
      try changed.insert(id: id)
      configurationText = changed
    case (nil, let new?):
      configurationText = ConfigurationText(
        path: configurationPath, text: try text(of: new, id: id))
    case (.some, .some):
      throw SetupError(
        "\(configurationPath) exists: leave out --name and --node to make keys for the cluster that "
          + "it describes, or move it away")
    case (nil, nil):
      throw SetupError(
        "\(configurationPath) does not exist: give --name, and --node for each node of the cluster")
    }
    let configuration = try configurationText.configuration()
    let authority = try makeKeys(id, configuration)
    if let exportDirectory {
      try export(configurationText, configuration, authority, to: exportDirectory)
    }
    try configurationText.write()
    let local = configuration.cluster.localNode.id
    return Result(
      cluster: id, clusterName: configuration.cluster.name, node: local,
      authority: authority.certificate.fingerprint,
      others: configuration.cluster.nodes.map(\.id).filter { $0 != local },
      madeConfiguration: existing == nil)
  }

  private func text(of new: NewCluster, id: ClusterIdentifier) throws(SetupError) -> String {
    let nodes = new.nodes.numbered()
    let hostName = new.localNode ?? ConfigurationFile.hostName()
    let shortName = hostName.prefix { $0 != "." }
    guard
      let local = nodes.first(where: { $0.name == hostName || $0.name == shortName })?.id
    else {
      throw SetupError(
        "no --node is named '\(hostName)' like this host; name the node so, or say with --local "
          + "which one this machine is")
    }
    let isStandard = keyDirectory.path == KeyDirectory.standardPath
    return StartingConfiguration(
      clusterName: new.name, id: id, nodes: nodes,
      keyDirectory: isStandard ? nil : keyDirectory.path, localNode: local,
      allowsExternal: new.allowsExternal
    ).text
  }

  private func makeKeys(
    _ id: ClusterIdentifier, _ configuration: DaemonConfiguration
  ) throws(CredentialError) -> ClusterAuthority {
    let authority = try ClusterAuthority(cluster: id, clusterName: configuration.cluster.name)
    let key = NodeKey()
    let certificate = try authority.issue(
      VerifiedRequest(decoding: try key.certificateRequest()),
      for: configuration.cluster.localNode.id)
    try keyDirectory.make()
    try keyDirectory.store(try Self.firstList(of: authority))
    try keyDirectory.store(authority)
    try keyDirectory.noteIssued(certificate)
    // Last: with it the directory counts as filled.
    try keyDirectory.store(NodeCredential(key: key, certificate: certificate))
    return authority
  }

  private static func firstList(
    of authority: ClusterAuthority
  ) throws(CredentialError) -> TrustList {
    try TrustList(
      signing: TrustedKeys(authorities: [authority.certificate]), number: 1, by: authority)
  }

  /// Private keys leave the machine on which they were made: for laboratories, and for those who
  /// have a safe way of their own to bring files to machines.
  private func export(
    _ text: ConfigurationText, _ configuration: DaemonConfiguration,
    _ authority: ClusterAuthority, to path: String
  ) throws {
    try KeyDirectory(path: path).make()
    for node in configuration.cluster.nodes where node.id != configuration.cluster.localNode.id {
      let directory = KeyDirectory(path: "\(path)/\(node.name)")
      let key = NodeKey()
      let certificate = try authority.issue(
        VerifiedRequest(decoding: try key.certificateRequest()), for: node.id)
      try directory.make()
      try keyDirectory.noteIssued(certificate)
      try directory.store(try Self.firstList(of: authority))
      try directory.store(NodeCredential(key: key, certificate: certificate))
      try ConfigurationText(
        path: "\(directory.path)/clvmd.conf", text: try text.text(for: node.id)
      ).write()
    }
  }
}
