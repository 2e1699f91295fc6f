import ClusterTypes
import Testing

@testable import VolumeCoordination

/// A node whose daemon was killed and came back as the same member.
@Suite struct RenewedCoordinatorTests {
  let one = Samples.instance(1)
  let two = Samples.instance(2)
  let recovered = VolumeJobResult.recovered(seqno: 7)

  /// A participant on node 2 in which a daemon of node 1 has left change 5, and node 1 has a new daemon.
  func renewed() throws -> (ChangeParticipant, left: VolumeChange) {
    let left = try Samples.change(5)
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.message(.prepare(left), from: one), at: Samples.at(1))
    _ = machine.handle(.jobFinished(.prepare(left), .done), at: Samples.at(2))
    _ = machine.handle(.message(.suspend(left.id), from: one), at: Samples.at(3))
    _ = machine.handle(.jobFinished(.suspend(left), .done), at: Samples.at(4))
    _ = machine.handle(.nodeRemoved(one), at: Samples.at(5))
    let recovery = VolumeJob.recover(
      volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID, change: left)
    #expect(machine.handle(.nodeRenewed(one), at: Samples.at(6)).last == .runJob(recovery))
    return (machine, left)
  }

  @Test func whatWasLeftFollowsTheDiskBeforeAnybodyGetsTheGroup() throws {
    var (machine, left) = try renewed()
    #expect(machine.isRecovering(volumeGroupID: Samples.volumeGroupID))
    let recovery = VolumeJob.recover(
      volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID, change: left)
    _ = machine.handle(.jobFinished(recovery, recovered), at: Samples.at(7))
    #expect(!machine.isBusy(volumeGroupID: Samples.volumeGroupID))
    #expect(machine.openChanges == [])
  }

  @Test func theNewDaemonsChangesAndReloadsAreCarriedOut() throws {
    var (machine, left) = try renewed()
    let recovery = VolumeJob.recover(
      volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID, change: left)
    _ = machine.handle(.jobFinished(recovery, recovered), at: Samples.at(7))
    let next = try Samples.change(6)
    #expect(
      machine.handle(.message(.prepare(next), from: one), at: Samples.at(8))
        == [.runJob(.prepare(next))])
    _ = machine.handle(.jobFinished(.prepare(next), .done), at: Samples.at(9))
    #expect(
      machine.handle(.message(.suspend(next.id), from: one), at: Samples.at(10))
        == [.runJob(.suspend(next))])
    #expect(
      !machine.isRecovering(volumeGroupID: Samples.volumeGroupID), "its coordinator lives")
  }

  @Test func whatTheOldDaemonSaidIsNotCarriedOutLate() throws {
    var (machine, left) = try renewed()
    let recovery = VolumeJob.recover(
      volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID, change: left)
    for message in [CoordinationMessage.suspend(left.id), .resume(left.id), .abandon(left)] {
      #expect(machine.handle(.message(message, from: one), at: Samples.at(7)) == [])
    }
    _ = machine.handle(.jobFinished(recovery, recovered), at: Samples.at(8))
    for late in [left, try Samples.change(4)] {
      #expect(machine.handle(.message(.prepare(late), from: one), at: Samples.at(9)) == [])
    }
    #expect(!machine.isBusy(volumeGroupID: Samples.volumeGroupID))
  }

  @Test func aReloadThatTheOldDaemonAskedForBecomesARecovery() throws {
    var machine = ChangeParticipant(node: two)
    let other = try Samples.change(1, by: Samples.instance(3))
    _ = machine.handle(.message(.prepare(other), from: Samples.instance(3)), at: Samples.at(1))
    let request = try ReloadRequest(
      id: VolumeRequestID(origin: one, number: 8), volumeGroup: "vg0",
      volumeGroupID: Samples.volumeGroupID)
    _ = machine.handle(.message(.reload(request), from: one), at: Samples.at(2))
    _ = machine.handle(.nodeRenewed(one), at: Samples.at(3))
    #expect(machine.isRecovering(volumeGroupID: Samples.volumeGroupID))
  }

  @Test func itsDeathIsForEver() throws {
    var (machine, left) = try renewed()
    let recovery = VolumeJob.recover(
      volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID, change: left)
    _ = machine.handle(.jobFinished(recovery, recovered), at: Samples.at(7))
    _ = machine.handle(.nodeFenced(one), at: Samples.at(8))
    let next = try Samples.change(6)
    #expect(machine.handle(.message(.prepare(next), from: one), at: Samples.at(9)) == [])
  }

  @Test func nobodyWaitsForAnAnswerThatTheOldDaemonOwed() throws {
    let request = try ReloadRequest(
      id: VolumeRequestID(origin: two, number: 1), volumeGroup: "vg0",
      volumeGroupID: Samples.volumeGroupID)
    var collector = ReloadCollector(request: request, nodes: [one])
    _ = collector.start(at: Samples.at(0))
    guard case .finished? = collector.handle(.nodeRenewed(one), at: Samples.at(2)).last else {
      return #expect(Bool(false), "the reload waits for a daemon that does not know of it")
    }
  }
}
