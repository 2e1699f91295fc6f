import ClusterTypes
import Testing

@testable import LockProtocol

/// Missing numbers: normal for a moment, a reason to reset when they last (dlm-wire 5.2).
struct PeerLinkGapTests {
  @Test func gapThatClosesByItselfResetsNothing() throws {
    var fixture = try LinkFixture.established()
    let deadline = fixture.now + PeerLink.gapPatience
    #expect(fixture.receivePacket(1) == [.wake(at: deadline)])
    #expect(fixture.receivePacket(0).count == 1)
    #expect(fixture.receivePacket(1).count == 1)
    #expect(fixture.link.timerFired(at: deadline) == [])
  }

  @Test func lastingGapResetsTheConnectionsOnceAndWaitsLonger() throws {
    var fixture = try LinkFixture.established()
    let start = fixture.now
    _ = fixture.receivePacket(1)
    #expect(
      fixture.link.timerFired(at: start + .milliseconds(500)) == [.wake(at: start + .seconds(1))])
    #expect(
      fixture.link.timerFired(at: start + .seconds(1))
        == [.resetConnections, .wake(at: start + .seconds(3))])
    #expect(
      fixture.link.timerFired(at: start + .seconds(3))
        == [.resetConnections, .wake(at: start + .seconds(7))])
  }

  @Test func progressStartsTheClockAgain() throws {
    var fixture = try LinkFixture.established()
    let start = fixture.now
    _ = fixture.receivePacket(5)
    _ = fixture.receivePacket(0)
    #expect(fixture.link.timerFired(at: start + .seconds(1)) == [.wake(at: start + .seconds(2))])
    #expect(
      fixture.link.timerFired(at: start + .seconds(2))
        == [.resetConnections, .wake(at: start + .seconds(4))])
  }

  @Test func droppedMessageMustComeAgainEvenAfterTheGapIsFilled() throws {
    var fixture = try LinkFixture.established()
    let start = fixture.now
    _ = fixture.receivePacket(2)
    _ = fixture.receivePacket(0)
    _ = fixture.receivePacket(1)
    // Number 2 was dropped and nothing newer shows that it is missing.
    _ = fixture.link.timerFired(at: start + .seconds(1))
    #expect(
      fixture.link.timerFired(at: start + .seconds(2)).first == .resetConnections)
  }
}
