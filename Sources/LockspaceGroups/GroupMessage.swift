import ByteCoding
import ClusterTypes

/// What nodes tell each other about lockspaces, in the order of the membership provider.
enum GroupMessage: Hashable, Sendable {
  case join(LockspaceName, LockspaceKind)
  case leave(LockspaceName, LockspaceKind)
  /// Stop and start with the same members: heals a member whose state is in doubt.
  case restart(LockspaceName)
  case stopped(LockspaceName, generation: UInt64)
  case running(LockspaceName, generation: UInt64)
  /// Evidence that a removed node is dead, with a word on where it comes from.
  case fenced(NodeInstance, evidence: String)

  private static let evidenceLimit = 256

  private enum Kind: UInt8 {
    case join = 1
    case leave, restart, stopped, running, fenced
  }

  var encoded: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .join(let name, let kind):
      writer.write(Kind.join.rawValue)
      writer.writeString(name.text)
      writer.write(kind.rawValue)
    case .leave(let name, let kind):
      writer.write(Kind.leave.rawValue)
      writer.writeString(name.text)
      writer.write(kind.rawValue)
    case .restart(let name):
      writer.write(Kind.restart.rawValue)
      writer.writeString(name.text)
    case .stopped(let name, let generation):
      writer.write(Kind.stopped.rawValue)
      writer.writeString(name.text)
      writer.write(generation)
    case .running(let name, let generation):
      writer.write(Kind.running.rawValue)
      writer.writeString(name.text)
      writer.write(generation)
    case .fenced(let instance, let evidence):
      writer.write(Kind.fenced.rawValue)
      writer.write(instance)
      var text = evidence.prefix(Self.evidenceLimit)
      while text.utf8.count > Self.evidenceLimit { text.removeLast() }
      writer.writeString(String(text))
    }
    return writer.bytes
  }

  init(decoding bytes: [UInt8]) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    guard let kind = Kind(rawValue: try reader.read()) else {
      throw .invalid("unknown kind of lockspace message")
    }
    switch kind {
    case .join: self = .join(try reader.readLockspaceName(), try reader.readLockspaceKind())
    case .leave: self = .leave(try reader.readLockspaceName(), try reader.readLockspaceKind())
    case .restart: self = .restart(try reader.readLockspaceName())
    case .stopped:
      self = .stopped(try reader.readLockspaceName(), generation: try reader.readNumber())
    case .running:
      self = .running(try reader.readLockspaceName(), generation: try reader.readNumber())
    case .fenced:
      self = .fenced(
        try reader.readInstance(), evidence: try reader.readString(limit: Self.evidenceLimit))
    }
    try reader.expectEnd()
  }
}

extension ByteWriter {
  mutating func write(_ instance: NodeInstance) {
    write(instance.node.rawValue)
    write(instance.incarnation.rawValue)
  }
}

extension ByteReader {
  /// A number that may be counted on from: far from the largest, so that this cannot overflow.
  mutating func readNumber() throws(ByteDecodingError) -> UInt64 {
    let number: UInt64 = try read()
    guard number <= UInt64.max / 4 else { throw .invalid("number \(number)") }
    return number
  }

  mutating func readLockspaceName() throws(ByteDecodingError) -> LockspaceName {
    let text = try readString(limit: LockspaceName.maximumLength)
    guard let name = LockspaceName(text) else { throw .invalid("lockspace name '\(text)'") }
    return name
  }

  mutating func readLockspaceKind() throws(ByteDecodingError) -> LockspaceKind {
    guard let kind = LockspaceKind(rawValue: try read()) else { throw .invalid("lockspace kind") }
    return kind
  }

  mutating func readInstance() throws(ByteDecodingError) -> NodeInstance {
    guard let node = NodeID(try read(Int32.self)) else { throw .invalid("node id") }
    return NodeInstance(node, Incarnation(try read()))
  }
}
