import ClusterTypes
import Testing

@testable import LockProtocol

/// Node 1's link to node 2, and what node 2 would write.
struct LinkFixture {
  let local: NodeID
  let peer: NodeID
  let lockspace = LockspaceID(0x4104_EEFA)
  var link: PeerLink
  var now = Timestamp(milliseconds: 1000)

  init(
    localVersion: ProtocolVersion = .version3dot2, limits: PeerLink.Limits = .init()
  ) throws {
    local = try #require(NodeID(1))
    peer = try #require(NodeID(2))
    link = PeerLink(local: local, peer: peer, localVersion: localVersion, limits: limits)
  }

  /// A link that is connected, established, and has heard the peer speak `version`.
  static func established(
    userCount: Int = 1, version: ProtocolVersion = .version3dot2
  ) throws -> LinkFixture {
    var fixture = try LinkFixture()
    _ = fixture.link.connected()
    _ = fixture.link.memberAdded(userCount: userCount)
    _ = fixture.receive(.bare(fixture.status(from: fixture.peer)), version: version)
    return fixture
  }

  func packet(_ number: UInt32, from node: NodeID? = nil) -> Packet {
    .lock(
      LockMessage(
        .grant, lockspaceID: lockspace, sender: node ?? local, lockID: LockID(number)))
  }

  func status(from node: NodeID? = nil) -> Packet {
    .recovery(
      RecoveryMessage(
        .status(needsSlots: false), lockspaceID: lockspace, sender: node ?? local, id: 1,
        sequence: 1))
  }

  /// What the link does with this message of the peer.
  mutating func receive(
    _ content: Frame.Content, version: ProtocolVersion = .version3dot2
  ) -> [PeerLink.Effect] {
    link.receive(Frame(content, sender: peer, version: version).encoded()[...], at: now)
  }

  /// The peer's packet with this number in the sequence.
  mutating func receivePacket(_ number: UInt32) -> [PeerLink.Effect] {
    receive(.sequenced(number, packet(number, from: peer)))
  }

  func sends(_ contents: Frame.Content...) -> [PeerLink.Effect] {
    contents.map {
      .send(Frame($0, sender: local, version: link.localVersion).encoded())
    }
  }
}

/// The effects of one call alone.
extension PeerLink {
  mutating func send(_ packet: Packet) -> [Effect] {
    var effects: [Effect] = []
    send(packet, effects: &effects)
    return effects
  }

  mutating func receive(_ bytes: ArraySlice<UInt8>, at now: Timestamp) -> [Effect] {
    var effects: [Effect] = []
    if let packet = receive(bytes, at: now, effects: &effects) { effects.append(.deliver(packet)) }
    return effects
  }

  mutating func endReadBatch() -> [Effect] {
    var effects: [Effect] = []
    endReadBatch(effects: &effects)
    return effects
  }
}
