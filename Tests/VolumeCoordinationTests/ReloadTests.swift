import ClusterTypes
import Testing

@testable import VolumeCoordination

@Suite struct ReloadTests {
  let one = Samples.instance(1)
  let two = Samples.instance(2)
  let three = Samples.instance(3)

  func request(_ number: UInt64 = 1) throws -> ReloadRequest {
    try ReloadRequest(
      id: VolumeRequestID(origin: one, number: number), volumeGroup: "vg0",
      volumeGroupID: Samples.volumeGroupID)
  }

  @Test func collectorEndsWhenAllHaveAnsweredOrAreFenced() throws {
    let request = try request()
    var collector = ReloadCollector(request: request, nodes: [two, three])
    #expect(
      collector.start(at: Samples.at(0))
        == [.send(.reload(request), to: two), .send(.reload(request), to: three)])
    let volumes = [
      LogicalVolumeReload(logicalVolume: "home", outcome: .failed("/dev/sdb is missing."))
    ]
    let answer = CoordinationMessage.reloaded(request.id, volumes)
    #expect(collector.handle(.message(answer, from: two), at: Samples.at(1)) == [])
    #expect(collector.handle(.nodeRemoved(three), at: Samples.at(2)).count == 1)
    #expect(collector.handle(.wake, at: Samples.at(2000)) == [])
    guard case .finished(let result) = collector.handle(.nodeFenced(three), at: Samples.at(3)).last
    else { return #expect(Bool(false), "not finished") }
    #expect(result.nodes == [two: .finished(volumes), three: .fenced])
    #expect(result.failures == ["Node 2 did not reload vg0/home: /dev/sdb is missing."])
  }

  @Test func collectorAsksSilentNodesAgain() throws {
    let request = try request()
    var collector = ReloadCollector(request: request, nodes: [two])
    _ = collector.start(at: Samples.at(0))
    #expect(collector.handle(.wake, at: Samples.at(2000)) == [.send(.reload(request), to: two)])
    #expect(collector.waitingFor?.contains("node 2 to reload") == true)
  }

  @Test func reloadWithoutOtherNodesIsOverAtOnce() throws {
    var collector = ReloadCollector(request: try request(), nodes: [])
    #expect(collector.start(at: Samples.at(0)).count == 1)
    #expect(collector.nextWake == nil)
  }

