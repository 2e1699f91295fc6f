import ByteCoding
import ClusterTypes

extension LockMessage {
  /// Reads what follows the header (dlm-wire 7.1).
  init(
    lockspaceID: LockspaceID, sender: NodeID, from reader: inout ByteReader
  ) throws(ByteDecodingError) {
    let typeNumber = try reader.read(UInt32.self)
    guard let type = LockMessageType(rawValue: typeNumber) else {
      throw .invalid("type \(typeNumber)")
    }
    self.init(type, lockspaceID: lockspaceID, sender: sender)
    nodeID = try reader.read()
    processID = try reader.read()
    lockID = try reader.readLockID()
    remoteID = try reader.readLockID()
    parentLockID = try reader.readLockID()
    parentRemoteID = try reader.readLockID()
    lockFlags = LockFlags(rawValue: try reader.read())
    statusFlags = LockStatusFlags(rawValue: try reader.read())
    messageFlags = LockMessageFlags(rawValue: try reader.read())
    lvbSequence = try reader.read()
    hash = try reader.read()
    status = try reader.readQueueStatus(as: Int32.self)
    grantedMode = try reader.readMode(as: Int32.self)
    requestedMode = try reader.readMode(as: Int32.self)
    blockingMode = try reader.readMode(as: Int32.self)
    callbacks = LockCallbacks(rawValue: try reader.read())
    result = LockResult(rawValue: try reader.read())
    extra = Array(reader.readRemaining())
  }

  func encodeBody(into writer: inout ByteWriter) {
    writer.write(type.rawValue)
    writer.write(nodeID)
    writer.write(processID)
    writer.write(lockID.rawValue)
    writer.write(remoteID.rawValue)
    writer.write(parentLockID.rawValue)
    writer.write(parentRemoteID.rawValue)
    writer.write(lockFlags.rawValue)
    writer.write(statusFlags.rawValue)
    writer.write(messageFlags.rawValue)
    writer.write(lvbSequence)
    writer.write(hash)
    writer.write(Int32(status.rawValue))
    writer.write(Int32(grantedMode.rawValue))
    writer.write(Int32(requestedMode.rawValue))
    writer.write(Int32(blockingMode.rawValue))
    writer.write(callbacks.rawValue)
    writer.write(result.rawValue)
    writer.write(extra)
  }
}
