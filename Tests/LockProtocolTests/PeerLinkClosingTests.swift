import ClusterTypes
import Testing

@testable import LockProtocol

/// The orderly close, row by row of dlm-wire 5.4.
struct PeerLinkClosingTests {
  @Test func activeClose() throws {
    var fixture = try LinkFixture.established()
    #expect(fixture.link.lastLockspaceReleased() == fixture.sends(.finish(0)))
    #expect(fixture.link.state == .finWait1)
    #expect(fixture.receive(.acknowledgement(1)) == [])
    #expect(fixture.link.state == .finWait2)
    #expect(fixture.receive(.finish(0)) == fixture.sends(.acknowledgement(1)) + [.closed])
    #expect(fixture.link.state == .closed)
    #expect(fixture.link.peerVersion == nil)
    #expect(fixture.link.endReadBatch() == [])
  }

  @Test func passiveCloseWaitsForTheControlPlane() throws {
    var fixture = try LinkFixture.established(userCount: 1)
    #expect(fixture.receive(.finish(0)) == fixture.sends(.acknowledgement(1)))
    #expect(fixture.link.state == .closeWait)
    // Sequenced packets may still go to the leaving node, status messages must not.
    #expect(fixture.link.send(fixture.packet(0)).count == 1)
    #expect(fixture.link.send(fixture.status()) == [.dropped(.peerLeaving(.closeWait))])
    #expect(fixture.link.memberRemoved(userCount: 0) == fixture.sends(.finish(1)))
    #expect(fixture.link.state == .lastAck)
    #expect(fixture.link.send(fixture.packet(2)) == [.dropped(.peerLeaving(.lastAck))])
    #expect(fixture.receive(.acknowledgement(1)) == [])
    #expect(fixture.link.state == .lastAck)
    #expect(fixture.receive(.acknowledgement(2)) == [.closed])
    #expect(fixture.link.state == .closed)
  }

  @Test func passiveCloseWithoutCommonLockspaceAnswersAtOnce() throws {
    var fixture = try LinkFixture.established(userCount: 0)
    #expect(fixture.receive(.finish(0)) == fixture.sends(.acknowledgement(1), .finish(0)))
    #expect(fixture.link.state == .lastAck)
    // A repeated finish is acknowledged as any duplicate, and changes nothing.
    #expect(fixture.receive(.finish(0)) == fixture.sends(.acknowledgement(1)))
    #expect(fixture.receive(.finish(1)) == [])
    #expect(fixture.link.state == .lastAck)
  }

  @Test func anAcknowledgementThatWentDownWithItsConnectionIsGivenAgain() throws {
    var fixture = try LinkFixture.established(userCount: 0)
    _ = fixture.receive(.finish(0))
    _ = fixture.link.connectionLost()
    // The peer, which closes too, waits for the acknowledgement of its finish and for ours.
    #expect(fixture.link.connected() == fixture.sends(.acknowledgement(1), .finish(0)))
  }

  @Test func aFinishIsAcknowledgedAlsoByAClosedLink() throws {
    var fixture = try LinkFixture.established()
    _ = fixture.link.lastLockspaceReleased()
    _ = fixture.receive(.acknowledgement(1))
    _ = fixture.receive(.finish(0))
    #expect(fixture.link.state == .closed)
    // The acknowledgement was lost; the peer sends its finish again on another connection.
    #expect(fixture.receive(.finish(0)) == fixture.sends(.acknowledgement(1)))
    #expect(fixture.link.state == .closed)
  }

  @Test func bothCloseAtOnce() throws {
    var fixture = try LinkFixture.established()
    _ = fixture.link.lastLockspaceReleased()
    #expect(fixture.receive(.finish(0)) == fixture.sends(.acknowledgement(1)))
    #expect(fixture.link.state == .closing)
    #expect(fixture.receive(.acknowledgement(1)) == [.closed])
  }

  @Test func ownReleaseAfterThePeersFinishIsTheLastWord() throws {
    var fixture = try LinkFixture.established()
    _ = fixture.receive(.finish(0))
    #expect(fixture.link.lastLockspaceReleased() == fixture.sends(.finish(0)))
    #expect(fixture.link.state == .lastAck)
  }

  @Test func releaseTowardsASilentPeerWaitsForNothing() throws {
    var fixture = try LinkFixture()
    #expect(fixture.link.lastLockspaceReleased() == [.closed])
    _ = fixture.link.memberAdded(userCount: 1)
    #expect(fixture.link.lastLockspaceReleased() == [.closed])
    #expect(fixture.link.state == .closed)
  }

  @Test func secondFinishIsLoggedAndNotAcknowledged() throws {
    var fixture = try LinkFixture.established()
    _ = fixture.receive(.finish(0))
    #expect(fixture.receive(.finish(1)) == [.dropped(.unexpectedFinish(.closeWait))])
    #expect(fixture.link.endReadBatch() == [])
  }

  @Test func statusDuringTheCloseStartsAnew() throws {
    var fixture = try LinkFixture.established()
    _ = fixture.link.send(fixture.packet(0))
    _ = fixture.link.lastLockspaceReleased()
    let status = fixture.status(from: fixture.peer)
    #expect(fixture.receive(.bare(status)) == [.deliver(status)])
    #expect(fixture.link.state == .established)
    #expect(fixture.link.unacknowledgedCount == 0)
    #expect(
      fixture.link.send(fixture.packet(1)) == fixture.sends(.sequenced(0, fixture.packet(1))))
  }

  @Test func memberAddedDuringTheCloseStartsAnew() throws {
    var fixture = try LinkFixture.established()
    _ = fixture.receive(.finish(0))
    #expect(fixture.link.memberAdded(userCount: 1) == [])
    #expect(fixture.link.state == .established)
    #expect(fixture.link.expectedSequence == 0)
  }

  @Test func finishIsRepeatedOnReconnectLikeAnyMessage() throws {
    var fixture = try LinkFixture.established()
    _ = fixture.link.lastLockspaceReleased()
    #expect(fixture.link.connectionLost() == [.connect])
    #expect(fixture.link.connected() == fixture.sends(.finish(0)))
  }
}
