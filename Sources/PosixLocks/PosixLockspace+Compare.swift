import ByteCoding
import ClusterTypes

// The beginning of a generation: everybody tells what it has, and gets what it lacks.

/// A table that comes in parts.
struct IncomingTable: Hashable, Sendable {
  /// More than a full table takes.
  static let limit: UInt64 = 256 << 20

  let source: NodeInstance
  var bytes: [UInt8] = []
  var total: UInt64?
  var checksum: UInt32 = 0
}

extension PosixLockspace {
  mutating func received(
    _ hello: PosixLockMessage.Hello, from sender: NodeInstance, _ effects: inout [Effect]
  ) {
    // Whoever has the table does not lose it.
    if hellos[sender]?.applied == nil || hello.applied != nil { hellos[sender] = hello }
    if hello.wantsReply {
      effects.append(.send(.hello(self.hello(wantsReply: false)), to: sender.node))
    }
    compare(&effects)
    if let applied = hello.applied, orderer != nil {
      if hello.wantsReply {
        for ordered in orderer?.log ?? [] where ordered.index > applied {
          effects.append(.send(.ordered(generation: generation, ordered), to: sender.node))
        }
      }
      orderer?.acknowledge(applied, from: sender)
    }
    order(&effects)
    submit(&effects)
  }

  /// Goes as far as what the others have said allows.
  mutating func compare(_ effects: inout [Effect]) {
    guard phase == .comparing, isEnabled, hellos.count == members.count else { return }
    participants = members.filter { hellos[$0]?.isEnabled == true }
    ordering = participants[Int(identifier % UInt32(participants.count))]
    let standings = participants.compactMap { hellos[$0]?.standing }
    guard let best = standings.max(), let own = hellos[local]?.standing else { return }
    if own == best {
      begin(with: table ?? PosixLockTable(isLost: best == .lost), &effects)
    } else if best == .lost {
      begin(with: PosixLockTable(isLost: true), &effects)
    } else if incoming == nil,
      let source = participants.first(where: { hellos[$0]?.standing == best }),
      hellos[source]?.applied != nil
    {
      incoming = IncomingTable(source: source)
      effects.append(.send(.fetch(generation: generation, offset: 0), to: source.node))
    }
  }

  private mutating func begin(with first: PosixLockTable, _ effects: inout [Effect]) {
    var table = first
    incoming = nil
    // Whoever comes with nothing holds nothing, whatever it held before it left.
    _ = table.keep(Set(participants.filter { hellos[$0]?.standing != .nothing }))
    phase = .ready
    standing = .known(generation: generation, index: 0)
    lastAcknowledged = 0
    self.table = table
    let session = table.session(of: local)
    if !knowsSequences {
      // The numbers of an earlier life, of which only the others know.
      replaceRequests(
        Dictionary(uniqueKeysWithValues: requests.map { ($0.key + session.last, $0.value) }))
      nextSequence += session.last
    }
    nextToSubmit = session.last + 1
    if ordering == local { orderer = Orderer() }
    effects.append(.journal(image))
    // Its processes wait still, and nobody else knows that they do.
    if !knowsSequences {
      for decision in session.decided where decision.request.waits {
        effects.append(answer(decision.result, decision.request, decision.sequence))
      }
    }
    knowsSequences = true
    answerDecided(&effects)
    hellos[local]?.applied = 0
    for member in others {
      effects.append(.send(.hello(hello(wantsReply: false)), to: member.node))
    }
    order(&effects)
    submit(&effects)
  }

  /// Answers requests of this node that were decided while it did not see it.
  mutating func answerDecided(_ effects: inout [Effect]) {
    guard let table else { return }
    let session = table.session(of: local)
    for (sequence, request) in requests.sorted(by: { $0.key < $1.key })
    where sequence <= session.last {
      if let decision = session.decided.first(where: { $0.sequence == sequence }) {
        effects.append(answer(decision.result, request, sequence))
        forget(sequence)
      } else if !table.isWaiting(local, sequence, inode: request.inode) {
        forget(sequence)
      }
    }
  }

  // MARK: - Tables in parts

  mutating func sendPart(
    from offset: UInt64, to member: NodeInstance, _ effects: inout [Effect]
  ) {
    // Later nobody can ask: requests are numbered only when all have the table.
    guard applied == 0, let table else { return }
    if firstTable == nil {
      var writer = ByteWriter()
      table.write(to: &writer)
      firstTable = writer.bytes
    }
    guard let bytes = firstTable, offset <= UInt64(bytes.count) else { return }
    let end = min(bytes.count, Int(offset) + PosixLockMessage.partLimit)
    effects.append(
      .send(
        .part(
          generation: generation, offset: offset, total: UInt64(bytes.count),
          checksum: CRC32.zlib(bytes), bytes: Array(bytes[Int(offset)..<end])), to: member.node))
  }

  mutating func received(
    _ bytes: [UInt8], at offset: UInt64, of total: UInt64, _ checksum: UInt32,
    from sender: NodeInstance, _ effects: inout [Effect]
  ) {
    guard phase == .comparing, var table = incoming, table.source == sender,
      offset == UInt64(table.bytes.count), total <= IncomingTable.limit
    else { return }
    table.bytes += bytes
    incoming = table
    guard UInt64(table.bytes.count) >= total else {
      guard !bytes.isEmpty else { return }
      effects.append(
        .send(
          .fetch(generation: generation, offset: UInt64(table.bytes.count)), to: sender.node))
      return
    }
    var reader = ByteReader(table.bytes)
    guard CRC32.zlib(table.bytes) == checksum, let whole = try? PosixLockTable(from: &reader),
      reader.isAtEnd
    else {
      // Begun again with the next tick.
      incoming = IncomingTable(source: sender)
      return
    }
    begin(with: whole, &effects)
  }
}
