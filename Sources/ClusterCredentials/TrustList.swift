import Crypto
import X509

/// Whom the nodes of a cluster believe, as its authority has said: signed, so that nobody changes it who
/// has not the authority's key, and numbered, so that every node knows which of two is newer.
///
/// A change reaches a node from any other one, and a node that was off when it was made learns it with its
/// next connection.
public struct TrustList: Hashable, Sendable {
  public let keys: TrustedKeys
  /// Grows with every change.
  public let number: UInt64
  /// ECDSA in DER over `content`, by an authority of `keys`.
  private let signature: [UInt8]

  /// Signs a list. The authority is one of those in it: while keys are rotated the older one, so that
  /// nodes that do not know the newer one yet accept it.
  public init(
    signing keys: TrustedKeys, number: UInt64, by authority: ClusterAuthority
  ) throws(CredentialError) {
    do {
      let content = try Self.content(keys, number)
      signature = try Array(authority.key.signature(for: content).derRepresentation)
    } catch let error as CredentialError {
      throw error
    } catch {
      throw CredentialError("the list of believed keys cannot be signed: \(error)")
    }
    self.keys = keys
    self.number = number
    guard keys.authorities.contains(where: isSigned) else {
      throw CredentialError("the signing authority is none of those that are to be believed")
    }
  }

  /// The list that is in force after this one.
  public func followed(
    by keys: TrustedKeys, signedBy authority: ClusterAuthority
  ) throws(CredentialError) -> TrustList {
    let next = try TrustList(signing: keys, number: number + 1, by: authority)
    _ = try next.replaces(self)
    return next
  }

  /// Whether this list takes the place of `current`; not when it is the same or an older one. Throws when
  /// nobody whom `current` believes has signed it.
  public func replaces(_ current: TrustList) throws(CredentialError) -> Bool {
    guard keys.cluster == current.keys.cluster else {
      throw CredentialError("the list of believed keys is for another cluster")
    }
    guard number > current.number else { return false }
    guard current.keys.authorities.contains(where: isSigned) else {
      throw CredentialError(
        "list \(number) of believed keys is signed by no authority that this node believes; if keys were "
          + "rotated while it was off, 'clvm cluster token' and 'clvm cluster join --replace' give it new "
          + "ones")
    }
    return true
  }

  private func isSigned(by authority: AuthorityCertificate) -> Bool {
    guard let key = P256.Signing.PublicKey(authority.certificate.publicKey),
      let signature = try? P256.Signing.ECDSASignature(derRepresentation: signature),
      let content = try? Self.content(keys, number)
    else { return false }
    return key.isValidSignature(signature, for: content)
  }

  private static func content(
    _ keys: TrustedKeys, _ number: UInt64
  ) throws(CredentialError) -> [UInt8] {
    Array("clvmd trust list\n\(try body(keys, number))".utf8)
  }

  private static func body(_ keys: TrustedKeys, _ number: UInt64) throws(CredentialError) -> String
  {
    let revoked = keys.revoked.map { "revoked \($0)\n" }.sorted().joined()
    return "number \(number)\n" + revoked + (try keys.authoritiesPEM)
  }
}

// The file in which a node keeps its list, and the form in which lists travel.
extension TrustList {
  private static let head = """
    # Whom this node believes; signed by the cluster's authority. 'clvm cluster withdraw' and
    # 'clvm cluster rotate-keys' change it on all nodes.

    """

  public var text: String {
    get throws(CredentialError) {
      Self.head + "signature \(Hexadecimal.text(signature))\n" + (try Self.body(keys, number))
    }
  }

  /// Refuses what is no list, and a list that is signed by none of its own authorities.
  public init(text: String) throws(CredentialError) {
    var numbers: [UInt64] = []
    var signatures: [[UInt8]] = []
    var revoked: Set<KeyFingerprint> = []
    var certificates = ""
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      if !certificates.isEmpty || line.hasPrefix("-----") {
        certificates += line + "\n"
        continue
      }
      let words = line.prefix { $0 != "#" }.split(separator: " ")
      guard !words.isEmpty else { continue }
      guard words.count == 2 else { throw Self.malformed(index) }
      switch words[0] {
      case "number": if let number = UInt64(words[1]) { numbers.append(number) }
      case "signature": if let bytes = Hexadecimal.bytes(words[1]) { signatures.append(bytes) }
      case "revoked":
        guard let fingerprint = KeyFingerprint(words[1]) else { throw Self.malformed(index) }
        revoked.insert(fingerprint)
      default: throw Self.malformed(index)
      }
    }
    guard numbers.count == 1, signatures.count == 1 else {
      throw CredentialError("the list of believed keys needs one number and one signature")
    }
    // Counting on must not overflow.
    guard numbers[0] < UInt64.max / 2 else {
      throw CredentialError("the number of the list of believed keys is too large")
    }
    number = numbers[0]
    signature = signatures[0]
    keys = try TrustedKeys(
      authorities: AuthorityCertificate.list(pem: certificates), revoked: revoked)
    guard keys.authorities.contains(where: isSigned) else {
      throw CredentialError(
        "the list of believed keys was changed by somebody else than the cluster's authority")
    }
  }

  private static func malformed(_ index: Int) -> CredentialError {
    CredentialError("line \(index + 1) of the list of believed keys cannot be understood")
  }
}
