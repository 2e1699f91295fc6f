import ClusterSimulation
import ClusterTypes
import Testing

@testable import LockProtocol

/// Two links over a hostile network, and a link that listens to recorded kernels.
struct PeerLinkReplayTests {
  @Test func recordedKernelsAreDeliveredInTheirOrder() throws {
    // Recordings 01 to 07 follow each other without a gap, between nodes 1 and 2.
    let messages = try Recording.all().filter { ("01"..."07~").contains($0.name) }
      .flatMap(\.messages)
    for (local, peer) in [(1, 2), (2, 1)] as [(Int32, Int32)] {
      let local = try #require(NodeID(local))
      let peer = try #require(NodeID(peer))
      var link = PeerLink(local: local, peer: peer)
      var delivered = 0
      var sequenced = 0
      _ = link.connected()
      for message in messages where message.from == peer.rawValue && message.to == local.rawValue {
        let content = try Frame(decoding: message.bytes).content
        let effects = link.receive(message.bytes[...], at: Timestamp(milliseconds: 0))
        switch content {
        case .bare(let packet), .sequenced(_, let packet):
          #expect(effects == [.deliver(packet)])
          delivered += 1
        case .finish:
          #expect(effects.count == 2, "an acknowledgement and our own finish")
        case .acknowledgement: break  // Of messages that this link has not sent.
        }
        if case .sequenced(let sequence, _) = content {
          sequenced += 1
          #expect(link.expectedSequence == sequence + 1)
        }
      }
      #expect(delivered > 100 && sequenced > 50)
      #expect(link.state == .lastAck)
    }
  }

  @Test func everyPacketArrivesOnceInOrderThroughLossyConnections() throws {
    for seed in 0..<60 as Range<UInt64> {
      var network = try LossyNetwork(seed: seed)
      for number in 0..<200 as Range<UInt32> { network.step(sending: number) }
      network.calm()
      #expect(network.received[0] == Array(0..<200), "seed \(seed)")
      #expect(network.received[1] == Array(0..<200), "seed \(seed)")
      #expect(network.links.allSatisfy { $0.unacknowledgedCount == 0 }, "seed \(seed)")
    }
  }
}

/// Inputs in an order that no honest network and no control plane would choose.
struct PeerLinkFuzzTests {
  @Test func anyInputsInAnyOrderLeaveTheLinkSound() throws {
    let frames = try Recording.all().flatMap(\.messages).filter { $0.from == 2 }.map(\.bytes)
    for seed in 0..<40 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      var fixture = try LinkFixture(limits: .init(unacknowledgedCount: 50, waitingBareCount: 5))
      for _ in 0..<2000 {
        step(&fixture, frames, &random)
        #expect(fixture.link.unacknowledgedCount <= 50, "seed \(seed)")
        #expect(fixture.link.waitingForConnection.count <= 50, "seed \(seed)")
        #expect(fixture.link.waitingForVersion.count <= 50, "seed \(seed)")
        if fixture.link.state == .closed {
          #expect(fixture.link.unacknowledgedCount == 0, "seed \(seed)")
        }
      }
    }
  }

  private func step(
    _ fixture: inout LinkFixture, _ frames: [[UInt8]], _ random: inout SeededGenerator
  ) {
    switch random.next() % 16 {
    case 0: _ = fixture.link.connected()
    case 1: _ = fixture.link.connectionLost()
    case 2: _ = fixture.link.memberAdded(userCount: Int(random.next() % 3))
    case 3: _ = fixture.link.memberRemoved(userCount: Int(random.next() % 2))
    case 4 where random.next() % 8 == 0: _ = fixture.link.lastLockspaceReleased()
    case 5 where random.next() % 8 == 0: _ = fixture.link.addressRemoved()
    case 6: _ = fixture.link.endReadBatch()
    case 7:
      fixture.now = fixture.now + .milliseconds(700)
      _ = fixture.link.timerFired(at: fixture.now)
    case 8, 9: _ = fixture.link.send(fixture.packet(UInt32(random.next() % 100)))
    case 10: _ = fixture.link.send(fixture.status())
    case 11: _ = fixture.receivePacket(fixture.link.expectedSequence)
    case 12: _ = fixture.receive(.acknowledgement(UInt32(truncatingIfNeeded: random.next() % 60)))
    case 13: _ = fixture.receive(.finish(fixture.link.expectedSequence))
    default:
      var bytes = frames[Int(random.next() % UInt64(frames.count))]
      if random.next() % 2 == 0 {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      _ = fixture.link.receive(bytes[...], at: fixture.now)
    }
  }
}

