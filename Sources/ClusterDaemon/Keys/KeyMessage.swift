import AdminProtocol
import ByteCoding
import ClusterTypes

/// The answer of a daemon to a question about its keys.
enum KeyAnswer: Equatable {
  case failed(String)
  case state(NodeKeyState)
  /// A request for a certificate, PKCS #10.
  case request([UInt8])

  private static let textLimit = 4096

  var encoded: [UInt8] {
    var writer = ByteWriter(reservingCapacity: 512)
    switch self {
    case .failed(let reason):
      writer.write(UInt8(0))
      writer.writeString(String(reason.prefix(1000)))
    case .state(let state):
      writer.write(UInt8(1))
      writer.write(state.node.rawValue)
      writer.write(state.listNumber)
      writer.writeString(state.fingerprint)
      writer.writeString(state.authority)
    case .request(let bytes):
      writer.write(UInt8(2))
      writer.writeCounted(bytes)
    }
    return writer.bytes
  }

  init(decoding bytes: [UInt8]) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    switch try reader.read(UInt8.self) {
    case 0: self = .failed(try reader.readString(limit: Self.textLimit))
    case 1:
      let number = try reader.read(Int32.self)
      guard let node = NodeID(number) else { throw .invalid("node id \(number)") }
      self = .state(
        NodeKeyState(
          node: node, listNumber: try reader.read(),
          fingerprint: try reader.readString(limit: Self.textLimit),
          authority: try reader.readString(limit: Self.textLimit)))
    case 2: self = .request(Array(try reader.readCounted(limit: Self.textLimit)))
    case let kind: throw .invalid("an answer of kind \(kind)")
    }
    try reader.expectEnd()
  }
}
