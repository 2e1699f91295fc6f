import ByteCoding

/// What the old `clvmd` program asks of a running daemon (clvmd-socket spec, section 15).
public enum ClusterLockingCall: Equatable, Sendable {
  /// `-R`: on all nodes.
  case refresh
  /// `-S`.
  case restart(onAllNodes: Bool)
  /// `-d`.
  case setDebugLevel(UInt8, onAllNodes: Bool)

  public var encoded: [UInt8] {
    let (code, flags, argument):
      (ClusterLockingRequest.Code, ClusterLockingRequest.HeaderFlags, UInt8)
    switch self {
    case .refresh: (code, flags, argument) = (.refresh, [], 0)
    case .restart(let onAllNodes):
      (code, flags, argument) = (.restart, onAllNodes ? [] : .local, 0)
    case .setDebugLevel(let level, let onAllNodes):
      (code, flags, argument) = (.setDebugLevel, onAllNodes ? [] : .local, level)
    }
    var writer = ByteWriter(reservingCapacity: 18)
    writer.write(code.rawValue)
    writer.write(flags.rawValue)
    writer.writeZeros(15)
    writer.write(argument)
    return writer.bytes
  }
}

extension ClusterLockingReply {
  static let headerSize = 17

  /// How many bytes the reply has that begins with these; nil as long as its header is incomplete.
  public static func size(of bytes: [UInt8]) -> Int? {
    guard bytes.count > headerSize else { return nil }
    return headerSize + 1 + ClusterLockingRequest.argumentLength(bytes)
  }

  /// Reads a whole reply.
  public init(decoding bytes: [UInt8]) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    guard try reader.read(UInt8.self) == ClusterLockingRequest.Code.reply.rawValue else {
      throw .invalid("no reply")
    }
    _ = try reader.read(UInt8.self)
    _ = try reader.read(UInt16.self)
    _ = try reader.read(UInt32.self)
    let number = try reader.read(Int32.self)
    guard let status = ClusterLockingStatus(rawValue: number) else {
      throw .invalid("status \(number)")
    }
    let length = Int(try reader.read(UInt32.self))
    guard bytes.count == Self.headerSize + 1 + length, bytes.last == 0 else {
      throw .invalid("length \(length)")
    }
    var entries: [Entry] = []
    var rest = bytes[Self.headerSize..<(bytes.count - 1)]
    while let first = rest.firstIndex(of: 0) {
      let node = String(decoding: rest[rest.startIndex..<first], as: UTF8.self)
      var value = ByteReader(rest[(first + 1)...])
      let status = try value.read(Int32.self)
      let text = rest.dropFirst(first + 5 - rest.startIndex).prefix { $0 != 0 }
      entries.append(Entry(node: node, status: status, text: String(decoding: text, as: UTF8.self)))
      rest = rest[min(text.endIndex + 1, rest.endIndex)...]
    }
    self.init(entries)
    self.status = status
  }
}
