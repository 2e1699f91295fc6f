import Testing
import VolumeSimulation

/// The campaign itself runs optimised in `Scripts/test`; here it is shown to run, to find and to tell.
@Suite struct VolumeSimulationTests {
  /// Without a record of running changes, and with one.
  @Test(arguments: VolumeOperation.allCases, [UInt64(3), 4])
  func anUndisturbedOperationViolatesNothing(operation: VolumeOperation, seed: UInt64) {
    var campaign = VolumeCampaign()
    let effects = campaign.baseline(of: operation, seed: seed)
    #expect(campaign.violations.map(\.description) == [])
    #expect(effects.count > 8)
  }

  /// What survivors make of an activation whose coordinator dies at any of its effects.
  @Test func anActivationIsDoneEverywhereOrNowhere() throws {
    var situations: Set<VolumeSituation> = []
    for operation in [VolumeOperation.activate, .deactivate] {
      for effect in 0..<26 {
        for fault in [VolumeFault.powerCut, .daemonKill, .longStall] {
          let world = VolumeWorld(
            VolumeRun(
              operation, seed: 2,
              faults: [PlannedFault(effect: effect, moment: .after, fault: fault, node: 1)]))
          world.run()
          #expect(world.violation == nil)
          situations.formUnion(world.situations)
        }
      }
    }
    #expect(situations.isSuperset(of: [.orphanGivenUp, .orphanFinished]))
  }

  @Test func aRunIsRepeatedByItsName() throws {
    let name = "extend/4/16+power-cut@1/20-lost-disk@2"
    let run = try #require(VolumeRun(name))
    #expect(run.description == name)
    let first = VolumeWorld(run, keepsTranscript: true)
    first.run()
    let second = VolumeWorld(run, keepsTranscript: true)
    second.run()
    #expect(first.transcript == second.transcript)
    #expect(first.situations.contains(.coordinatorDiedAfterCommit))
    #expect(first.violation == nil)
    for text in [
      "", "extend", "extend/x", "shout/1", "extend/1/power-cut@1", "extend/1/3-nothing@1",
    ] {
      #expect(VolumeRun(text) == nil)
    }
  }

  /// Runs that found something once.
  @Test(arguments: [
    "extend-raid/1/6+lost-disk@1", "extend-raid/1/8+refusals@1",
    "extend-raid/202/4+refusal@3/12-refusals@1", "rename-group/1/9+long-stall@1",
    "reduce/766/22+lost-disk@2/17+write-error@1",
  ])
  func whatWasFoundStaysFound(name: String) throws {
    let world = VolumeWorld(try #require(VolumeRun(name)))
    world.run()
    #expect(world.violation == nil)
  }

  @Test func aDefectIsFoundAndShrunk() throws {
    let run = VolumeRun(
      .extend, faults: [PlannedFault(effect: 5, moment: .after, fault: .echoes, node: 2)],
      mutation: .pretendsToResume)
    var shrinker = try #require(VolumeShrinker(run))
    shrinker.shrink()
    #expect(shrinker.violation.run.faults == [])
    #expect("\(shrinker.violation)".hasPrefix("extend/1: at "))
  }

  @Test(arguments: VolumeOperation.allCases)
  func aCutInTheMiddleOfTheCommitIsSurvived(operation: VolumeOperation) {
    for moment in PlannedFault.Moment.allCases {
      for effect in [3, 12] {
        let world = VolumeWorld(
          VolumeRun(
            operation,
            faults: [PlannedFault(effect: effect, moment: moment, fault: .powerCut, node: 1)]))
        world.run()
        #expect(world.violation == nil)
      }
    }
  }

  /// A daemon that comes back as the same member, at some of the effects, on the node that asked and on
  /// another one.
  @Test(arguments: [VolumeOperation.extend, .extendByLVM, .reduce, .activate])
  func aMemberWithAnotherDaemonLeavesNothingHalfDone(operation: VolumeOperation) {
    var situations: Set<VolumeSituation> = []
    for effect in stride(from: 1, to: 26, by: 4) {
      for node in Int32(1)...2 {
        let fault = PlannedFault(
          effect: effect, moment: .after, fault: .daemonRenewal, node: node)
        let world = VolumeWorld(VolumeRun(operation, seed: 2, faults: [fault]))
        world.run()
        #expect(world.violation == nil)
        situations.formUnion(world.situations)
      }
    }
    #expect(situations.contains(.renewedUnderChange))
  }

  @Test func aReloadThatIsLeftOutIsFound() {
    let world = VolumeWorld(VolumeRun(.extendByLVM, seed: 2, mutation: .skipsReload))
    world.run()
    #expect(world.violation?.invariant == .nobodyLags)
  }
}
