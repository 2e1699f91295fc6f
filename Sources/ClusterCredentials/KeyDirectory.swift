import ClusterTypes
import DurableFiles
import Glibc

/// The files of a node's keys, in a directory that only root can read:
///
///     node.pem         the node's private key and its certificate
///     trusted          whom it believes, signed by the cluster's authority
///     authority.key    the authority's private key, only where certificates are issued
///     authority.next   while keys are rotated, the private key of the newer authority
///     issued           for which node which key was signed, also only there
///
/// Each file is replaced in one step, so that a crash leaves the old or the new.
public struct KeyDirectory: Sendable {
  public static let standardPath = "/etc/lvm/clvmd"
  private static let fileLengthMaximum = 1 << 20

  public let path: String

  public init(path: String = standardPath) { self.path = path }

  private var nodeFile: String { path + "/node.pem" }
  private var trustFile: String { path + "/trusted" }
  private var authorityKeyFile: String { path + "/authority.key" }
  private var nextAuthorityKeyFile: String { path + "/authority.next" }
  private var issuedFile: String { path + "/issued" }

  /// Whether the node has a key already.
  public var hasCredential: Bool { access(nodeFile, F_OK) == 0 }

  public func credential() throws(CredentialError) -> NodeCredential {
    let text = try read(nodeFile, isSecret: true)
    do {
      return try NodeCredential(nodePEM: text)
    } catch {
      throw CredentialError("\(nodeFile): \(error)")
    }
  }

  public func trustList() throws(CredentialError) -> TrustList {
    let text = try read(trustFile, isSecret: false)
    do {
      return try TrustList(text: text)
    } catch {
      throw CredentialError("\(trustFile): \(error)")
    }
  }

  public func trustedKeys() throws(CredentialError) -> TrustedKeys { try trustList().keys }

  /// Whether this node issues certificates.
  public var hasAuthority: Bool { access(authorityKeyFile, F_OK) == 0 }

  /// The authority that issues certificates: the newest one that is believed. Fails on a node that has
  /// not its key.
  public func authority() throws(CredentialError) -> ClusterAuthority {
    try requireAuthority()
    let newest = try trustedKeys().authorities.prefix(1)
    return try authority(among: newest)
  }

  /// The oldest authority that is believed: its signature is understood by every node.
  public func signingAuthority() throws(CredentialError) -> ClusterAuthority {
    try requireAuthority()
    let oldest = try trustedKeys().authorities.suffix(1)
    return try authority(among: oldest)
  }

  private func requireAuthority() throws(CredentialError) {
    guard hasAuthority else {
      throw CredentialError(
        "this node does not hold the key of the cluster's authority (\(authorityKeyFile)); do this "
          + "on the node where 'clvm cluster init' was run")
    }
  }

  private func authority(
    among certificates: ArraySlice<AuthorityCertificate>
  ) throws(CredentialError) -> ClusterAuthority {
    for file in [authorityKeyFile, nextAuthorityKeyFile] where access(file, F_OK) == 0 {
      let text = try read(file, isSecret: true)
      for certificate in certificates {
        if let authority = try? ClusterAuthority(keyPEM: text, certificate: certificate) {
          return authority
        }
      }
    }
    throw CredentialError(
      "\(authorityKeyFile) is not the key of the authority in \(trustFile)")
  }

  /// The keys that were signed for a node, as far as this directory knows.
  public func issuedKeys(for node: NodeID) throws(CredentialError) -> Set<KeyFingerprint> {
    guard access(issuedFile, F_OK) == 0 else { return [] }
    var found: Set<KeyFingerprint> = []
    for line in try read(issuedFile, isSecret: false).split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let fingerprint = KeyFingerprint(words[1]) else {
        throw CredentialError("\(issuedFile) has a line that is not understood: \(line)")
      }
      if NodeID(words[0]) == node { found.insert(fingerprint) }
    }
    return found
  }

  // MARK: - Writing

  public func make() throws(CredentialError) {
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw Self.failure("make directory", path)
    }
    guard chmod(path, 0o700) == 0 else { throw Self.failure("protect directory", path) }
  }

  public func store(_ credential: NodeCredential) throws(CredentialError) {
    try write(try credential.nodePEM, to: nodeFile)
  }

  public func store(_ list: TrustList) throws(CredentialError) {
    try write(try list.text, to: trustFile)
  }

  public func store(_ authority: ClusterAuthority) throws(CredentialError) {
    try write(authority.keyPEM, to: authorityKeyFile)
  }

  /// The authority that is to follow; `finishRotation` makes it the only one.
  public func storeNext(_ authority: ClusterAuthority) throws(CredentialError) {
    try write(authority.keyPEM, to: nextAuthorityKeyFile)
  }

  /// The newer authority's key takes the place of the older one's, for good. Does nothing when that was
  /// done.
  public func finishRotation() throws(CredentialError) {
    guard access(nextAuthorityKeyFile, F_OK) == 0 else { return }
    guard rename(nextAuthorityKeyFile, authorityKeyFile) == 0 else {
      throw Self.failure("replace", authorityKeyFile)
    }
  }

  /// To be called before a certificate is handed out: what was issued can be withdrawn.
  public func noteIssued(_ certificate: NodeCertificate) throws(CredentialError) {
    let old = access(issuedFile, F_OK) == 0 ? try read(issuedFile, isSecret: false) : ""
    try write(
      old + "\(certificate.identity.node) \(certificate.fingerprint)\n", to: issuedFile)
  }

  // MARK: - Files

  private func read(_ file: String, isSecret: Bool) throws(CredentialError) -> String {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failure("open", file) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.failure("examine", file) }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= Self.fileLengthMaximum else {
      throw CredentialError("\(file) is no ordinary file of at most 1 MiB")
    }
    if isSecret {
      guard status.st_mode & 0o077 == 0, status.st_uid == geteuid() else {
        throw CredentialError(
          "\(file) can be read by others, and holds a private key: chown root \(file); "
            + "chmod 600 \(file). If somebody else may have read it, give the node a new key")
      }
    }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 {
        guard errno == EINTR else { throw Self.failure("read", file) }
        continue
      }
      guard count > 0, content.count + count <= Self.fileLengthMaximum else { break }
      content += buffer[..<count]
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw CredentialError("\(file) is no text")
    }
    return text
  }

  private func write(_ text: String, to file: String) throws(CredentialError) {
    do throws(FileReplacementError) {
      try replaceFile(file, with: Array(text.utf8), permissions: 0o600)
    } catch {
      throw CredentialError("\(error)")
    }
  }

  private static func failure(_ what: String, _ path: String) -> CredentialError {
    let reason = String(cString: strerror(errno))
    return CredentialError("cannot \(what) \(path): \(reason)")
  }
}
