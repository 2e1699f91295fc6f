import ByteCoding

extension RecoveredLock {
  /// Bytes before the lock value block (dlm-wire 14.6).
  static let encodedLength = 108

  init(from reader: inout ByteReader) throws(ByteDecodingError) {
    ownerProcessID = try reader.read()
    lockID = try reader.readLockID()
    remoteID = try reader.readLockID()
    parentLockID = try reader.readLockID()
    parentRemoteID = try reader.readLockID()
    lockFlags = LockFlags(rawValue: try reader.read())
    messageFlags = LockMessageFlags(rawValue: try reader.read())
    lvbSequence = try reader.read()
    result = LockResult(rawValue: try reader.read())
    requestedMode = try reader.readMode(as: Int8.self)
    grantedMode = try reader.readMode(as: Int8.self)
    status = try reader.readQueueStatus(as: Int8.self)
    callbacks = LockCallbacks(rawValue: UInt32(try reader.read(UInt8.self)))
    waitType = try reader.read()
    let nameLength = Int(try reader.read(UInt16.self))
    guard nameLength <= ResourceName.maximumLength else {
      throw .invalid("a resource name of \(nameLength) bytes")
    }
    resourceName = try reader.readResourceName(nameLength)
    try reader.skip(ResourceName.maximumLength - nameLength)
    valueBlock = Array(reader.readRemaining())
  }

  func encode(into writer: inout ByteWriter) {
    writer.write(ownerProcessID)
    writer.write(lockID.rawValue)
    writer.write(remoteID.rawValue)
    writer.write(parentLockID.rawValue)
    writer.write(parentRemoteID.rawValue)
    writer.write(lockFlags.rawValue)
    writer.write(messageFlags.rawValue)
    writer.write(lvbSequence)
    writer.write(result.rawValue)
    writer.write(requestedMode.rawValue)
    writer.write(grantedMode.rawValue)
    writer.write(status.rawValue)
    writer.write(UInt8(truncatingIfNeeded: callbacks.rawValue))
    writer.write(waitType)
    writer.write(UInt16(resourceName.bytes.count))
    writer.write(resourceName.bytes)
    writer.writeZeros(ResourceName.maximumLength - resourceName.bytes.count)
    writer.write(valueBlock)
  }
}
