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
      fields = (
        try reader.read(), try reader.read(), try reader.read(), try reader.read(),
        try reader.read()
      )
      try reader.skip(1)
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
  /// A header and what `body` writes behind it, with the length of both filled in.
  mutating func writeFrame(
    _ command: Command, number: UInt32, sender: NodeID, version: ProtocolVersion,
    _ body: (inout ByteWriter) -> Void
  ) {
    let start = count
    write(version.rawValue)
    write(number)
    write(sender.rawValue)
    let lengthOffset = count
    write(UInt16(0))
    write(command.rawValue)
    write(UInt8(0))
    body(&self)
    let length = count - start
    precondition(Frame.lengthRange.contains(length), "a message of \(length) bytes")
    overwrite(UInt16(length), at: lengthOffset)
  }
}
