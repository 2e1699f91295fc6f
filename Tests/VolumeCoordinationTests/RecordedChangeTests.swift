import ClusterTypes
import Testing

@testable import VolumeCoordination

/// Coordinators and participants where the cluster has a record of running changes.
@Suite struct RecordedChangeTests {
  let one = Samples.instance(1)
  let two = Samples.instance(2)

  /// A coordinator whose participants have all prepared; its record has not answered yet.
  private func prepared(_ kind: VolumeChange.Kind) throws -> (ChangeCoordinator, VolumeChange) {
    let change = try Samples.change(kind: kind)
    var machine = ChangeCoordinator(
      change: change, participants: [one, two], isRecorded: true)
    #expect(machine.start(at: Samples.at(0)).first == .record(.begun))
    if kind.changesMetadata {
      _ = machine.handle(.jobFinished(.writePrecommitted(change), .done), at: Samples.at(1))
    }
    for node in [one, two] {
      #expect(machine.handle(.message(.prepared(change.id), from: node), at: Samples.at(2)) == [])
    }
    return (machine, change)
  }

  private func suspended(_ kind: VolumeChange.Kind) throws -> (ChangeCoordinator, VolumeChange) {
    var (machine, change) = try prepared(kind)
    _ = machine.handle(.recorded(change.id, .begun), at: Samples.at(3))
    _ = machine.handle(.message(.suspended(change.id), from: one), at: Samples.at(4))
    let effects = machine.handle(.message(.suspended(change.id), from: two), at: Samples.at(5))
    #expect(effects == [.record(kind.changesMetadata ? .committing : .committed)])
    return (machine, change)
  }

  private func outcome(_ effects: [ChangeCoordinator.Effect]) -> ChangeResult.Outcome? {
    guard case .finished(let result) = effects.last else { return nil }
    return result.outcome
  }

