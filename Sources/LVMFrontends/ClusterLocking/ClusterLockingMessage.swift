import ByteCoding
import ClusterTypes

/// What the daemons tell each other about commands of LVM 2.02; the format is ours.
public enum ClusterLockingMessage: Equatable, Sendable {
  case execute(ClusterLockingJobID, ClusterLockingNodeCommand)
  case result(ClusterLockingJobID, ClusterLockingNodeResult)
  /// Nobody waits for the result any more.
  case cancel(ClusterLockingJobID)
}

extension ClusterLockingMessage {
  private static let textLengthMax = 65_535

  public var encoded: [UInt8] {
    var writer = ByteWriter(reservingCapacity: 128)
    switch self {
    case .execute(let id, let command):
      writer.write(UInt8(1))
      writer.write(id)
      writer.write(command)
    case .result(let id, let result):
      writer.write(UInt8(2))
      writer.write(id)
      writer.write(result.status)
      writer.write(UInt8(result.hasActivated ? 1 : 0))
      writer.writeString(String(result.text.prefix(ClusterLockingReply.textLengthMax)))
    case .cancel(let id):
      writer.write(UInt8(3))
      writer.write(id)
    }
    return writer.bytes
  }

  public init(decoding bytes: ArraySlice<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    switch try reader.read(UInt8.self) {
    case 1: self = .execute(try reader.readJob(), try reader.readCommand())
    case 2:
      let id = try reader.readJob()
      let status = try reader.read(Int32.self)
      let hasActivated = try reader.readFlag()
      let text = try reader.readString(limit: Self.textLengthMax)
      self = .result(id, .init(status: status, text: text, hasActivated: hasActivated))
    case 3: self = .cancel(try reader.readJob())
    case let kind: throw .invalid("message kind \(kind)")
    }
    try reader.expectEnd()
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ id: ClusterLockingJobID) {
    write(id.origin.rawValue)
    write(id.life)
    write(id.number)
  }

  fileprivate mutating func write(_ command: ClusterLockingNodeCommand) {
    switch command {
    case .test(let text):
      write(UInt8(1))
      writeString(text)
    case .refresh: write(UInt8(2))
    case .setDebugLevel(let level):
      write(UInt8(3))
      write(level)
    case .backUp(let group):
      write(UInt8(4))
      writeString(group)
    case .volume(let operation):
      write(UInt8(5))
      write(operation.kind.rawValue)
      write(UInt8(operation.isClustered ? 1 : 0))
      write(operation.options.rawValue)
      writeString(operation.volume)
    case .cache(let action):
      write(UInt8(6))
      write(action.kind.rawValue)
      writeString(action.volumeGroup)
    case .query(let resource):
      write(UInt8(7))
      writeString(resource)
    }
  }
}

extension ByteReader {
  private static let nameLengthMax = 65_535

  fileprivate mutating func readFlag() throws(ByteDecodingError) -> Bool {
    switch try read(UInt8.self) {
    case 0: return false
    case 1: return true
    case let value: throw .invalid("flag \(value)")
    }
  }

  fileprivate mutating func readJob() throws(ByteDecodingError) -> ClusterLockingJobID {
    let number = try read(Int32.self)
    guard let origin = NodeID(number) else { throw .invalid("node \(number)") }
    return ClusterLockingJobID(origin: origin, life: try read(), number: try read())
  }

  fileprivate mutating func readName() throws(ByteDecodingError) -> String {
    try readString(limit: Self.nameLengthMax)
  }

  fileprivate mutating func readCommand() throws(ByteDecodingError) -> ClusterLockingNodeCommand {
    switch try read(UInt8.self) {
    case 1: return .test(try readName())
    case 2: return .refresh
    case 3: return .setDebugLevel(try read())
    case 4: return .backUp(volumeGroup: try readName())
    case 5: return .volume(try readOperation())
    case 6:
      let number = try read(UInt8.self)
      guard let kind = ClusterLockingRequest.CacheAction.Kind(rawValue: number) else {
        throw .invalid("cache action \(number)")
      }
      return .cache(ClusterLockingRequest.CacheAction(kind, try readName()))
    case 7: return .query(resource: try readName())
    case let kind: throw .invalid("command kind \(kind)")
    }
  }

  private mutating func readOperation() throws(ByteDecodingError)
    -> ClusterLockingRequest.VolumeOperation
  {
    let number = try read(UInt8.self)
    guard let kind = ClusterLockingRequest.VolumeOperation.Kind(rawValue: number) else {
      throw .invalid("operation \(number)")
    }
    let isClustered = try readFlag()
    let options = ClusterLockingOptions(rawValue: try read())
    return ClusterLockingRequest.VolumeOperation(
      kind, try readName(), isClustered: isClustered, options: options)
  }
}
