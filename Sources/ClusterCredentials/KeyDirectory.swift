import DurableFiles
import Glibc

/// The files of a node's keys, in a directory that only root can read:
///
///     node.pem         the node's private key and its certificate
///     authorities.pem  whom it believes, the newest first
///     revoked          fingerprints of withdrawn keys, one a line
///     authority.key    the authority's private key, only where certificates are issued
///
/// Each file is replaced in one step, so that a crash leaves the old or the new.
public struct KeyDirectory: Sendable {
  public static let standardPath = "/etc/lvm/clvmd"
  private static let fileLengthMaximum = 1 << 20

  public let path: String

  public init(path: String = standardPath) { self.path = path }

  private var nodeFile: String { path + "/node.pem" }
  private var authoritiesFile: String { path + "/authorities.pem" }
  private var revokedFile: String { path + "/revoked" }
  private var authorityKeyFile: String { path + "/authority.key" }

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

  public func trustedKeys() throws(CredentialError) -> TrustedKeys {
    let authorities = try read(authoritiesFile, isSecret: false)
    // A node from which nobody was ever removed has no list.
    let revoked =
      access(revokedFile, F_OK) == 0 ? try read(revokedFile, isSecret: false) : ""
    do {
      return try TrustedKeys(authoritiesPEM: authorities, revokedText: revoked)
    } catch {
      throw CredentialError("\(path): \(error)")
    }
  }

  /// The authority that issues certificates. Fails on a node that has not its key.
  public func authority() throws(CredentialError) -> ClusterAuthority {
    guard access(authorityKeyFile, F_OK) == 0 else {
      throw CredentialError(
        "this node does not hold the key of the cluster's authority (\(authorityKeyFile)); do this "
          + "on the node where 'clvm cluster init' was run")
    }
    let text = try read(authorityKeyFile, isSecret: true)
    for certificate in try trustedKeys().authorities {
      if let authority = try? ClusterAuthority(keyPEM: text, certificate: certificate) {
        return authority
      }
    }
    throw CredentialError(
      "\(authorityKeyFile) is not the key of any authority in \(authoritiesFile)")
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

  public func store(_ trusted: TrustedKeys) throws(CredentialError) {
    // A key that is withdrawn must not be believed for a moment after a crash in between.
    try write(trusted.revokedText, to: revokedFile)
    try write(try trusted.authoritiesPEM, to: authoritiesFile)
  }

  public func store(_ authority: ClusterAuthority) throws(CredentialError) {
    try write(authority.keyPEM, to: authorityKeyFile)
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
