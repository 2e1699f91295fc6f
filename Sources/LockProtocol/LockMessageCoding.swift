import ByteCoding
import ClusterTypes

extension LockMessage {
  /// Bytes between the header and `extra`.
  static let fieldsLength = 72

  /// Reads what follows the header (dlm-wire 7.1).
  init(
    lockspaceID: LockspaceID, sender: NodeID, from reader: inout ByteReader
  ) throws(ByteDecodingError) {
    self = try reader.readFields(Self.fieldsLength) { fields throws(ByteDecodingError) in
      try LockMessage(lockspaceID: lockspaceID, sender: sender, from: &fields)
    }
    extra = Array(reader.readRemaining())
  }

  /// Reads the fields alone.
  init(
    lockspaceID: LockspaceID, sender: NodeID, from fields: inout FieldReader
  ) throws(ByteDecodingError) {
    let typeNumber = fields.read(UInt32.self)
    guard let type = LockMessageType(rawValue: typeNumber) else {
      throw .invalid("type \(typeNumber)")
    }
    self.init(
      type, lockspaceID: lockspaceID, sender: sender, nodeID: fields.read(),
      processID: fields.read(), lockID: LockID(fields.read()), remoteID: LockID(fields.read()),
      parentLockID: LockID(fields.read()), parentRemoteID: LockID(fields.read()),
      lockFlags: LockFlags(rawValue: fields.read()),
      statusFlags: LockStatusFlags(rawValue: fields.read()),
      messageFlags: LockMessageFlags(rawValue: fields.read()), lvbSequence: fields.read(),
      hash: fields.read(), status: try fields.readQueueStatus(),
      grantedMode: try fields.readMode(), requestedMode: try fields.readMode(),
      blockingMode: try fields.readMode(), callbacks: LockCallbacks(rawValue: fields.read()),
      result: LockResult(rawValue: fields.read()))
  }

  func encodeBody(into writer: inout ByteWriter) {
    writer.writeFields(Self.fieldsLength) { encode(into: &$0) }
    writer.write(extra)
  }

  /// Writes the fields alone.
  func encode(into fields: inout FieldWriter) {
    fields.write(type.rawValue)
    fields.write(nodeID)
    fields.write(processID)
    fields.write(lockID.rawValue)
    fields.write(remoteID.rawValue)
    fields.write(parentLockID.rawValue)
    fields.write(parentRemoteID.rawValue)
    fields.write(lockFlags.rawValue)
    fields.write(statusFlags.rawValue)
    fields.write(messageFlags.rawValue)
    fields.write(lvbSequence)
    fields.write(hash)
    fields.write(Int32(status.rawValue))
    fields.write(Int32(grantedMode.rawValue))
    fields.write(Int32(requestedMode.rawValue))
    fields.write(Int32(blockingMode.rawValue))
    fields.write(callbacks.rawValue)
    fields.write(result.rawValue)
  }
}

extension FieldReader {
  fileprivate mutating func readMode() throws(ByteDecodingError) -> LockMode {
    let number = read(Int32.self)
    guard let mode = Int8(exactly: number).flatMap(LockMode.init) else {
      throw .invalid("lock mode \(number)")
    }
    return mode
  }

  fileprivate mutating func readQueueStatus() throws(ByteDecodingError) -> QueueStatus {
    let number = read(Int32.self)
    guard let status = Int8(exactly: number).flatMap(QueueStatus.init) else {
      throw .invalid("queue \(number)")
    }
    return status
  }
}
