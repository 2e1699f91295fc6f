import ByteCoding
import ClusterTypes

/// One message of the TCP stream between two nodes (dlm-wire 3, 5.1, 5.3).
///
/// Decoding is total: whatever the bytes are, there is a value or a typed error, and no more
/// memory is taken than the message is long.
public struct Frame: Hashable, Sendable {
  public enum Content: Hashable, Sendable {
    /// A packet outside the sequence.
    case bare(Packet)
    /// A packet with its place in the sequence.
    case sequenced(UInt32, Packet)
    /// "I will send nothing sequenced any more", with its own place in the sequence.
    case finish(UInt32)
    /// Everything before this number has arrived.
    case acknowledgement(UInt32)
  }

  /// Bytes of the shortest and the longest message.
  public static let lengthRange = 16...4096
  @usableFromInline
  static let headerLength = 16
  static let envelopeLength = 24

  public var version: ProtocolVersion
  /// Who wrote the outer header. A packet inside names its sender itself, and that one counts.
  public var sender: NodeID
  public var content: Content

  public init(_ content: Content, sender: NodeID, version: ProtocolVersion = .version3dot2) {
    self.version = version
    self.sender = sender
    self.content = content
  }
}

extension Frame {
  /// Decodes one whole message.
  public init(decoding bytes: ArraySlice<UInt8>) throws(FrameDecodingError) {
    var reader = ByteReader(bytes)
    let header = try FrameHeader(from: &reader)
    version = header.version
    sender = header.sender
    switch header.command {
    case .lock, .recovery:
      content = .bare(try Packet(header, from: &reader))
    case .acknowledgement:
      content = .acknowledgement(header.number)
    case .envelope:
      do throws(FrameDecodingError) {
        content = try Self.contentOfEnvelope(sequence: header.number, from: &reader)
      } catch {
        throw .envelope(sequence: header.number, error)
      }
    case .finish:
      throw .malformed("a bare finish message")
    }
  }

  public init(decoding bytes: [UInt8]) throws(FrameDecodingError) {
    try self.init(decoding: bytes[...])
  }

  static func contentOfEnvelope(
    sequence: UInt32, from reader: inout ByteReader
  ) throws(FrameDecodingError) -> Content {
    let innerCommand: UInt8
    do throws(ByteDecodingError) {
      innerCommand = try reader.read()
      try reader.skip(1)
      let optionsLength = try reader.read(UInt16.self)
      try reader.skip(4 + Int(optionsLength))
    } catch {
      throw FrameDecodingError(error, in: "envelope")
    }
    let header = try FrameHeader(from: &reader)
    guard innerCommand == header.command.rawValue else {
      throw .malformed("command \(header.command.rawValue) announced as \(innerCommand)")
    }
    switch header.command {
    case .lock, .recovery: return .sequenced(sequence, try Packet(header, from: &reader))
    case .finish: return .finish(sequence)
    case .envelope, .acknowledgement: throw .command(header.command.rawValue)
    }
  }

  /// The message's bytes. A packet longer than its place allows is a programmer's error.
  public func encoded() -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: 192)
    switch content {
    case .bare(let packet):
      packet.encode(into: &writer, version: version)
    case .acknowledgement(let next):
      writer.endFrame(
        writer.beginFrame(.acknowledgement, number: next, sender: sender, version: version))
    case .sequenced(let sequence, let packet):
      return Self.encoded(packet, sequence: sequence, sender: sender, version: version)
    case .finish(let sequence):
      let envelope = writer.beginEnvelope(
        sequence: sequence, inner: .finish, sender: sender, version: version)
      writer.endFrame(writer.beginFrame(.finish, number: 0, sender: sender, version: version))
      writer.endFrame(envelope)
    }
    return writer.bytes
  }

  /// The bytes of a packet with its place in the sequence.
  static func encoded(
    _ packet: Packet, sequence: UInt32, sender: NodeID, version: ProtocolVersion
  ) -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: 192)
    let envelope = writer.beginEnvelope(
      sequence: sequence, inner: packet.command, sender: sender, version: version)
    packet.encode(into: &writer, version: version)
    writer.endFrame(envelope)
    return writer.bytes
  }
}
