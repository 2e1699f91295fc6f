import ClusterTypes
import Testing

@testable import VolumeCoordination

@Suite struct ChangeCoordinatorTests {
  let one = Samples.instance(1)
  let two = Samples.instance(2)

  /// A coordinator on node 1 with nodes 1 and 2, brought up to the named phase.
  func coordinator(
    kind: VolumeChange.Kind = .convert, suspended: Bool = false, committed: Bool = false
  ) throws -> ChangeCoordinator {
    let change = try Samples.change(kind: kind)
    var machine = ChangeCoordinator(change: change, participants: [one, two])
    _ = machine.start(at: Samples.at(0))
    if kind.changesMetadata {
      _ = machine.handle(.jobFinished(.writePrecommitted(change), .done), at: Samples.at(1))
    }
    guard suspended || committed else { return machine }
    for node in [one, two] {
      _ = machine.handle(.message(.prepared(change.id), from: node), at: Samples.at(2))
    }
    for node in [one, two] {
      _ = machine.handle(.message(.suspended(change.id), from: node), at: Samples.at(3))
    }
    guard committed else { return machine }
    let result = VolumeJobResult.committed(staleAreas: [])
    _ = machine.handle(.jobFinished(.commit(change), result), at: Samples.at(4))
    return machine
  }

