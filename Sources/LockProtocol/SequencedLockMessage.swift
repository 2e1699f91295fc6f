import ByteCoding
import ClusterTypes

/// A lock message in its envelope, in one go: the form of nearly everything that nodes say to each
/// other. `Frame` has the same for messages of all kinds, layer by layer.
enum SequencedLockMessage {
  /// Bytes before the message's `extra`: envelope, inner header, fields.
  static let fixedLength =
    Frame.envelopeLength + Frame.headerLength + LockMessage.fieldsLength

  static func length(_ message: LockMessage) -> Int { fixedLength + message.extra.count }

  /// Appends the message with its place in the sequence. Its length must be one that frames have.
  static func append(
    _ message: LockMessage, sequence: UInt32, version: ProtocolVersion, to bytes: inout [UInt8]
  ) {
    let length = length(message)
    precondition(Frame.lengthRange.contains(length), "a message of \(length) bytes")
    bytes.appendFields(fixedLength) { fields in
      fields.write(version.rawValue)
      fields.write(sequence)
      fields.write(message.sender.rawValue)
      fields.write(UInt16(length))
      fields.write(UInt16(Command.envelope.rawValue))
      fields.write(UInt64(Command.lock.rawValue))
      fields.write(version.rawValue)
      fields.write(message.lockspaceID.rawValue)
      fields.write(message.sender.rawValue)
      fields.write(UInt16(length - Frame.envelopeLength))
      fields.write(UInt16(Command.lock.rawValue))
      message.encode(into: &fields)
    }
    bytes.append(contentsOf: message.extra)
  }

  /// Reads a whole frame that must be a lock message of that node with that number; nil for any
  /// other, which `Frame` may or may not be able to decode.
  static func decode(
    _ frame: UnsafeRawBufferPointer, sequence: UInt32, sender: NodeID, version: ProtocolVersion
  ) -> LockMessage? {
    guard frame.count >= fixedLength else { return nil }
    var fields = FieldReader(frame)
    guard fields.read(UInt32.self) == version.rawValue, fields.read(UInt32.self) == sequence,
      fields.read(Int32.self) == sender.rawValue, Int(fields.read(UInt16.self)) == frame.count,
      fields.read(UInt8.self) == Command.envelope.rawValue
    else { return nil }
    fields.skip(1)
    guard fields.read(UInt8.self) == Command.lock.rawValue else { return nil }
    fields.skip(1)
    guard fields.read(UInt16.self) == 0 else { return nil }
    fields.skip(4)
    guard fields.read(UInt32.self) == version.rawValue else { return nil }
    let lockspaceID = LockspaceID(fields.read())
    guard fields.read(Int32.self) == sender.rawValue,
      Int(fields.read(UInt16.self)) == frame.count - Frame.envelopeLength,
      fields.read(UInt8.self) == Command.lock.rawValue
    else { return nil }
    fields.skip(1)
    guard
      var message = try? LockMessage(lockspaceID: lockspaceID, sender: sender, from: &fields)
    else { return nil }
    if frame.count > fixedLength { message.extra = Array(frame[fixedLength...]) }
    return message
  }
}
