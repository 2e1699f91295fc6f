import ClusterSimulation
import ClusterTypes
import Testing

@testable import Fencing

@Suite struct FencingMachineTests {
  @Test func `one device that answers at once is a success`() {
    var scene = MachineScene([.device("ipmi")], levels: ["n3": [["ipmi"]]])
    scene.attempt(7)
    #expect(scene.running == ["ipmi off n3"])
    #expect(scene.answers.isEmpty)
    scene.end("ipmi", .exited(0))
    #expect(scene.answers == [7: 0])
  }

  @Test(arguments: [
    AgentOutcome.Ending.exited(1), .exited(2), .exited(255), .signalled(9), .timedOut,
    .notStarted("no such file"),
  ])
  func `nothing but exit status 0 is a success`(ending: AgentOutcome.Ending) {
    var scene = MachineScene([.device("ipmi")], levels: ["n3": [["ipmi"]]])
    scene.attempt(7)
    scene.end("ipmi", ending)
    #expect(scene.answers.count == 1)
    #expect(scene.answers[7] != .some(0))
  }

  @Test func `all devices of a level must have switched off`() {
    var scene = MachineScene(
      [.device("left"), .device("right")], levels: ["n3": [["left", "right"]]])
    scene.attempt(1)
    #expect(scene.running == ["left off n3", "right off n3"])
    scene.end("left", .exited(0))
    #expect(scene.answers.isEmpty)
    scene.end("right", .exited(0))
    #expect(scene.answers == [1: 0])
  }

  @Test func `an attempt is answered only when none of its programs runs any more`() {
    var scene = MachineScene(
      [.device("left"), .device("right")], levels: ["n3": [["left", "right"]]])
    scene.attempt(1)
    scene.end("left", .exited(3))
    #expect(scene.answers.isEmpty)
    scene.end("right", .exited(0))
    #expect(scene.answers == [1: 3])
  }

  @Test func `the levels are those of the node, and one that it does not have fails`() {
    var scene = MachineScene(
      [.device("ipmi"), .device("switch")], levels: ["n3": [["ipmi"], ["switch"]]])
    scene.attempt(1, level: 2)
    #expect(scene.running == ["switch off n3"])
    scene.attempt(2, level: 3)
    scene.attempt(3, MachineScene.other)
    #expect(scene.answers == [2: nil, 3: nil])
    #expect(scene.reports.contains { $0.text.contains("no fence level 3") })
  }

  @Test func `a failure is tried again as often as the device says, a second later`() {
    var scene = MachineScene([.device("ipmi", retries: 2)], levels: ["n3": [["ipmi"]]])
    scene.attempt(1)
    for _ in 0..<2 {
      scene.end("ipmi", .exited(1), output: "Failed: Timed out waiting to power OFF")
      #expect(scene.running.isEmpty)
      scene.pass(milliseconds: 1000)
      #expect(scene.running == ["ipmi off n3"])
    }
    scene.end("ipmi", .exited(1))
    #expect(scene.answers == [1: 1])
    #expect(scene.reports.contains { $0.text.contains("Timed out waiting to power OFF") })
  }

  @Test func `nothing begins after the attempt's time, and a program gets only what is left of it`()
  {
    var scene = MachineScene(
      [.device("ipmi", retries: 9, delay: 4000)], levels: ["n3": [["ipmi"]]])
    scene.attempt(1, timeoutMilliseconds: 5000)
    #expect(scene.running.isEmpty)
    scene.pass(milliseconds: 4000)
    #expect(scene.runs.map(\.timeoutMilliseconds) == [1000])
    scene.pass(milliseconds: 900)
    scene.end("ipmi", .timedOut)
    scene.pass(milliseconds: 1000)
    #expect(scene.running.isEmpty)
    #expect(scene.answers == [1: nil])
  }

  @Test func `a delay that is longer than the attempt fails instead of acting late`() {
    var scene = MachineScene([.device("ipmi", delay: 9000)], levels: ["n3": [["ipmi"]]])
    scene.attempt(1, timeoutMilliseconds: 5000)
    #expect(scene.wakeAt == scene.now + .seconds(5))
    scene.pass(milliseconds: 5000)
    #expect(scene.answers == [1: nil])
    scene.pass(milliseconds: 5000)
    #expect(scene.running.isEmpty)
  }

  @Test func `attempts against one node wait for each other, those against others do not`() {
    var scene = MachineScene(
      [.device("ipmi3"), .device("ipmi2")], levels: ["n3": [["ipmi3"]], "n2": [["ipmi2"]]])
    scene.attempt(1)
    scene.attempt(2)
    scene.attempt(3, MachineScene.other)
    #expect(scene.running == ["ipmi3 off n3", "ipmi2 off n2"])
    scene.end("ipmi3", .exited(1))
    #expect(scene.answers == [1: 1])
    #expect(scene.running == ["ipmi2 off n2", "ipmi3 off n3"])
  }

