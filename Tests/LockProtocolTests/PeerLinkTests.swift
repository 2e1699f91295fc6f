import ClusterTypes
import Testing

@testable import LockProtocol

struct PeerLinkTests {
  @Test func packetsAreNumberedFromZeroAndStatusIsNot() throws {
    var fixture = try LinkFixture.established()
    #expect(
      fixture.link.send(fixture.packet(7)) == fixture.sends(.sequenced(0, fixture.packet(7))))
    #expect(fixture.link.send(fixture.status()) == fixture.sends(.bare(fixture.status())))
    #expect(
      fixture.link.send(fixture.packet(8)) == fixture.sends(.sequenced(1, fixture.packet(8))))
  }

  @Test func packetsWaitUntilThePeersVersionIsKnown() throws {
    var fixture = try LinkFixture()
    _ = fixture.link.connected()
    _ = fixture.link.memberAdded(userCount: 1)
    #expect(fixture.link.send(fixture.packet(1)) == [])
    let status = fixture.status(from: fixture.peer)
    #expect(
      fixture.receive(.bare(status))
        == fixture.sends(.sequenced(0, fixture.packet(1))) + [.deliver(status)])
  }

  @Test func oldPeerIsSentEverythingBareAndNeverAcknowledged() throws {
    var fixture = try LinkFixture.established(version: .version3dot1)
    #expect(fixture.link.send(fixture.packet(1)) == fixture.sends(.bare(fixture.packet(1))))
    let packet = fixture.packet(5, from: fixture.peer)
    #expect(fixture.receive(.bare(packet), version: .version3dot1) == [.deliver(packet)])
    #expect(fixture.link.endReadBatch() == [])
    #expect(
      fixture.receive(.sequenced(0, packet), version: .version3dot1) == [.dropped(.wrongPlace)])
    #expect(fixture.link.lastLockspaceReleased() == [.closed])
  }

  @Test func asAnOldPeerEverythingIsBareInBothDirections() throws {
    var fixture = try LinkFixture(localVersion: .version3dot1)
    _ = fixture.link.connected()
    _ = fixture.link.memberAdded(userCount: 1)
    #expect(fixture.link.send(fixture.packet(1)) == fixture.sends(.bare(fixture.packet(1))))
    // A kernel writes 3.2 in its headers even to a 3.1 peer (dlm-wire 4).
    let packet = fixture.packet(5, from: fixture.peer)
    #expect(fixture.receive(.bare(packet)) == [.deliver(packet)])
  }

  @Test func otherVersionIsDroppedOnceOneIsKnown() throws {
    var fixture = try LinkFixture.established()
    let content = Frame.Content.bare(fixture.status(from: fixture.peer))
    #expect(
      fixture.receive(content, version: .version3dot1)
        == [.dropped(.versionChanged(.version3dot1))])
  }

  @Test func unknownPeerIsHeardOnlyWhenItAsksForStatus() throws {
    var fixture = try LinkFixture()
    #expect(fixture.receivePacket(0) == [.dropped(.peerNotMember)])
    let status = fixture.status(from: fixture.peer)
    #expect(fixture.receive(.bare(status)) == [.deliver(status)])
    #expect(fixture.link.state == .established)
    #expect(fixture.receivePacket(0) == [.deliver(fixture.packet(0, from: fixture.peer))])
  }

  @Test func barePacketThatMustBeNumberedIsDropped() throws {
    var fixture = try LinkFixture.established()
    let packet = fixture.packet(0, from: fixture.peer)
    #expect(fixture.receive(.bare(packet)) == [.dropped(.wrongPlace)])
  }

  @Test func packetOfAnotherNodeIsDroppedButCounted() throws {
    var fixture = try LinkFixture.established()
    let stranger = try #require(NodeID(9))
    let packet = fixture.packet(0, from: stranger)
    #expect(fixture.receive(.sequenced(0, packet)) == [.dropped(.wrongSender(stranger))])
    #expect(fixture.link.expectedSequence == 1)
  }

  @Test func oneAcknowledgementCoversAReadBatch() throws {
    var fixture = try LinkFixture.established()
    for number in 0..<3 as Range<UInt32> {
      #expect(
        fixture.receivePacket(number) == [.deliver(fixture.packet(number, from: fixture.peer))])
    }
    #expect(fixture.link.endReadBatch() == fixture.sends(.acknowledgement(3)))
    #expect(fixture.link.endReadBatch() == [])
  }

  @Test func duplicateIsDroppedAndAcknowledgedAtOnce() throws {
    var fixture = try LinkFixture.established()
    _ = fixture.receivePacket(0)
    #expect(fixture.receivePacket(0) == fixture.sends(.acknowledgement(1)))
  }

  @Test func malformedPacketIsDroppedWithoutWedgingTheSequence() throws {
    var fixture = try LinkFixture.established()
    var bytes = Frame(
      .sequenced(0, fixture.packet(0, from: fixture.peer)), sender: fixture.peer
    ).encoded()
    bytes[40] = 99
    let effects = fixture.link.receive(bytes[...], at: fixture.now)
    #expect(
      effects == [
        .dropped(.malformed(.envelope(sequence: 0, .malformed("lock message: type 99"))))
      ])
    #expect(fixture.receivePacket(1) == [.deliver(fixture.packet(1, from: fixture.peer))])
  }

  @Test func reconnectRepeatsWhatIsUnacknowledgedBeforeAnythingNewer() throws {
    var fixture = try LinkFixture.established()
    for number in 0..<4 as Range<UInt32> { _ = fixture.link.send(fixture.packet(number)) }
    #expect(fixture.receive(.acknowledgement(2)) == [])
    #expect(fixture.link.connectionLost() == [.connect])
    #expect(fixture.link.send(fixture.packet(4)) == [.connect])
    #expect(
      fixture.link.connected()
        == fixture.sends(
          .sequenced(2, fixture.packet(2)), .sequenced(3, fixture.packet(3)),
          .sequenced(4, fixture.packet(4))))
    #expect(fixture.receive(.acknowledgement(5)) == [])
    #expect(fixture.link.connectionLost() == [])
    #expect(fixture.link.connected() == [])
  }

  @Test func acknowledgementOfTheFutureIsIgnored() throws {
    var fixture = try LinkFixture.established()
    _ = fixture.link.send(fixture.packet(0))
    #expect(fixture.receive(.acknowledgement(9)) == [.dropped(.acknowledgedUnsent(9))])
    #expect(fixture.link.unacknowledgedCount == 1)
    #expect(fixture.receive(.acknowledgement(1)) == [])
    #expect(fixture.receive(.acknowledgement(0)) == [])
    #expect(fixture.link.unacknowledgedCount == 0)
  }

  @Test func statusWaitsForTheConnectionInBoundedNumber() throws {
    var fixture = try LinkFixture(limits: .init(waitingBareCount: 2))
    for _ in 0..<5 { #expect(fixture.link.send(fixture.status()) == [.connect]) }
    #expect(fixture.link.hasWork)
    let status = Frame.Content.bare(fixture.status())
    #expect(fixture.link.connected() == fixture.sends(status, status))
    #expect(!fixture.link.hasWork)
  }

  @Test func silentPeerOverflowsInsteadOfTakingAllMemory() throws {
    var fixture = try LinkFixture(limits: .init(unacknowledgedCount: 3))
    _ = fixture.link.connected()
    _ = fixture.link.memberAdded(userCount: 1)
    _ = fixture.receive(.bare(fixture.status(from: fixture.peer)))
    for number in 0..<3 as Range<UInt32> { _ = fixture.link.send(fixture.packet(number)) }
    #expect(fixture.link.send(fixture.packet(3)) == [.resetConnections, .overflowed])
    #expect(fixture.link.send(fixture.packet(4)) == [.dropped(.peerLeaving(.overflowed))])
    #expect(fixture.receive(.acknowledgement(2)) == [])
    #expect(fixture.link.memberAdded(userCount: 1) == [])
    #expect(fixture.link.state == .overflowed)
    #expect(fixture.link.addressRemoved() == [.resetConnections, .closed])
    #expect(fixture.link.state == .closed)
  }

  @Test func sequenceNumbersWrap() throws {
    var fixture = try LinkFixture.established()
    fixture.link.expectedSequence = .max
    #expect(fixture.receivePacket(.max).count == 1)
    #expect(fixture.receivePacket(.max) == fixture.sends(.acknowledgement(0)))
    #expect(fixture.receivePacket(0).count == 1)
    #expect(fixture.link.endReadBatch() == fixture.sends(.acknowledgement(1)))
  }
}
