import ByteCoding
import ClusterTypes
import FoundationEssentials

/// What an administrator carries from a node of the cluster to one that is to join it: where to
/// ask, by which authority to know who answers, and a secret that may be used once.
public struct JoinToken: Hashable, Sendable {
  public static let secretByteCount = 16
  public static let maximumTextLength = 512
  private static let prefix = "clvmd-"
  private static let version: UInt8 = 1
  /// A numeric address of either family.
  private static let maximumAddressLength = 45

  public let cluster: ClusterIdentifier
  /// Of the authority whose certificate the answering node must show.
  public let authority: KeyFingerprint
  public let secret: [UInt8]
  /// As which node the holder joins.
  public let node: NodeID
  /// Numeric address of the node that waits.
  public let address: String
  public let port: UInt16

  /// - Parameter secret: `secretByteCount` bytes; random ones if not given.
  public init(
    cluster: ClusterIdentifier, authority: KeyFingerprint, node: NodeID, address: String,
    port: UInt16, secret: [UInt8]? = nil
  ) {
    precondition(address.utf8.count <= Self.maximumAddressLength, "no numeric address")
    precondition(secret.map { $0.count == Self.secretByteCount } ?? true, "no secret of 16 bytes")
    self.cluster = cluster
    self.authority = authority
    self.node = node
    self.address = address
    self.port = port
    self.secret = secret ?? ClusterIdentifier.random().bytes
  }

  public var text: String {
    var writer = ByteWriter(reservingCapacity: 128)
    writer.write(Self.version)
    writer.write(cluster.bytes)
    writer.write(authority.bytes)
    writer.write(secret)
    writer.write(node.rawValue)
    writer.write(port)
    writer.writeString(address)
    writer.write(CRC32.zlib(writer.bytes))
    let base64 = Data(writer.bytes).base64EncodedString()
    return Self.prefix
      + String(
        base64.compactMap { character -> Character? in
          switch character {
          case "+": "-"
          case "/": "_"
          case "=": nil
          default: character
          }
        })
  }

  /// Refuses a text that is none, or that was not copied whole.
  public init(text: String) throws(CredentialError) {
    guard text.utf8.count <= Self.maximumTextLength, text.hasPrefix(Self.prefix) else {
      throw CredentialError("this is no token of 'clvm cluster token'")
    }
    var base64 = String(
      text.dropFirst(Self.prefix.count).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
    base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
    guard let data = Data(base64Encoded: base64), data.count > 4 else {
      throw CredentialError("the token is damaged; copy it again, whole")
    }
    let bytes = Array(data)
    do {
      var checksumReader = ByteReader(bytes[(bytes.count - 4)...])
      guard try checksumReader.read(UInt32.self) == CRC32.zlib(bytes.dropLast(4)) else {
        throw ByteDecodingError.invalid("checksum")
      }
      var reader = ByteReader(bytes.dropLast(4))
      let version = try reader.read(UInt8.self)
      guard version == Self.version else {
        throw CredentialError(
          "the token is of version \(version); use the same clvmd on both nodes")
      }
      guard let cluster = ClusterIdentifier(bytes: try reader.readBytes(16)),
        let authority = KeyFingerprint(bytes: try reader.readBytes(KeyFingerprint.byteCount))
      else { throw ByteDecodingError.invalid("length") }
      secret = Array(try reader.readBytes(Self.secretByteCount))
      guard let node = NodeID(try reader.read(Int32.self)) else {
        throw ByteDecodingError.invalid("node id")
      }
      self.cluster = cluster
      self.authority = authority
      self.node = node
      port = try reader.read()
      address = try reader.readString(limit: Self.maximumAddressLength)
      try reader.expectEnd()
    } catch let error as CredentialError {
      throw error
    } catch {
      throw CredentialError("the token is damaged; copy it again, whole")
    }
  }
}