/// Two links whose connection breaks at random moments and loses what is under way.
private struct LossyNetwork {
  private(set) var links: [PeerLink]
  private(set) var received: [[UInt32]] = [[], []]
  /// Bytes under way to each node.
  private var wires: [FrameSplitter] = [FrameSplitter(), FrameSplitter()]
  private var random: SeededGenerator
  private var now = Timestamp(milliseconds: 0)
  private var wakes: [Timestamp?] = [nil, nil]
  private var isUp = false
  private var mustReset = false
  private let lockspace = LockspaceID(1)

  init(seed: UInt64) throws {
    random = SeededGenerator(seed: seed)
    let nodes = [try #require(NodeID(1)), try #require(NodeID(2))]
    links = [PeerLink(local: nodes[0], peer: nodes[1]), PeerLink(local: nodes[1], peer: nodes[0])]
    for index in 0..<2 { run(links[index].memberAdded(userCount: 1), of: index) }
    connect()
    for index in 0..<2 {
      let status = RecoveryMessage(
        .status(needsSlots: false), lockspaceID: lockspace, sender: links[index].local, id: 1,
        sequence: 1)
      run(links[index].send(.recovery(status)), of: index)
    }
    while deliver(to: 0) || deliver(to: 1) {}
  }

  mutating func step(sending number: UInt32) {
    now = now + .milliseconds(50)
    for index in 0..<2 {
      let message = LockMessage(
        .grant, lockspaceID: lockspace, sender: links[index].local, lockID: LockID(number))
      run(links[index].send(.lock(message)), of: index)
    }
    for _ in 0..<(random.next() % 6) { _ = deliver(to: Int(random.next() % 2)) }
    if random.next() % 10 == 0 { breakConnection() }
    if !isUp, random.next() % 3 == 0 { connect() }
    fireTimers()
  }

  /// Lets the network heal and everything arrive.
  mutating func calm() {
    for _ in 0..<40 {
      if !isUp { connect() }
      while deliver(to: 0) || deliver(to: 1) {}
      now = now + .seconds(1)
      fireTimers()
    }
  }

  private mutating func fireTimers() {
    for index in 0..<2 {
      guard let wake = wakes[index], wake <= now else { continue }
      wakes[index] = nil
      run(links[index].timerFired(at: now), of: index)
    }
    if mustReset {
      mustReset = false
      breakConnection()
      connect()
    }
  }

  private mutating func breakConnection() {
    isUp = false
    // Some of what is under way still arrives, cut anywhere.
    wires = [FrameSplitter(), FrameSplitter()]
    for index in 0..<2 { run(links[index].connectionLost(), of: index) }
  }

  private mutating func connect() {
    isUp = true
    for index in 0..<2 { run(links[index].connected(), of: index) }
  }

  /// One message arrives at node `index`; false when none was under way.
  private mutating func deliver(to index: Int) -> Bool {
    guard let frame = try? wires[index].next() else { return false }
    run(links[index].receive(frame, at: now), of: index)
    if random.next() % 3 == 0 { run(links[index].endReadBatch(), of: index) }
    return true
  }

  private mutating func run(_ effects: [PeerLink.Effect], of index: Int) {
    for effect in effects {
      switch effect {
      case .send(let bytes): wires[1 - index].append(bytes)
      case .deliver(.lock(let message)): received[index].append(message.lockID.rawValue)
      case .wake(let moment): wakes[index] = moment
      case .resetConnections: mustReset = true
      case .deliver(.recovery), .connect, .closed, .overflowed: break
      case .dropped(let reason): Issue.record("dropped: \(reason)")
      }
    }
  }
}
