import ClusterTypes
import Fuzzing
import LockProtocol

extension FuzzTarget {
  /// A stream of a hostile peer, cut into messages, through the reliability layer. The first byte
  /// says how the calls of this node fall between them.
  public static let peerLink = FuzzTarget(
    name: "peer-link", summary: "a stream through the reliability layer: order, limits, no trap",
    corpusFolder: "Fixtures/dlm", maximumLength: 16384, dictionary: Recordings.dictionary,
    seeds: { file in
      let messages = Recordings.messages(in: file)
      return stride(from: 0, to: messages.count, by: 8).map { start in
        [UInt8(truncatingIfNeeded: start)]
          + messages[start..<min(start + 16, messages.count)].joined()
      }
    },
    run: { input throws(FuzzFailure) in
      var harness = PeerLinkHarness(schedule: input.first ?? 0)
      return try harness.run(input.dropFirst())
    })
}

/// A link whose owner does in turn what owners do.
private struct PeerLinkHarness {
  private static let limits = PeerLink.Limits(
    unacknowledgedCount: 32, unacknowledgedBytes: 1 << 16, waitingBareCount: 8)

  private var link: PeerLink
  private var splitter = FrameSplitter()
  private var schedule: UInt8
  private var now = Timestamp(milliseconds: 1)
  private var expected: UInt32 = 0
  private var digest = ResultDigest()

  init(schedule: UInt8) {
    self.schedule = schedule
    // Recordings are of nodes 1 to 4; most of what node 2 sends is taken for the peer's.
    link = PeerLink(
      local: harnessNode(1), peer: harnessNode(2),
      localVersion: schedule & 0x80 == 0 ? .version3dot2 : .version3dot1, limits: Self.limits)
  }

  mutating func run(_ stream: ArraySlice<UInt8>) throws(FuzzFailure) -> UInt64 {
    try carryOut(link.memberAdded(userCount: 1))
    if schedule & 1 == 0 { try carryOut(link.connected()) }
    splitter.append(stream)
    while let frame = nextFrame() { try receive(frame) }
    try carryOut(link.connectionLost())
    try carryOut(link.connected())
    return digest.value
  }

  /// Nil at the end of the stream, or where the connection would be reset.
  private mutating func nextFrame() -> ArraySlice<UInt8>? {
    do throws(FrameDecodingError) {
      return try splitter.next()
    } catch {
      digest.add(error.kindNumber)
      return nil
    }
  }

  private mutating func receive(_ frame: ArraySlice<UInt8>) throws(FuzzFailure) {
    now = now + .milliseconds(300)
    try carryOut { link, now, effects in
      if let packet = link.receive(frame, at: now, effects: &effects) {
        effects.append(.deliver(packet))
      }
    }
    switch schedule {
    case 0..<40: try carryOut { link, _, effects in link.endReadBatch(effects: &effects) }
    case 40..<80: try send(.lookupReply)
    case 80..<100: try send(.status(needsSlots: true))
    case 100..<120: try carryOut(link.connectionLost())
    case 120..<140: try carryOut(link.connected())
    case 140..<150: try carryOut(link.timerFired(at: now))
    case 150..<160: try carryOut(link.memberRemoved(userCount: 0))
    case 160..<170: try carryOut(link.memberAdded(userCount: 1))
    case 170..<180: try carryOut(link.lastLockspaceReleased())
    case 180..<182: try carryOut(link.addressRemoved())
    default: break
    }
    schedule = schedule &* 197 &+ 91
  }

  private mutating func send(_ body: RecoveryMessage.Body) throws(FuzzFailure) {
    try carryOut { link, _, effects in link.send(Self.packet(body), effects: &effects) }
  }

  private mutating func carryOut(
    _ step: (inout PeerLink, Timestamp, inout [PeerLink.Effect]) -> Void
  ) throws(FuzzFailure) {
    var effects: [PeerLink.Effect] = []
    step(&link, now, &effects)
    try carryOut(effects)
  }

  private mutating func carryOut(_ effects: [PeerLink.Effect]) throws(FuzzFailure) {
    for effect in effects {
      switch effect {
      case .deliver(let packet):
        guard packet.sender == link.peer else {
          throw FuzzFailure("delivered a packet of node \(packet.sender)")
        }
        digest.add(1 + packet.kindNumber << 4)
      case .send(let bytes):
        guard let frame = try? Frame(decoding: bytes) else {
          throw FuzzFailure("sent bytes that do not decode: \(bytes)")
        }
        digest.add(2 + frame.kindNumber << 4)
      case .connect: digest.add(3)
      case .resetConnections: digest.add(4)
      case .closed: digest.add(5)
      case .wake(let time):
        guard time >= now else { throw FuzzFailure("wants to be woken in the past") }
      case .dropped: digest.add(6)
      case .overflowed: digest.add(7)
      }
    }
    guard link.unacknowledgedCount <= Self.limits.unacknowledgedCount else {
      throw FuzzFailure("\(link.unacknowledgedCount) messages unacknowledged")
    }
  }

  private static func packet(_ body: RecoveryMessage.Body) -> Packet {
    .recovery(
      RecoveryMessage(
        body, lockspaceID: LockspaceID(7), sender: harnessNode(1), id: 1, sequence: 1))
  }
}

/// Node ids of targets are constants, and positive.
func harnessNode(_ number: Int32) -> NodeID {
  guard let node = NodeID(number) else { preconditionFailure("node \(number)") }
  return node
}
