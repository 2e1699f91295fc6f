import ByteCoding
import ClusterCredentials
import ClusterTypes

/// What a machine says that wants to become a node: the secret of its token, and a request for a
/// certificate of the key that it has made.
struct EnrolmentRequest: Equatable, Sendable {
  private static let magic = Array("clvj".utf8)
  private static let version: UInt16 = 1
  /// No frame may be longer before the secret is known to be right.
  static let maximumEncodedLength =
    4 + 2 + JoinToken.secretByteCount + 4 + 4 + VerifiedRequest.maximumLength

  var secret: [UInt8]
  var node: NodeID
  var certificateRequest: [UInt8]

  var encoded: [UInt8] {
    var writer = ByteWriter(reservingCapacity: 512)
    writer.write(Self.magic)
    writer.write(Self.version)
    writer.write(secret)
    writer.write(node.rawValue)
    writer.writeCounted(certificateRequest)
    return writer.bytes
  }

  init(secret: [UInt8], node: NodeID, certificateRequest: [UInt8]) {
    self.secret = secret
    self.node = node
    self.certificateRequest = certificateRequest
  }

  init(decoding bytes: ArraySlice<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    guard Array(try reader.readBytes(Self.magic.count)) == Self.magic else {
      throw .invalid("not a request to join a cluster")
    }
    let version = try reader.read(UInt16.self)
    guard version == Self.version else { throw .invalid("version \(version)") }
    secret = Array(try reader.readBytes(JoinToken.secretByteCount))
    let number = try reader.read(Int32.self)
    guard let node = NodeID(number) else { throw .invalid("node id \(number)") }
    self.node = node
    certificateRequest = Array(try reader.readCounted(limit: VerifiedRequest.maximumLength))
    try reader.expectEnd()
  }
}

/// What the new node gets.
public struct Enrolment: Equatable, Sendable {
  static let maximumTextLength = 256 << 10

  public var certificate: NodeCertificate
  public var trusted: TrustList
  /// The text of its clvmd.conf.
  public var configuration: String

  public init(certificate: NodeCertificate, trusted: TrustList, configuration: String) {
    self.certificate = certificate
    self.trusted = trusted
    self.configuration = configuration
  }
}

/// The answer to a request.
enum EnrolmentReply: Equatable, Sendable {
  case refused(String)
  case enrolled(Enrolment)

  static let maximumEncodedLength = 1 << 20

  func encoded() throws(CredentialError) -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: 4096)
    switch self {
    case .refused(let reason):
      writer.write(UInt8(0))
      writer.writeString(reason)
    case .enrolled(let enrolment):
      writer.write(UInt8(1))
      writer.writeString(try enrolment.certificate.pem)
      writer.writeString(try enrolment.trusted.text)
      writer.writeString(enrolment.configuration)
    }
    return writer.bytes
  }

  init(decoding bytes: ArraySlice<UInt8>) throws {
    var reader = ByteReader(bytes)
    let limit = Enrolment.maximumTextLength
    switch try reader.read(UInt8.self) {
    case 0: self = .refused(try reader.readString(limit: limit))
    case 1:
      self = .enrolled(
        Enrolment(
          certificate: try NodeCertificate(pem: try reader.readString(limit: limit)),
          trusted: try TrustList(text: try reader.readString(limit: limit)),
          configuration: try reader.readString(limit: limit)))
    case let kind: throw ByteDecodingError.invalid("a reply of kind \(kind)")
    }
    try reader.expectEnd()
  }
}
