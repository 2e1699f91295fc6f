import ByteCoding
import ClusterTypes

extension Packet {
  var command: Command {
    switch self {
    case .lock: .lock
    case .recovery: .recovery
    }
  }

  /// Reads the rest of a lock or recovery message whose header has been read.
  init(_ header: FrameHeader, from reader: inout ByteReader) throws(FrameDecodingError) {
    let lockspaceID = LockspaceID(header.number)
    do throws(ByteDecodingError) {
      switch header.command {
      case .lock:
        self = .lock(
          try LockMessage(lockspaceID: lockspaceID, sender: header.sender, from: &reader))
      case .recovery:
        self = .recovery(
          try RecoveryMessage(lockspaceID: lockspaceID, sender: header.sender, from: &reader))
      case .envelope, .acknowledgement, .finish:
        preconditionFailure("command \(header.command) is not about a lockspace")
      }
    } catch {
      throw FrameDecodingError(error, in: "\(header.command) message")
    }
  }

  func encode(into writer: inout ByteWriter, version: ProtocolVersion) {
    let start = writer.beginFrame(
      command, number: lockspaceID.rawValue, sender: sender, version: version)
    switch self {
    case .lock(let message): message.encodeBody(into: &writer)
    case .recovery(let message): message.encodeBody(into: &writer)
    }
    writer.endFrame(start)
  }
}

extension ByteReader {
  /// A mode in an integer of `T`'s width.
  mutating func readMode<T: FixedWidthInteger>(
    as width: T.Type
  ) throws(ByteDecodingError) -> LockMode {
    let number = try read(T.self)
    guard let mode = Int8(exactly: number).flatMap(LockMode.init) else {
      throw .invalid("lock mode \(number)")
    }
    return mode
  }

  /// A queue in an integer of `T`'s width.
  mutating func readQueueStatus<T: FixedWidthInteger>(
    as width: T.Type
  ) throws(ByteDecodingError) -> QueueStatus {
    let number = try read(T.self)
    guard let status = Int8(exactly: number).flatMap(QueueStatus.init) else {
      throw .invalid("queue \(number)")
    }
    return status
  }

  mutating func readLockID() throws(ByteDecodingError) -> LockID { LockID(try read()) }

  /// A resource name that is the next `count` bytes.
  mutating func readResourceName(_ count: Int) throws(ByteDecodingError) -> ResourceName {
    guard let name = ResourceName(try readBytes(count)) else {
      throw .invalid("a resource name of \(count) bytes")
    }
    return name
  }
}
