import ByteCoding
import ClusterTypes

// What a daemon that is started again under a running lockspace must know: the kernel's processes hold
// their locks, and wait for their answers. A file in memory is enough, because a reboot ends both. Nothing
// is synced; a record that was cut off by the daemon's end counts as not written.

/// What is noted of a lockspace on its node.
public enum PosixLockJournalEntry: Hashable, Sendable {
  /// Everything; what was noted before is superseded.
  case image([UInt8])
  /// A process has asked.
  case request(sequence: UInt64, PosixLockRequest)
  /// Applied.
  case ordered(OrderedPosixLockRequest)
  /// The kernel has the answer.
  case answered(sequence: UInt64)

  private enum Kind: UInt8 {
    case image = 1
    case request, ordered, answered
  }

  private static let imageLimit = 512 << 20
  private static let otherLimit = 128

  /// The entry with its length and checksum.
  public var encoded: [UInt8] {
    var body = ByteWriter(reservingCapacity: 96)
    switch self {
    case .image(let bytes):
      body.write(Kind.image.rawValue)
      body.write(bytes)
    case .request(let sequence, let request):
      body.write(Kind.request.rawValue)
      body.write(sequence)
      request.write(to: &body)
    case .ordered(let ordered):
      body.write(Kind.ordered.rawValue)
      ordered.write(to: &body)
    case .answered(let sequence):
      body.write(Kind.answered.rawValue)
      body.write(sequence)
    }
    var writer = ByteWriter(reservingCapacity: body.count + 8)
    writer.write(UInt32(body.count))
    writer.write(CRC32.zlib(body.bytes))
    writer.write(body.bytes)
    return writer.bytes
  }

  /// All whole entries from the beginning; what follows the first that is not whole is left out.
  public static func entries(in bytes: [UInt8]) -> [Self] {
    var reader = ByteReader(bytes)
    var entries: [Self] = []
    while let entry = try? next(&reader) { entries.append(entry) }
    return entries
  }

  private static func next(_ reader: inout ByteReader) throws(ByteDecodingError) -> Self? {
    guard !reader.isAtEnd else { return nil }
    let count = Int(try reader.read(UInt32.self))
    let checksum: UInt32 = try reader.read()
    guard count <= imageLimit + 1 else { throw .invalid("length of an entry") }
    let bytes = try reader.readBytes(count)
    guard CRC32.zlib(bytes) == checksum else { throw .invalid("checksum of an entry") }
    var body = ByteReader(bytes)
    guard let kind = Kind(rawValue: try body.read()), kind == .image || count <= otherLimit else {
      throw .invalid("kind of an entry")
    }
    let entry: Self
    switch kind {
    case .image: entry = .image(Array(body.readRemaining()))
    case .request:
      let sequence = try body.readNumber()
      entry = .request(sequence: sequence, try PosixLockRequest(from: &body))
    case .ordered: entry = .ordered(try OrderedPosixLockRequest(from: &body))
    case .answered: entry = .answered(sequence: try body.readNumber())
    }
    try body.expectEnd()
    return entry
  }
}

extension PosixLockspace {
  /// Everything that the next life of the daemon needs.
  public var image: PosixLockJournalEntry {
    var writer = ByteWriter()
    writer.write(local)
    writer.write(standing)
    writer.write(nextSequence)
    writer.writeList(requests.sorted { $0.key < $1.key }) { writer, entry in
      writer.write(entry.key)
      entry.value.write(to: &writer)
    }
    writer.write(UInt8(table == nil ? 0 : 1))
    table?.write(to: &writer)
    return .image(writer.bytes)
  }

  /// Takes up what an earlier life of the daemon has noted; what it had not answered is answered now, or
  /// once the lockspace has started again. Throws when the notes cannot be taken up, because they are
  /// incomplete or another incarnation's: the lockspace is then one whose locks are forgotten.
  public init(
    identifier: UInt32, local: NodeInstance, journal: [PosixLockJournalEntry],
    effects: inout [Effect]
  ) throws(ByteDecodingError) {
    self.init(identifier: identifier, local: local, isEnabled: true)
    guard case .image(let bytes)? = journal.first else { throw .invalid("no image") }
    try takeUp(image: bytes)
    for entry in journal.dropFirst() {
      switch entry {
      case .image(let bytes): try takeUp(image: bytes)
      case .request(let sequence, let request):
        guard sequence == nextSequence else { throw .invalid("request \(sequence)") }
        nextSequence += 1
        remember(request, sequence)
      case .ordered(let ordered):
        guard case .known(_, let index) = standing, ordered.index == index + 1 else {
          throw .invalid("entry \(ordered.index)")
        }
        _ = advance(ordered)
      case .answered(let sequence): forget(sequence)
      }
    }
    knowsSequences = standing != .lost
    let last = table?.session(of: local).last ?? 0
    // What has no number yet must all be there, or this node's requests never go on.
    for sequence in max(1, last + 1)..<max(nextSequence, last + 1) where requests[sequence] == nil {
      throw .invalid("request \(sequence) is missing")
    }
    answerDecided(&effects)
  }

  private mutating func takeUp(image: [UInt8]) throws(ByteDecodingError) {
    var reader = ByteReader(image)
    guard try reader.readInstance() == local else { throw .invalid("another incarnation's") }
    standing = try reader.readStanding()
    nextSequence = try reader.readNumber()
    var requests: [UInt64: PosixLockRequest] = [:]
    for (sequence, request) in try reader.readList(
      limit: 1 << 22,
      { r throws(ByteDecodingError) in (try r.readNumber(), try PosixLockRequest(from: &r)) })
    {
      requests[sequence] = request
    }
    replaceRequests(requests)
    table = try reader.readFlag() ? try PosixLockTable(from: &reader) : nil
    guard (table == nil) == (standing < .known(generation: 0, index: 0)) else {
      throw .invalid("a standing without its table")
    }
    try reader.expectEnd()
  }
}
