import ByteCoding
import ClusterTypes

extension MembershipMessage {
  /// A frame above this is refused.
  public static let maximumBytes = 64 * 1024
  static let generationLimit = RecordLimits.spaces
  static let neverStartedLimit = 16

  private enum Kind: UInt8 {
    case ping = 1
    case pong, handOver, preVote, preVoteReply, vote, voteReply, accept, accepted, submit, join,
      joinReply, evict
  }

  public var encoded: [UInt8] {
    var writer = ByteWriter(reservingCapacity: 128)
    writer.write(clusterID)
    writer.write(sender.index)
    writer.write(incarnation.rawValue)
    writer.write(term)
    switch body {
    case .ping(let ping):
      writer.write(Kind.ping.rawValue)
      writer.write(ping)
    case .pong(let pong):
      writer.write(Kind.pong.rawValue)
      writer.write(pong)
    case .handOver: writer.write(Kind.handOver.rawValue)
    case .preVote(let candidacy):
      writer.write(Kind.preVote.rawValue)
      writer.write(candidacy)
    case .vote(let candidacy):
      writer.write(Kind.vote.rawValue)
      writer.write(candidacy)
    case .preVoteReply(let term, let isGranted, let isBlank):
      writer.write(Kind.preVoteReply.rawValue)
      writer.write(term)
      writer.write(flags: [isGranted, isBlank])
    case .voteReply(let term, let isGranted, let isBlank):
      writer.write(Kind.voteReply.rawValue)
      writer.write(term)
      writer.write(flags: [isGranted, isBlank])
    case .accept(let acceptance):
      writer.write(Kind.accept.rawValue)
      writer.write(acceptance.decision)
      writer.writeList(acceptance.history) { $0.write($1) }
      writer.write(acceptance.committedIndex)
      writer.write(flags: [acceptance.isReset])
      writer.write(acceptance.restoredAmnesia)
    case .accepted(let term, let index, let isBlank):
      writer.write(Kind.accepted.rawValue)
      writer.write(term)
      writer.write(index)
      writer.write(flags: [isBlank])
    case .submit(let life, let sequence, let request):
      writer.write(Kind.submit.rawValue)
      writer.write(life)
      writer.write(sequence)
      writer.write(request)
    case .join(let join):
      writer.write(Kind.join.rawValue)
      writer.write(join)
    case .joinReply(let reply):
      writer.write(Kind.joinReply.rawValue)
      writer.write(reply)
    case .evict(let viewID, let incarnation):
      writer.write(Kind.evict.rawValue)
      writer.write(viewID)
      writer.write(incarnation.rawValue)
    }
    return writer.bytes
  }

  public init(decoding bytes: [UInt8]) throws(ByteDecodingError) {
    guard bytes.count <= Self.maximumBytes else { throw .invalid("a message above 64 KiB") }
    var reader = ByteReader(bytes)
    clusterID = try reader.read()
    sender = try reader.readSlot()
    incarnation = Incarnation(try reader.read())
    term = try reader.readNumber()
    switch try reader.readCase(Kind.self) {
    case .ping: body = .ping(try reader.readPing())
    case .pong: body = .pong(try reader.readPong())
    case .handOver: body = .handOver
    case .preVote: body = .preVote(try reader.readCandidacy())
    case .vote: body = .vote(try reader.readCandidacy())
    case .preVoteReply:
      let term = try reader.readNumber()
      let flags = try reader.readFlags(2)
      body = .preVoteReply(term: term, isGranted: flags[0], isBlank: flags[1])
    case .voteReply:
      let term = try reader.readNumber()
      let flags = try reader.readFlags(2)
      body = .voteReply(term: term, isGranted: flags[0], isBlank: flags[1])
    case .accept:
      body = .accept(
        Acceptance(
          decision: try reader.readDecision(),
          history: try reader.readList(limit: Consensus.historyLimit) {
            r throws(ByteDecodingError) in try r.readHistoryEntry()
          }, committedIndex: try reader.readNumber(), isReset: try reader.readFlags(1)[0],
          restoredAmnesia: try reader.read()))
    case .accepted:
      body = .accepted(
        term: try reader.readNumber(), index: try reader.readNumber(),
        isBlank: try reader.readFlags(1)[0])
    case .submit:
      body = .submit(
        life: try reader.read(), sequence: try reader.readNumber(), try reader.readRequest())
    case .join: body = .join(try reader.readJoin())
    case .joinReply: body = .joinReply(try reader.readJoinReply())
    case .evict: body = .evict(viewID: try reader.readNumber(), Incarnation(try reader.read()))
    }
    try reader.expectEnd()
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ ping: MembershipMessage.Ping) {
    write(ping.sentAt)
    write(ping.life)
    write(flags: [ping.isLeader])
    write(ping.hears.bits)
    write(ping.viewID)
    write(ping.acceptedTerm)
    write(ping.acceptedIndex)
    write(ping.appliedIndex)
    writeList(ping.stopped) { $0.write($1) }
    writeList(ping.running) { $0.write($1) }
    write(ping.uptime)
    write(ping.amnesia)
  }

