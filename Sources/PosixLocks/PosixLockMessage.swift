import ByteCoding
import ClusterTypes

/// How much of a lockspace's table a member had when a generation began. The one who had most is right:
/// whatever anybody has answered, it has applied.
public enum PosixLockStanding: Hashable, Comparable, Sendable {
  /// It comes with nothing, and nothing of it is held.
  case nothing
  /// Its kernel may hold locks, and its daemon has forgotten them.
  case lost
  /// It has applied `index` requests of a generation.
  case known(generation: UInt64, index: UInt64)
}

/// What the members of one lockspace tell each other. All of it may be lost or come twice when a channel
/// breaks; it is then said again.
public enum PosixLockMessage: Hashable, Sendable {
  public struct Hello: Hashable, Sendable {
    public var generation: UInt64
    /// Whether POSIX locks are switched on at the sender.
    public var isEnabled: Bool
    /// When the generation began.
    public var standing: PosixLockStanding
    /// It has the generation's table, and has applied this many requests since; nil before that.
    public var applied: UInt64?
    /// The sender wants a hello back, and what else it might have missed.
    public var wantsReply: Bool
  }

  case hello(Hello)
  /// The bytes of the generation's first table from `offset` on are wanted.
  case fetch(generation: UInt64, offset: UInt64)
  /// A part of that table's `total` bytes, whose CRC-32 is `checksum`.
  case part(generation: UInt64, offset: UInt64, total: UInt64, checksum: UInt32, bytes: [UInt8])
  /// To the member that orders requests; `applied` as in `acknowledged`.
  case submit(generation: UInt64, sequence: UInt64, applied: UInt64, request: PosixLockRequest)
  /// From that member to all.
  case ordered(generation: UInt64, OrderedPosixLockRequest)
  /// The sender has applied so many requests of the generation.
  case acknowledged(generation: UInt64, applied: UInt64)

  /// How many bytes of a table travel at once.
  static let partLimit = 32 << 10

  public var generation: UInt64 {
    switch self {
    case .hello(let hello): hello.generation
    case .fetch(let generation, _), .part(let generation, _, _, _, _),
      .submit(let generation, _, _, _), .ordered(let generation, _),
      .acknowledged(let generation, _):
      generation
    }
  }

  private enum Kind: UInt8 {
    case hello = 1
    case fetch, part, submit, ordered, acknowledged
  }

  public var encoded: [UInt8] {
    var writer = ByteWriter(reservingCapacity: 96)
    func begin(_ kind: Kind) {
      writer.write(kind.rawValue)
      writer.write(generation)
    }
    switch self {
    case .hello(let hello):
      begin(.hello)
      writer.write(UInt8(hello.isEnabled ? 1 : 0))
      writer.write(hello.standing)
      writer.write(UInt8(hello.applied == nil ? 0 : 1))
      writer.write(hello.applied ?? 0)
      writer.write(UInt8(hello.wantsReply ? 1 : 0))
    case .fetch(_, let offset):
      begin(.fetch)
      writer.write(offset)
    case .part(_, let offset, let total, let checksum, let bytes):
      begin(.part)
      writer.write(offset)
      writer.write(total)
      writer.write(checksum)
      writer.writeCounted(bytes)
    case .submit(_, let sequence, let applied, let request):
      begin(.submit)
      writer.write(sequence)
      writer.write(applied)
      request.write(to: &writer)
    case .ordered(_, let ordered):
      begin(.ordered)
      ordered.write(to: &writer)
    case .acknowledged(_, let applied):
      begin(.acknowledged)
      writer.write(applied)
    }
    return writer.bytes
  }

  public init(decoding bytes: some Collection<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(Array(bytes))
    guard let kind = Kind(rawValue: try reader.read()) else {
      throw .invalid("kind of a message about POSIX locks")
    }
    let generation = try reader.readNumber()
    switch kind {
    case .hello:
      let isEnabled = try reader.readFlag()
      let standing = try reader.readStanding()
      let isReady = try reader.readFlag()
      let applied = try reader.readNumber()
      guard isReady || applied == 0 else { throw .invalid("progress without a table") }
      self = .hello(
        Hello(
          generation: generation, isEnabled: isEnabled, standing: standing,
          applied: isReady ? applied : nil, wantsReply: try reader.readFlag()))
    case .fetch: self = .fetch(generation: generation, offset: try reader.readNumber())
    case .part:
      let offset = try reader.readNumber()
      let total = try reader.readNumber()
      let checksum: UInt32 = try reader.read()
      let part = try reader.readCounted(limit: Self.partLimit)
      guard offset + UInt64(part.count) <= total else { throw .invalid("part beyond the end") }
      self = .part(
        generation: generation, offset: offset, total: total, checksum: checksum,
        bytes: Array(part))
    case .submit:
      let sequence = try reader.readNumber()
      let applied = try reader.readNumber()
      self = .submit(
        generation: generation, sequence: sequence, applied: applied,
        request: try PosixLockRequest(from: &reader))
    case .ordered:
      self = .ordered(generation: generation, try OrderedPosixLockRequest(from: &reader))
    case .acknowledged:
      self = .acknowledged(generation: generation, applied: try reader.readNumber())
    }
    try reader.expectEnd()
  }
}

extension OrderedPosixLockRequest {
  func write(to writer: inout ByteWriter) {
    writer.write(index)
    writer.write(origin)
    writer.write(sequence)
    writer.write(originIndex)
    request.write(to: &writer)
  }

  init(from reader: inout ByteReader) throws(ByteDecodingError) {
    let index = try reader.readNumber()
    let origin = try reader.readInstance()
    let sequence = try reader.readNumber()
    let originIndex = try reader.readNumber()
    self.init(
      index: index, origin: origin, sequence: sequence, originIndex: originIndex,
      request: try PosixLockRequest(from: &reader))
  }
}

extension ByteWriter {
  mutating func write(_ standing: PosixLockStanding) {
    let (kind, generation, index): (UInt8, UInt64, UInt64) =
      switch standing {
      case .nothing: (0, 0, 0)
      case .lost: (1, 0, 0)
      case .known(let generation, let index): (2, generation, index)
      }
    write(kind)
    write(generation)
    write(index)
  }
}

extension ByteReader {
  mutating func readStanding() throws(ByteDecodingError) -> PosixLockStanding {
    let kind: UInt8 = try read()
    let generation = try readNumber()
    let index = try readNumber()
    switch (kind, generation, index) {
    case (0, 0, 0): return .nothing
    case (1, 0, 0): return .lost
    case (2, _, _): return .known(generation: generation, index: index)
    default: throw .invalid("standing \(kind)")
    }
  }
}