  @Test func participantReloadsOnceAndRepeatsItsAnswer() throws {
    let request = try request()
    var machine = ChangeParticipant(node: two)
    #expect(
      machine.handle(.message(.reload(request), from: one), at: Samples.at(1))
        == [.runJob(.refresh(request))])
    #expect(machine.handle(.message(.reload(request), from: one), at: Samples.at(2)) == [])
    let answer = ChangeParticipant.Effect.send(.reloaded(request.id, []), to: one)
    #expect(
      machine.handle(.jobFinished(.refresh(request), .refreshed([])), at: Samples.at(3))
        == [answer])
    #expect(machine.handle(.message(.reload(request), from: one), at: Samples.at(4)) == [answer])
  }

  @Test func reloadDuringAnOpenChangeWaitsForItsEnd() throws {
    let change = try Samples.change()
    let request = try request(2)
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.message(.prepare(change), from: one), at: Samples.at(1))
    _ = machine.handle(.jobFinished(.prepare(change), .done), at: Samples.at(2))
    #expect(machine.handle(.message(.reload(request), from: one), at: Samples.at(3)).count == 1)
    _ = machine.handle(.message(.abandon(change), from: one), at: Samples.at(4))
    let effects = machine.handle(.jobFinished(.abandon(change), .done), at: Samples.at(5))
    #expect(effects.contains(.runJob(.refresh(request))))
  }

  private let recovery = VolumeJob.recover(
    volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID, change: nil)

  @Test func heldReloadOfADeadNodeBecomesARecoveryAfterTheOpenChange() throws {
    let change = try Samples.change(by: three)
    let request = try request(2)
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.message(.prepare(change), from: three), at: Samples.at(1))
    _ = machine.handle(.jobFinished(.prepare(change), .done), at: Samples.at(2))
    _ = machine.handle(.message(.reload(request), from: one), at: Samples.at(3))
    #expect(machine.handle(.nodeFenced(one), at: Samples.at(4)) == [])
    #expect(machine.isRecovering(volumeGroup: "vg0"))
    _ = machine.handle(.message(.abandon(change), from: three), at: Samples.at(5))
    let effects = machine.handle(.jobFinished(.abandon(change), .done), at: Samples.at(6))
    #expect(effects.contains(.runJob(recovery)))
    _ = machine.handle(.jobFinished(recovery, .recovered(seqno: 8)), at: Samples.at(7))
    #expect(!machine.isBusy(volumeGroupID: Samples.volumeGroupID))
    #expect(!machine.isRecovering(volumeGroup: "vg0"))
  }

  @Test func recoveryOfTheDeadNodesOwnChangeCoversItsHeldReload() throws {
    let change = try Samples.change()
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.message(.prepare(change), from: one), at: Samples.at(1))
    _ = machine.handle(.jobFinished(.prepare(change), .done), at: Samples.at(2))
    _ = machine.handle(.message(.reload(try request(2)), from: one), at: Samples.at(3))
    let own = VolumeJob.recover(
      volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID, change: change)
    let fenced = machine.handle(.nodeFenced(one), at: Samples.at(4))
    #expect(fenced.last == .runJob(own))
    _ = machine.handle(.jobFinished(own, .recovered(seqno: 8)), at: Samples.at(5))
    #expect(!machine.isBusy(volumeGroupID: Samples.volumeGroupID))
  }

  @Test func reloadOfARemovedNodeWaitsForItsFenceAndThenTheDiskIsFollowed() throws {
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.nodeRemoved(one), at: Samples.at(1))
    #expect(machine.handle(.message(.reload(try request()), from: one), at: Samples.at(2)) == [])
    #expect(machine.handle(.nodeFenced(one), at: Samples.at(3)).last == .runJob(recovery))
  }

  @Test func failedReloadOfADeadNodeIsFollowedByARecovery() throws {
    let request = try request()
    let failed = LogicalVolumeReload(logicalVolume: "home", outcome: .failed("EIO"))
    for result in [VolumeJobResult.failed("EIO"), .refreshed([failed])] {
      var machine = ChangeParticipant(node: two)
      _ = machine.handle(.message(.reload(request), from: one), at: Samples.at(1))
      #expect(machine.handle(.nodeFenced(one), at: Samples.at(2)) == [])
      let effects = machine.handle(.jobFinished(.refresh(request), result), at: Samples.at(3))
      #expect(effects.last == .runJob(recovery))
    }
  }

  /// The kernel has refused both tables: I/O is held, and the command that asked has ended.
  @Test func aDeviceThatAReloadLeavesSuspendedIsFollowedByARecovery() throws {
    let request = try request()
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.message(.reload(request), from: one), at: Samples.at(0))
    let failed = LogicalVolumeReload(logicalVolume: "home", outcome: .failed("EIO"))
    let effects = machine.handle(
      .jobFinished(.refresh(request), .refreshed([failed], leavesSuspended: true)),
      at: Samples.at(1))
    #expect(effects.contains(.send(.reloaded(request.id, [failed]), to: one)))
    #expect(effects.contains(.runJob(recovery)))
    // It is tried again until it succeeds, and told meanwhile.
    _ = machine.handle(.jobFinished(recovery, .failed("EIO")), at: Samples.at(2))
    #expect(machine.nextWake != nil)
    #expect(machine.openChanges.count == 1)
    let later = try #require(machine.nextWake)
    #expect(machine.handle(.wake, at: later).contains(.runJob(recovery)))
    _ = machine.handle(.jobFinished(recovery, .recovered(seqno: 7)), at: Samples.at(9))
    #expect(machine.openChanges == [])
  }
}