  fileprivate mutating func write(_ pong: MembershipMessage.Pong) {
    write(pong.sentAt)
    write(pong.leader?.index ?? 0xFF)
    write(pong.committedIndex)
    write(pong.lease)
    write(pong.standing.rawValue)
    write(pong.viewID)
    writeList(pong.fences) { writer, fence in
      writer.write(fence.victim.index)
      writer.write(fence.failures)
      writer.write(fence.pause)
    }
  }

  fileprivate mutating func write(_ candidacy: MembershipMessage.Candidacy) {
    write(candidacy.term)
    write(candidacy.lastTerm)
    write(candidacy.lastIndex)
    write(flags: [candidacy.isTransfer, candidacy.isBlank])
  }

  fileprivate mutating func write(_ join: MembershipMessage.Join) {
    write(join.life)
    write(join.bootID)
    write(join.uptime)
    write(join.capabilities)
    writeList(join.neverStarted) { $0.write($1.rawValue) }
    write(join.viewID)
    for value in join.timers.values { write(value) }
  }

  fileprivate mutating func write(_ reply: MembershipMessage.JoinReply) {
    switch reply {
    case .wait(let reason):
      write(UInt8(1))
      writeString(reason)
    case .refused(let reason):
      write(UInt8(2))
      writeString(reason)
    case .outdated(let incarnation):
      write(UInt8(3))
      write(incarnation.rawValue)
    }
  }
}

extension ByteReader {
  fileprivate mutating func readGenerations() throws(ByteDecodingError) -> [UInt64] {
    try readList(limit: MembershipMessage.generationLimit) { r throws(ByteDecodingError) in
      try r.readNumber()
    }
  }

  fileprivate mutating func readPing() throws(ByteDecodingError) -> MembershipMessage.Ping {
    MembershipMessage.Ping(
      sentAt: try read(), life: try read(), isLeader: try readFlags(1)[0], hears: try readSet(),
      viewID: try readNumber(),
      acceptedTerm: try readNumber(), acceptedIndex: try readNumber(),
      appliedIndex: try readNumber(), stopped: try readGenerations(),
      running: try readGenerations(), uptime: try readNumber(), amnesia: try read())
  }

  fileprivate mutating func readPong() throws(ByteDecodingError) -> MembershipMessage.Pong {
    MembershipMessage.Pong(
      sentAt: try read(), leader: NodeSlot(Int(try read(UInt8.self))),
      committedIndex: try readNumber(), lease: try readNumber(), standing: try readCase(),
      viewID: try readNumber(),
      fences: try readList(limit: NodeSlot.limit) { r throws(ByteDecodingError) in
        MembershipMessage.FenceProgress(
          victim: try r.readSlot(), failures: try r.read(), pause: try r.read())
      })
  }

  fileprivate mutating func readCandidacy() throws(ByteDecodingError)
    -> MembershipMessage.Candidacy
  {
    let term = try readNumber()
    let lastTerm = try readNumber()
    let lastIndex = try readNumber()
    let flags = try readFlags(2)
    return MembershipMessage.Candidacy(
      term: term, lastTerm: lastTerm, lastIndex: lastIndex, isTransfer: flags[0],
      isBlank: flags[1])
  }

  fileprivate mutating func readJoin() throws(ByteDecodingError) -> MembershipMessage.Join {
    var join = MembershipMessage.Join(
      life: try read(), bootID: try readBootID(), uptime: try readNumber(),
      capabilities: try readCapabilities(),
      neverStarted: try readList(limit: MembershipMessage.neverStartedLimit) {
        r throws(ByteDecodingError) in Incarnation(try r.read())
      }, viewID: try readNumber(), timers: .standard)
    var values: [UInt32] = []
    for _ in MembershipTimers.names { values.append(try read()) }
    join.timers.setValues(values)
    return join
  }

  fileprivate mutating func readJoinReply() throws(ByteDecodingError)
    -> MembershipMessage.JoinReply
  {
    switch try read(UInt8.self) {
    case 1: .wait(reason: try readString(limit: ControlMessage.maximumText))
    case 2: .refused(reason: try readString(limit: ControlMessage.maximumText))
    case 3: .outdated(Incarnation(try read()))
    default: throw .invalid("kind of join reply")
    }
  }
}