  @Test func conversionTakesEveryStepOnlyWhenAllHaveConfirmedTheOneBefore() throws {
    let change = try Samples.change()
    var machine = ChangeCoordinator(change: change, participants: [one, two])
    #expect(machine.start(at: Samples.at(0)) == [.runJob(.writePrecommitted(change))])
    #expect(
      machine.handle(.jobFinished(.writePrecommitted(change), .done), at: Samples.at(1))
        == [.send(.prepare(change), to: one), .send(.prepare(change), to: two)])
    #expect(machine.handle(.message(.prepared(change.id), from: two), at: Samples.at(2)) == [])
    #expect(
      machine.handle(.message(.prepared(change.id), from: one), at: Samples.at(3))
        == [.send(.suspend(change.id), to: one), .send(.suspend(change.id), to: two)])
    #expect(machine.handle(.message(.suspended(change.id), from: one), at: Samples.at(4)) == [])
    #expect(
      machine.handle(.message(.suspended(change.id), from: two), at: Samples.at(5))
        == [.runJob(.commit(change))])
    let committed = VolumeJobResult.committed(staleAreas: [])
    #expect(
      machine.handle(.jobFinished(.commit(change), committed), at: Samples.at(6))
        == [.send(.resume(change.id), to: one), .send(.resume(change.id), to: two)])
    let first = CoordinationMessage.resumed(change.id, suspendedMilliseconds: 12)
    #expect(machine.handle(.message(first, from: one), at: Samples.at(7)) == [])
    let second = CoordinationMessage.resumed(change.id, suspendedMilliseconds: 9)
    #expect(
      machine.handle(.message(second, from: two), at: Samples.at(8)) == [
        .finished(
          ChangeResult(
            change: change, outcome: .committed, suspendedMilliseconds: [one: 12, two: 9],
            stranded: [:], warnings: []))
      ])
    #expect(machine.nextWake == nil)
  }

  @Test func growthIsCommittedAsSoonAsAllAreReadyAndHoldsNoInputOutputMeanwhile() throws {
    for kind in [VolumeChange.Kind.grow, .rename, .permission, .renameGroup] {
      let change = try Samples.change(kind: kind)
      var machine = try coordinator(kind: kind)
      #expect(machine.handle(.message(.prepared(change.id), from: two), at: Samples.at(2)) == [])
      #expect(
        machine.handle(.message(.prepared(change.id), from: one), at: Samples.at(3))
          == [.runJob(.commit(change))])
      let result = VolumeJobResult.committed(staleAreas: [])
      #expect(
        machine.handle(.jobFinished(.commit(change), result), at: Samples.at(4))
          == [.send(.resume(change.id), to: one), .send(.resume(change.id), to: two)])
    }
  }

  @Test func nodeThatCannotFollowIsNamedAndHoldsNothingUp() throws {
    let change = try Samples.change()
    var machine = try coordinator(committed: true)
    let resumed = CoordinationMessage.resumed(change.id, suspendedMilliseconds: 1)
    _ = machine.handle(.message(resumed, from: one), at: Samples.at(5))
    let stranded = CoordinationMessage.stranded(change.id, reason: "EIO")
    guard
      case .finished(let result) = machine.handle(
        .message(stranded, from: two), at: Samples.at(6)
      ).last
    else { return #expect(Bool(false), "not finished") }
    #expect(result.outcome == .committed)
    #expect(result.stranded == [two: "EIO"])
    #expect(result.warnings.count == 1)
    #expect(result.warnings[0].contains("node 2"))
  }

  @Test func refreshWritesNothing() throws {
    let change = try Samples.change(kind: .refresh)
    var machine = try coordinator(kind: .refresh)
    for node in [one, two] {
      _ = machine.handle(.message(.prepared(change.id), from: node), at: Samples.at(2))
    }
    #expect(machine.phase == .resuming([one, two]))
    machine = try coordinator(kind: .refresh)
    let refusal = CoordinationMessage.refused(change.id, reason: "No.")
    let effects = machine.handle(.message(refusal, from: two), at: Samples.at(2))
    #expect(!effects.contains(.runJob(.revert(change))))
    #expect(effects.contains(.send(.abandon(change), to: two)))
  }

  @Test func refusalAbandonsEverywhereAndNamesNodeAndReason() throws {
    let change = try Samples.change()
    var machine = try coordinator()
    let refusal = CoordinationMessage.refused(change.id, reason: "/dev/sdb is too small.")
    let effects = machine.handle(.message(refusal, from: two), at: Samples.at(2))
    #expect(effects.contains(.send(.abandon(change), to: one)))
    #expect(effects.contains(.send(.abandon(change), to: two)))
    #expect(effects.contains(.runJob(.revert(change))))
    _ = machine.handle(.jobFinished(.revert(change), .done), at: Samples.at(3))
    let answer = CoordinationMessage.abandoned(change.id, suspendedMilliseconds: 0)
    #expect(machine.handle(.message(answer, from: one), at: Samples.at(4)) == [])
    guard
      case .finished(let result) = machine.handle(
        .message(answer, from: two), at: Samples.at(5)
      ).last
    else { return #expect(Bool(false), "not finished") }
    #expect(
      result.outcome == .aborted(ChangeFailure(node: two.node, reason: "/dev/sdb is too small.")))
  }

  @Test func commitThatReachedNoAreaAbandonsTheSuspended() throws {
    let change = try Samples.change()
    var machine = try coordinator(suspended: true)
    let failed = VolumeJobResult.failed("All metadata areas refused the write.")
    let effects = machine.handle(.jobFinished(.commit(change), failed), at: Samples.at(4))
    #expect(effects.contains(.send(.abandon(change), to: two)))
    #expect(effects.contains(.runJob(.revert(change))))
  }

  @Test func commitThatMissedAnAreaGoesOnWithAWarning() throws {
    let change = try Samples.change()
    var machine = try coordinator(suspended: true)
    let partly = VolumeJobResult.committed(staleAreas: ["/dev/sdc"])
    let effects = machine.handle(.jobFinished(.commit(change), partly), at: Samples.at(4))
    #expect(effects.contains(.send(.resume(change.id), to: two)))
    let resumed = CoordinationMessage.resumed(change.id, suspendedMilliseconds: 1)
    _ = machine.handle(.message(resumed, from: one), at: Samples.at(5))
    guard
      case .finished(let result) = machine.handle(
        .message(resumed, from: two), at: Samples.at(6)
      ).last
    else { return #expect(Bool(false), "not finished") }
    #expect(result.warnings.count == 1)
    #expect(result.warnings[0].contains("/dev/sdc"))
  }

  @Test func uncertainCommitIsTriedAgainAndNobodyResumesMeanwhile() throws {
    let change = try Samples.change()
    var machine = try coordinator(suspended: true)
    let uncertain = VolumeJobResult.commitUncertain("Read error.")
    let effects = machine.handle(.jobFinished(.commit(change), uncertain), at: Samples.at(4))
    #expect(effects.count == 1)
    #expect(machine.handle(.wake, at: Samples.at(100)) == [])
    #expect(machine.handle(.wake, at: Samples.at(2100)) == [.runJob(.commit(change))])
  }

  @Test func withoutQuorumNothingIsCommitted() throws {
    let change = try Samples.change()
    var machine = try coordinator()
    for node in [one, two] {
      _ = machine.handle(.message(.prepared(change.id), from: node), at: Samples.at(2))
    }
    _ = machine.handle(.message(.suspended(change.id), from: one), at: Samples.at(3))
    // I/O is held, and whether it is ever committed is this coordinator's own decision.
    let effects = machine.handle(.quorum(false), at: Samples.at(4))
    #expect(
      effects.dropFirst() == [.send(.abandon(change), to: one), .send(.abandon(change), to: two)])
    #expect(machine.handle(.message(.suspended(change.id), from: two), at: Samples.at(5)) == [])
    let back = CoordinationMessage.abandoned(change.id, suspendedMilliseconds: 1)
    #expect(machine.handle(.message(back, from: one), at: Samples.at(6)) == [])
    let last = machine.handle(.message(back, from: two), at: Samples.at(7))
    guard case .finished(let result) = last.last, case .aborted(let failure) = result.outcome
    else { return #expect(Bool(false), "\(last)") }
    #expect(failure.reason.contains("quorum"))
  }

  @Test func nodeThatLeavesBeforeTheCommitEndsTheChangeButOnlyItsFenceReleases() throws {
    let change = try Samples.change()
    var machine = try coordinator()
    let effects = machine.handle(.nodeRemoved(two), at: Samples.at(2))
    #expect(effects.contains(.send(.abandon(change), to: one)))
    #expect(!effects.contains(.send(.abandon(change), to: two)))
    _ = machine.handle(.jobFinished(.revert(change), .done), at: Samples.at(3))
    let answer = CoordinationMessage.abandoned(change.id, suspendedMilliseconds: 0)
    #expect(machine.handle(.message(answer, from: one), at: Samples.at(4)) == [])
    #expect(machine.waitingFor?.contains("node 2 to be fenced") == true)
    guard case .finished = machine.handle(.nodeFenced(two), at: Samples.at(5)).last
    else { return #expect(Bool(false), "not finished") }
  }

  @Test func nodeThatDoesNotResumeKeepsTheLockUntilItDoes() throws {
    let change = try Samples.change()
    var machine = try coordinator(committed: true)
    let resumed = CoordinationMessage.resumed(change.id, suspendedMilliseconds: 1)
    _ = machine.handle(.message(resumed, from: one), at: Samples.at(5))
    let delayed = CoordinationMessage.delayed(change.id, reason: "EIO")
    #expect(
      machine.handle(.message(delayed, from: two), at: Samples.at(6)).contains {
        if case .report(let text) = $0 { text.contains("node 2") } else { false }
      })
    #expect(
      machine.handle(.wake, at: Samples.at(600_000)).contains(.send(.resume(change.id), to: two)))
    guard
      case .finished(let result) = machine.handle(
        .message(resumed, from: two), at: Samples.at(600_001)
      ).last
    else { return #expect(Bool(false), "not finished") }
    #expect(result.outcome == .committed)
    #expect(result.warnings.count == 1)
  }

  @Test func silentNodeIsAskedAgainReportedAndFinallyGivenUp() throws {
    let change = try Samples.change()
    var machine = try coordinator()
    _ = machine.handle(.message(.prepared(change.id), from: one), at: Samples.at(2))
    #expect(machine.nextWake == Samples.at(2001))
    #expect(machine.handle(.wake, at: Samples.at(2001)) == [.send(.prepare(change), to: two)])
    #expect(
      machine.handle(.wake, at: Samples.at(5001)).contains {
        if case .report(let text) = $0 { text.contains("node 2 to prepare") } else { false }
      })
    #expect(
      machine.handle(.wake, at: Samples.at(30_001)).contains(.send(.abandon(change), to: two)))
  }

  @Test func cancelAfterTheCommitChangesNothing() throws {
    var machine = try coordinator(committed: true)
    #expect(machine.cancel(reason: "The client went away.", at: Samples.at(9)) == [])
    #expect(machine.phase == .resuming([one, two]))
  }

  @Test func withoutQuorumAtTheStartNothingIsWritten() throws {
    for kind in [VolumeChange.Kind.grow, .refresh] {
      let change = try Samples.change(kind: kind)
      var machine = ChangeCoordinator(
        change: change, participants: [one, two], hasQuorum: false)
      #expect(machine.start(at: Samples.at(0)) == [])
      #expect(machine.waitingFor?.contains("quorum") == true)
      var given = machine
      let effects = machine.handle(.quorum(true), at: Samples.at(1))
      let first = ChangeCoordinator.Effect.runJob(.writePrecommitted(change))
      #expect(effects.contains(kind.changesMetadata ? first : .send(.prepare(change), to: two)))
      // Given up meanwhile, it is over at once: there is nothing to take back.
      let end = given.cancel(reason: "The client went away.", at: Samples.at(1))
      guard end.count == 1, case .finished(let result) = end[0], case .aborted = result.outcome
      else { return #expect(Bool(false), "\(end)") }
    }
  }

  /// Wakes the machine whenever it wants to be, without letting time pass for nothing.
  private func wakes(_ machine: inout ChangeCoordinator, until end: Timestamp) -> Int {
    var count = 0
    while let moment = machine.nextWake, moment < end, count < 1000 {
      _ = machine.handle(.wake, at: moment)
      count += 1
    }
    return count
  }

  @Test func withoutQuorumTheMachineDoesNotAskToBeWokenForNothing() throws {
    let change = try Samples.change()
    var late = try coordinator()
    _ = late.handle(.quorum(false), at: Samples.at(3))
    #expect(wakes(&late, until: Samples.at(100_000)) < 100)
    var confirmed = late
    for node in [one, two] {
      _ = confirmed.handle(.message(.prepared(change.id), from: node), at: Samples.at(100_000))
    }
    #expect(wakes(&confirmed, until: Samples.at(200_000)) < 100)
    #expect(confirmed.handle(.quorum(true), at: Samples.at(200_000)).count > 1)

    var uncertain = try coordinator(suspended: true)
    let result = VolumeJobResult.commitUncertain("Read error.")
    _ = uncertain.handle(.jobFinished(.commit(change), result), at: Samples.at(4))
    _ = uncertain.handle(.quorum(false), at: Samples.at(5))
    #expect(wakes(&uncertain, until: Samples.at(100_000)) < 100)
    _ = uncertain.handle(.quorum(true), at: Samples.at(100_000))
    let moment = try #require(uncertain.nextWake)
    #expect(moment <= Samples.at(100_000))
    #expect(uncertain.handle(.wake, at: Samples.at(100_000)) == [.runJob(.commit(change))])
  }
}
