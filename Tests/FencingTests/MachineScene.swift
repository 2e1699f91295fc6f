import ClusterTypes

@testable import Fencing

/// A fencing machine with a clock that is moved by hand.
struct MachineScene {
  static let victim = FenceVictim(id: NodeID(3).unsafelyUnwrapped, name: "n3")
  static let other = FenceVictim(id: NodeID(2).unsafelyUnwrapped, name: "n2")

  var machine: FencingMachine
  var now = Timestamp(milliseconds: 1_000_000)
  /// Programs that were started and have not ended, in order.
  var runs: [AgentRun] = []
  var cancelled: [UInt64] = []
  /// Attempts that were answered.
  var answers: [UInt64: Int32?] = [:]
  var reports: [FenceReport] = []
  var wakeAt: Timestamp?

  init(
    _ devices: [FenceDevice], levels: [String: [[String]]], switchesOnAgain: Bool = false
  ) {
    let topology = FenceTopology(
      devices: devices, levels: levels,
      nodeIDs: ["n2": Self.other.id, "n3": Self.victim.id], switchesOnAgain: switchesOnAgain)
    machine = FencingMachine(topology: topology, startedAt: now)
  }

  mutating func attempt(
    _ id: UInt64, _ victim: FenceVictim = MachineScene.victim, level: Int = 1,
    timeoutMilliseconds: UInt32 = 60_000
  ) {
    handle(
      .attempt(
        id: id, victim: victim, level: level, timeoutMilliseconds: timeoutMilliseconds))
  }

  /// The oldest run of the device ends.
  mutating func end(_ device: String, _ ending: AgentOutcome.Ending, output: String = "") {
    guard let index = runs.firstIndex(where: { $0.device.name == device }) else {
      reports.append(FenceReport(.error, "TEST: no run of \(device)"))
      return
    }
    let run = runs.remove(at: index)
    handle(.runEnded(id: run.id, AgentOutcome(ending, output: output)))
  }

  mutating func pass(milliseconds: Int64) {
    now = now + .milliseconds(milliseconds)
    handle(.tick)
  }

  mutating func handle(_ input: FencingInput) {
    var effects: [FencingEffect] = []
    machine.handle(input, at: now, effects: &effects)
    for effect in effects {
      switch effect {
      case .run(let run): runs.append(run)
      case .cancel(let id): cancelled.append(id)
      case .attemptEnded(let id, let exit): answers[id] = .some(exit)
      case .report(let report): reports.append(report)
      case .wake(let moment): wakeAt = moment
      }
    }
  }

  /// "device action node" of what runs now.
  var running: [String] {
    runs.map { "\($0.device.name) \($0.action.rawValue) \($0.node?.name ?? "-")" }
  }
}

extension FenceDevice {
  /// Not tried out unless a test is about that.
  static func device(
    _ name: String, retries: Int = 0, delay: UInt32 = 0, monitoring: Monitoring = .none
  ) -> FenceDevice {
    FenceDevice(
      name: name, program: .agent("fence_test"), retries: retries, delayMilliseconds: delay,
      monitoring: monitoring)
  }
}