  @Test func `a device does one thing at a time`() {
    var scene = MachineScene(
      [.device("pdu")], levels: ["n3": [["pdu"]], "n2": [["pdu"]]])
    scene.attempt(1)
    scene.attempt(2, MachineScene.other)
    #expect(scene.running == ["pdu off n3"])
    scene.end("pdu", .exited(0))
    #expect(scene.running == ["pdu off n2"])
    scene.end("pdu", .exited(0))
    #expect(scene.answers == [1: 0, 2: 0])
  }

  @Test
  func `switching on comes after all are off, after the answer, and changes nothing about it`() {
    var scene = MachineScene(
      [.device("left"), .device("right")], levels: ["n3": [["left", "right"]]],
      switchesOnAgain: true)
    scene.attempt(1)
    scene.end("left", .exited(0))
    #expect(scene.running == ["right off n3"])
    scene.end("right", .exited(0))
    #expect(scene.answers == [1: 0])
    #expect(scene.running == ["left on n3", "right on n3"])
    scene.end("left", .exited(1))
    scene.end("right", .exited(0))
    #expect(scene.answers == [1: 0])
    #expect(scene.reports.contains { $0.severity == .error && $0.text.contains("'on'") })
  }

  @Test func `a new attempt comes before the power-on that is still waiting`() {
    var scene = MachineScene(
      [.device("left"), .device("right")], levels: ["n3": [["left", "right"]], "n2": [["right"]]],
      switchesOnAgain: true)
    scene.attempt(1)
    scene.end("left", .exited(0))
    scene.attempt(2, MachineScene.other)
    scene.end("right", .exited(0))
    // The other node's fence has the right switch; only the left one can switch on.
    #expect(scene.running.contains("left on n3"))
    scene.attempt(3)
    scene.end("left", .exited(0))
    scene.end("right", .exited(0))
    #expect(scene.running.contains("left off n3"))
    #expect(!scene.running.contains("right on n3"))
  }

  /// Whatever happens in which order: every attempt is answered exactly once, success only if each
  /// device's last word in that attempt was 0, and one device runs one program at a time.
  @Test(arguments: 0..<200)
  func `every attempt is answered once, truthfully`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let names = ["a", "b", "c"]
    var scene = MachineScene(
      names.map {
        .device(
          $0, retries: Int.random(in: 0...2, using: &random),
          delay: UInt32.random(in: 0...3000, using: &random),
          monitoring: Bool.random(using: &random) ? .monitor : .none)
      },
      levels: ["n3": [["a", "b"], ["c"]], "n2": [["b", "c"]]],
      switchesOnAgain: Bool.random(using: &random))
    var begun: [UInt64: (FenceVictim, Int)] = [:]
    var answered: Set<UInt64> = []
    var succeeded: [String: Set<String>] = [:]
    for step in 0..<300 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0 where begun.count < 8 && step < 200:
        let id = UInt64(begun.count + 1)
        let victim = Bool.random(using: &random) ? MachineScene.victim : MachineScene.other
        let level = victim == MachineScene.victim ? Int.random(in: 1...2, using: &random) : 1
        begun[id] = (victim, level)
        scene.attempt(id, victim, level: level, timeoutMilliseconds: 10_000)
      case 1...4:
        guard let run = scene.runs.randomElement(using: &random) else { continue }
        let isGood = Bool.random(using: &random)
        if isGood, run.action == .off {
          succeeded[run.node?.name ?? "", default: []].insert(run.device.name)
        }
        scene.end(
          run.device.name,
          scene.cancelled.contains(run.id) ? .cancelled : isGood ? .exited(0) : .exited(1))
      default: scene.pass(milliseconds: Int64.random(in: 1...2000, using: &random))
      }
      #expect(Set(scene.runs.map(\.device.name)).count == scene.runs.count)
      for (id, exit) in scene.answers where answered.insert(id).inserted && exit == 0 {
        guard let (victim, level) = begun[id],
          let devices = scene.machine.topology.levels[victim.name]?[level - 1]
        else { continue }
        #expect(succeeded[victim.name, default: []].isSuperset(of: devices))
      }
    }
    for _ in 0..<200 {
      scene.pass(milliseconds: 1000)
      for run in scene.runs where run.node != nil || scene.cancelled.contains(run.id) {
        scene.end(run.device.name, scene.cancelled.contains(run.id) ? .cancelled : .exited(1))
      }
      for run in scene.runs { scene.end(run.device.name, .exited(0)) }
    }
    #expect(Set(scene.answers.keys) == Set(begun.keys))
    #expect(scene.machine.waits.isEmpty)
  }
}
