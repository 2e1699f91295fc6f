import ClusterTypes
import Testing

@testable import VolumeCoordination

@Suite struct ChangeParticipantTests {
  let one = Samples.instance(1)
  let two = Samples.instance(2)

  /// A participant on node 2 that has suspended change 1 of node 1 at 10 ms.
  func suspended() throws -> (ChangeParticipant, VolumeChange) {
    let change = try Samples.change()
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.message(.prepare(change), from: one), at: Samples.at(1))
    _ = machine.handle(.jobFinished(.prepare(change), .done), at: Samples.at(5))
    _ = machine.handle(.message(.suspend(change.id), from: one), at: Samples.at(10))
    let effects = machine.handle(.jobFinished(.suspend(change), .done), at: Samples.at(15))
    #expect(effects == [.send(.suspended(change.id), to: one)])
    return (machine, change)
  }

  @Test func resumeAnswersHowLongTheDevicesStoodStill() throws {
    var (machine, change) = try suspended()
    #expect(
      machine.handle(.message(.resume(change.id), from: one), at: Samples.at(40))
        == [.runJob(.resume(change))])
    #expect(
      machine.handle(.jobFinished(.resume(change), .done), at: Samples.at(52))
        == [.send(.resumed(change.id, suspendedMilliseconds: 42), to: one)])
    #expect(!machine.isBusy(volumeGroupID: Samples.volumeGroupID))
  }

  @Test func messagesThatComeAgainAreAnsweredAndNotCarriedOut() throws {
    var (machine, change) = try suspended()
    #expect(
      machine.handle(.message(.suspend(change.id), from: one), at: Samples.at(16))
        == [.send(.suspended(change.id), to: one)])
    _ = machine.handle(.message(.resume(change.id), from: one), at: Samples.at(40))
    #expect(machine.handle(.message(.resume(change.id), from: one), at: Samples.at(41)) == [])
    _ = machine.handle(.jobFinished(.resume(change), .done), at: Samples.at(52))
    #expect(
      machine.handle(.message(.resume(change.id), from: one), at: Samples.at(60))
        == [.send(.resumed(change.id, suspendedMilliseconds: 42), to: one)])
    for late in [CoordinationMessage.prepare(change), .suspend(change.id)] {
      let effects = machine.handle(.message(late, from: one), at: Samples.at(61))
      guard effects.count == 1, case .send(.refused, _) = effects[0] else {
        return #expect(Bool(false), "\(effects)")
      }
    }
  }

  @Test func prepareThatComesAfterItsAbandonOpensNothing() throws {
    let change = try Samples.change()
    var machine = ChangeParticipant(node: two)
    #expect(
      machine.handle(.message(.abandon(change), from: one), at: Samples.at(1))
        == [.send(.abandoned(change.id, suspendedMilliseconds: 0), to: one)])
    _ = machine.handle(.message(.prepare(change), from: one), at: Samples.at(2))
    #expect(!machine.isBusy(volumeGroupID: Samples.volumeGroupID))
  }

  @Test func secondChangeIsRefusedWithTheNameOfTheFirst() throws {
    var (machine, _) = try suspended()
    let other = try Samples.change(9, by: Samples.instance(3))
    let effects = machine.handle(
      .message(.prepare(other), from: Samples.instance(3)), at: Samples.at(20))
    guard case .send(.refused(other.id, let reason), _) = effects.first else {
      return #expect(Bool(false), "\(effects)")
    }
    #expect(reason.contains("change 1 of node 1"))
    #expect(reason.contains("suspended"))
  }

  @Test func abandonDuringASuspendWaitsForItsEnd() throws {
    let change = try Samples.change()
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.message(.prepare(change), from: one), at: Samples.at(1))
    _ = machine.handle(.jobFinished(.prepare(change), .done), at: Samples.at(5))
    _ = machine.handle(.message(.suspend(change.id), from: one), at: Samples.at(10))
    #expect(machine.handle(.message(.abandon(change), from: one), at: Samples.at(11)) == [])
    #expect(
      machine.handle(.jobFinished(.suspend(change), .done), at: Samples.at(15))
        == [.runJob(.abandon(change))])
  }

  @Test func removedCoordinatorIsWaitedForAndOnlyItsFenceMakesTheDiskDecide() throws {
    var (machine, change) = try suspended()
    let removed = machine.handle(.nodeRemoved(one), at: Samples.at(20))
    guard removed.count == 1, case .report(let text) = removed[0] else {
      return #expect(Bool(false), "\(removed)")
    }
    #expect(text.contains("until node 1 is fenced"))
    let recovery = VolumeJob.recover(
      volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID, change: change)
    #expect(machine.handle(.nodeFenced(one), at: Samples.at(30)).last == .runJob(recovery))
    _ = machine.handle(.jobFinished(recovery, .failed("EIO")), at: Samples.at(40))
    #expect(machine.nextWake == Samples.at(2040))
    #expect(machine.handle(.wake, at: Samples.at(2040)) == [.runJob(recovery)])
    _ = machine.handle(.jobFinished(recovery, .recovered(seqno: 8)), at: Samples.at(2050))
    #expect(!machine.isBusy(volumeGroupID: Samples.volumeGroupID))
    // What the dead one sent before is not heard any more.
    let next = try Samples.change(2)
    #expect(machine.handle(.message(.prepare(next), from: one), at: Samples.at(2060)) == [])
  }

  @Test func removedCoordinatorMayNotOpenOrSuspendButMayEnd() throws {
    var (machine, change) = try suspended()
    _ = machine.handle(.nodeRemoved(one), at: Samples.at(20))
    #expect(
      machine.handle(.message(.resume(change.id), from: one), at: Samples.at(21))
        == [.runJob(.resume(change))])
    var other = ChangeParticipant(node: two)
    _ = other.handle(.nodeRemoved(one), at: Samples.at(20))
    #expect(other.handle(.message(.prepare(change), from: one), at: Samples.at(21)) == [])
    #expect(!other.isBusy(volumeGroupID: Samples.volumeGroupID))
  }

  @Test func resumeThatFailsIsTriedAgainAndTold() throws {
    var (machine, change) = try suspended()
    _ = machine.handle(.message(.resume(change.id), from: one), at: Samples.at(20))
    let effects = machine.handle(.jobFinished(.resume(change), .failed("EIO")), at: Samples.at(30))
    #expect(effects.contains(.send(.delayed(change.id, reason: "EIO"), to: one)))
    #expect(machine.handle(.wake, at: Samples.at(2030)) == [.runJob(.resume(change))])
  }

  @Test func growthIsSuspendedAndResumedInOneGo() throws {
    let change = try Samples.change(kind: .grow)
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.message(.prepare(change), from: one), at: Samples.at(1))
    _ = machine.handle(.jobFinished(.prepare(change), .done), at: Samples.at(5))
    #expect(
      machine.handle(.message(.resume(change.id), from: one), at: Samples.at(40))
        == [.runJob(.resume(change))])
    #expect(
      machine.handle(.jobFinished(.resume(change), .done), at: Samples.at(43))
        == [.send(.resumed(change.id, suspendedMilliseconds: 3), to: one)])
  }

  @Test func whoCannotResumeForTooLongLetsItsVolumesFailAndSaysSo() throws {
    var (machine, change) = try suspended()
    _ = machine.handle(.message(.resume(change.id), from: one), at: Samples.at(20))
    var now: UInt64 = 30
    var effects = machine.handle(.jobFinished(.resume(change), .failed("EIO")), at: Samples.at(now))
    while !effects.contains(.runJob(.isolate(change))), now < 60_000 {
      let wake = try #require(machine.nextWake)
      #expect(machine.handle(.wake, at: wake) == [.runJob(.resume(change))])
      now += 2100
      effects = machine.handle(.jobFinished(.resume(change), .failed("EIO")), at: Samples.at(now))
    }
    #expect((10_000...13_000).contains(now))
    var followed = machine
    #expect(
      machine.handle(.jobFinished(.isolate(change), .done), at: Samples.at(now + 5))
        == [.send(.stranded(change.id, reason: "EIO"), to: one)])
    #expect(machine.openChanges.count == 1)
    #expect(!machine.isBusy(volumeGroupID: Samples.volumeGroupID))
    // Asked once more, it answers the same.
    #expect(
      machine.handle(.message(.resume(change.id), from: one), at: Samples.at(now + 9))
        == [.send(.stranded(change.id, reason: "EIO"), to: one)])
    // Or it could follow after all.
    let end = followed.handle(
      .jobFinished(.isolate(change), .recovered(seqno: 8)), at: Samples.at(now + 5))
    guard case .send(.resumed, to: one)? = end.last else { return #expect(Bool(false), "\(end)") }
    #expect(followed.openChanges == [])
  }

  @Test func lostQuorumIsReportedForEachOpenChange() throws {
    var (machine, _) = try suspended()
    let effects = machine.handle(.quorum(false), at: Samples.at(20))
    guard effects.count == 1, case .report(let text) = effects[0] else {
      return #expect(Bool(false), "\(effects)")
    }
    #expect(text.contains("suspended"))
  }

  @Test func strangerMayNotEndAChange() throws {
    var (machine, change) = try suspended()
    let effects = machine.handle(
      .message(.abandon(change), from: Samples.instance(3)), at: Samples.at(20))
    guard effects.count == 1, case .report = effects[0] else {
      return #expect(Bool(false), "\(effects)")
    }
  }

  @Test func leftoversOfAnEarlierLifeAreRecovered() {
    var machine = ChangeParticipant(node: two)
    let effects = machine.recoverLeftovers(
      volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID)
    #expect(
      effects.last
        == .runJob(
          .recover(volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID, change: nil)))
    #expect(machine.openChanges.count == 1)
  }
}
