import ByteCoding
import ClusterTypes

/// What kind of message follows the header (dlm-wire 3).
enum Command: UInt8 {
  case lock = 1
  case recovery = 2
  case envelope = 3
  case acknowledgement = 4
  case finish = 5
}

/// The 16 bytes that every message begins with, without the length (dlm-wire 3).
struct FrameHeader {
  var version: ProtocolVersion
  /// By command: a lockspace id, a sequence number, or 0.
  var number: UInt32
  var sender: NodeID
  var command: Command

  /// Reads the header of the message that is all the rest of `reader`.
  init(from reader: inout ByteReader) throws(FrameDecodingError) {
    let available = reader.remaining
    let fields: (version: UInt32, number: UInt32, sender: Int32, length: UInt16, command: UInt8)
    do throws(ByteDecodingError) {
      fields = try reader.readFields(Frame.headerLength) {
        ($0.read(), $0.read(), $0.read(), $0.read(), $0.read())
      }
    } catch {
      throw FrameDecodingError(error, in: "header")
    }
    guard Int(fields.length) == available, Frame.lengthRange.contains(available) else {
      throw .length(Int(fields.length))
    }
    version = ProtocolVersion(rawValue: fields.version)
    guard version == .version3dot1 || version == .version3dot2 else { throw .version(version) }
    number = fields.number
    guard let sender = NodeID(fields.sender) else { throw .sender(fields.sender) }
    self.sender = sender
    guard let command = Command(rawValue: fields.command) else { throw .command(fields.command) }
    self.command = command
  }
}

extension ByteWriter {
  /// Begins a message; what is written until `endFrame` is its contents.
  ///
  /// - Returns: where it begins.
  mutating func beginFrame(
    _ command: Command, number: UInt32, sender: NodeID, version: ProtocolVersion
  ) -> Int {
    let start = count
    writeFields(Frame.headerLength) {
      $0.write(version.rawValue)
      $0.write(number)
      $0.write(sender.rawValue)
      $0.write(UInt16(0))
      $0.write(command.rawValue)
    }
    return start
  }

  /// Fills in the length of the message that begins at `start`.
  mutating func endFrame(_ start: Int) {
    let length = count - start
    precondition(Frame.lengthRange.contains(length), "a message of \(length) bytes")
    overwrite(UInt16(length), at: start + 12)
  }

  /// Begins an envelope around a message that is to be written next; ends with `endFrame`.
  mutating func beginEnvelope(
    sequence: UInt32, inner: Command, sender: NodeID, version: ProtocolVersion
  ) -> Int {
    let start = beginFrame(.envelope, number: sequence, sender: sender, version: version)
    writeFields(8) { $0.write(inner.rawValue) }
    return start
  }
}