  @Test func aGrowthIsRecordedBesideItsFirstExchangeAndWaitsForNothingElse() throws {
    var (machine, change) = try prepared(.grow)
    #expect(machine.waitingFor?.contains("record") == true)
    #expect(
      machine.handle(.recorded(change.id, .begun), at: Samples.at(3)) == [.runJob(.commit(change))])
    let done = VolumeJobResult.committed(staleAreas: [])
    #expect(
      machine.handle(.jobFinished(.commit(change), done), at: Samples.at(4)) == [
        .send(.resume(change.id), to: one), .send(.resume(change.id), to: two), .record(.committed),
      ])
    let resumed = CoordinationMessage.resumed(change.id, suspendedMilliseconds: 1)
    _ = machine.handle(.message(resumed, from: one), at: Samples.at(5))
    let end = machine.handle(.message(resumed, from: two), at: Samples.at(6))
    #expect(end.first == .record(.over))
    #expect(outcome(end) == .committed)
  }

  @Test func aReductionIsCommittedOnlyOnceThatIsRecorded() throws {
    var (machine, change) = try suspended(.shrink)
    #expect(
      machine.handle(.recorded(change.id, .committing), at: Samples.at(6))
        == [.runJob(.commit(change))])
  }

  @Test func anActivationGoesForwardOnlyOnceThatIsRecordedAndThenForGood() throws {
    var (machine, change) = try suspended(.activate)
    // Whatever happens now, the record's answer decides.
    #expect(machine.cancel(reason: "The client went away.", at: Samples.at(6)) == [])
    #expect(machine.handle(.quorum(false), at: Samples.at(7)).count == 1)
    _ = machine.handle(.wake, at: Samples.at(100_000))
    let effects = machine.handle(.recorded(change.id, .committed), at: Samples.at(100_001))
    #expect(effects == [.send(.resume(change.id), to: one), .send(.resume(change.id), to: two)])
  }

  @Test func whatTheRecordRefusesIsGivenUp() throws {
    for kind in [VolumeChange.Kind.shrink, .activate] {
      var (machine, change) = try suspended(kind)
      let step = kind == .shrink ? RecordedStep.committing : .committed
      let effects = machine.handle(
        .unrecorded(change.id, step, reason: "busy"), at: Samples.at(6))
      #expect(effects.contains(.send(.abandon(change), to: two)))
    }
    var (machine, change) = try prepared(.grow)
    let effects = machine.handle(.unrecorded(change.id, .begun, reason: "busy"), at: Samples.at(3))
    #expect(effects.contains(.send(.abandon(change), to: two)))
    _ = machine.handle(.jobFinished(.revert(change), .done), at: Samples.at(4))
    let back = CoordinationMessage.abandoned(change.id, suspendedMilliseconds: 0)
    _ = machine.handle(.message(back, from: one), at: Samples.at(5))
    let end = machine.handle(.message(back, from: two), at: Samples.at(6))
    // Nothing is recorded that would have to be ended.
    #expect(end.count == 1)
    guard case .aborted(let failure)? = outcome(end) else {
      return #expect(Bool(false), "\(end)")
    }
    #expect(failure.reason.contains("busy"))
  }

  @Test func aReductionHoldsNoIOForARecordThatDoesNotAnswer() throws {
    var (late, change) = try suspended(.shrink)
    var cut = late
    #expect(late.nextWake == Samples.at(5005))
    _ = late.handle(.wake, at: Samples.at(5005))
    let effects = late.handle(.wake, at: Samples.at(10_005))
    #expect(effects.contains(.send(.abandon(change), to: one)))
    // What is recorded later does not change that.
    #expect(late.handle(.recorded(change.id, .committing), at: Samples.at(10_006)) == [])

    let without = cut.handle(.quorum(false), at: Samples.at(6))
    #expect(without.contains(.send(.abandon(change), to: one)))
    // Without quorum nothing is written, not even to clear a slot.
    #expect(!without.contains(.runJob(.revert(change))))
  }

  @Test func theNextChangeWaitsUntilTheBeginningOfThisOneIsDecided() throws {
    let change = try Samples.change(kind: .grow)
    var machine = ChangeCoordinator(
      change: change, participants: [one, two], hasQuorum: false, isRecorded: true)
    _ = machine.start(at: Samples.at(0))
    #expect(machine.cancel(reason: "The client went away.", at: Samples.at(1)) == [])
    #expect(machine.waitingFor?.contains("record") == true)
    let end = machine.handle(.recorded(change.id, .begun), at: Samples.at(2))
    #expect(end.first == .record(.over))
    #expect(outcome(end) != nil)
  }

  // MARK: - Participants

  private func participant(
    _ kind: VolumeChange.Kind, suspended: Bool = true
  ) throws -> (ChangeParticipant, VolumeChange) {
    let change = try Samples.change(kind: kind)
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.message(.prepare(change), from: one), at: Samples.at(1))
    _ = machine.handle(.jobFinished(.prepare(change), .done), at: Samples.at(2))
    if suspended {
      _ = machine.handle(.message(.suspend(change.id), from: one), at: Samples.at(3))
      _ = machine.handle(.jobFinished(.suspend(change), .done), at: Samples.at(4))
    }
    // The record says nothing final about a member.
    #expect(machine.handle(.orphaned(change.id, .suspending), at: Samples.at(5)) == [])
    _ = machine.handle(.nodeRemoved(one), at: Samples.at(6))
    return (machine, change)
  }

  @Test func whatWillNeverBeCommittedIsUndoneBeforeTheFence() throws {
    for kind in [VolumeChange.Kind.shrink, .remove, .activate, .deactivate] {
      var (machine, change) = try participant(kind)
      let effects = machine.handle(.orphaned(change.id, .suspending), at: Samples.at(7))
      #expect(effects.last == .runJob(.abandon(change)))
      _ = machine.handle(.jobFinished(.abandon(change), .done), at: Samples.at(8))
      #expect(!machine.isBusy(volumeGroupID: Samples.volumeGroupID))
      // If it is alive after all, it is not listened to.
      #expect(
        machine.handle(.message(.resume(change.id), from: one), at: Samples.at(9))
          == [.send(.abandoned(change.id, suspendedMilliseconds: 5), to: one)])
      #expect(machine.handle(.nodeFenced(one), at: Samples.at(10)) == [])
    }
  }

  @Test func whatIsRecordedAsCommittedIsFinishedBeforeTheFence() throws {
    for kind in [VolumeChange.Kind.shrink, .activate, .deactivate] {
      var (machine, change) = try participant(kind)
      let effects = machine.handle(.orphaned(change.id, .committed), at: Samples.at(7))
      #expect(effects.last == .runJob(.resume(change)))
      // Its death changes nothing about that.
      #expect(machine.handle(.nodeFenced(one), at: Samples.at(8)) == [])
      _ = machine.handle(.jobFinished(.resume(change), .done), at: Samples.at(9))
      #expect(!machine.isBusy(volumeGroupID: Samples.volumeGroupID))
    }
  }

  @Test func whatMayBeOnTheDiskWaitsForTheFence() throws {
    var (machine, change) = try participant(.shrink)
    #expect(machine.handle(.orphaned(change.id, .committing), at: Samples.at(7)) == [])
    let effects = machine.handle(.nodeFenced(one), at: Samples.at(8))
    guard case .runJob(.recover) = effects.last else { return #expect(Bool(false), "\(effects)") }
    // So does what holds nothing.
    var (grown, growth) = try participant(.grow, suspended: false)
    #expect(grown.handle(.orphaned(growth.id, .begun), at: Samples.at(7)) == [])
  }

  @Test func aJobThatRunsEndsBeforeItIsUndone() throws {
    let change = try Samples.change(kind: .activate)
    var machine = ChangeParticipant(node: two)
    _ = machine.handle(.message(.prepare(change), from: one), at: Samples.at(1))
    _ = machine.handle(.nodeRemoved(one), at: Samples.at(2))
    #expect(machine.handle(.orphaned(change.id, .begun), at: Samples.at(3)).count == 1)
    #expect(
      machine.handle(.jobFinished(.prepare(change), .done), at: Samples.at(4))
        == [.runJob(.abandon(change))])
  }
}
