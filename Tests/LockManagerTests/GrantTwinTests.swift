import ClusterSimulation
import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// The machine as lone master against its slow twin, over random calls.
struct GrantTwinTests {
  @Test("The machine decides like its slow twin")
  func randomCalls() throws {
    for seed in UInt64(1)...400 {
      var duel = try Duel(seed: seed)
      for step in 1...60 {
        duel.play()
        #expect(duel.events == duel.twin.events, "seed \(seed), step \(step): \(duel.calls)")
        #expect(duel.queues == duel.twinQueues, "seed \(seed), step \(step): \(duel.calls)")
        guard duel.events == duel.twin.events, duel.queues == duel.twinQueues else { return }
      }
    }
  }
}

private struct Duel {
  var random: SeededGenerator
  var machine: LockspaceMachine
  var twin = GrantTwin()
  var events: [GrantTwin.Event] = []
  var calls: [String] = []
  var nextHandle: UInt64 = 1
  let name: ResourceName

  init(seed: UInt64) throws {
    random = SeededGenerator(seed: seed)
    let local = try #require(NodeID(1))
    machine = .running(on: local, members: [local])
    name = try #require(ResourceName("twin"))
  }

  var queues: [[UInt64]] {
    guard let id = machine.resources.find(name) else { return [[], [], []] }
    let resource = machine.resources[id]
    return [resource.granted, resource.converting, resource.waiting].map {
      $0.compactMap { machine.locks[$0].handle?.rawValue }
    }
  }

  var twinQueues: [[UInt64]] {
    [twin.queue(.granted), twin.queue(.converting), twin.queue(.waiting)].map {
      $0.map(\.handle)
    }
  }

  mutating func play() {
    events = []
    twin.events = []
    let entry = twin.entries.randomElement(using: &random)
    guard let entry, twin.entries.count > 6 || random.chance(60) else { return request() }
    if entry.queue != .granted {
      if random.chance(60) { cancel(entry) } else { unlock(entry) }
    } else if random.chance(35) {
      unlock(entry)
    } else {
      convert(entry)
    }
  }

  private mutating func flags() -> LockFlags {
    var flags: LockFlags = []
    let candidates: [LockFlags] = [
      .noQueue, .noQueueBlockingCallback, .headOfQueue, .noOrder, .noDeadlockWait,
    ]
    for flag in candidates where random.chance(12) { flags.insert(flag) }
    return flags
  }

  private mutating func mode() -> LockMode {
    LockMode.allCases.dropFirst().randomElement(using: &random) ?? .ex
  }

  private mutating func request() {
    let mode = mode()
    var flags = flags()
    if mode == .nl, !flags.contains(.noQueue), random.chance(40) { flags.insert(.expedite) }
    if random.chance(8) { flags.insert(random.chance(50) ? .alternatePR : .alternateCW) }
    let handle = nextHandle
    nextHandle += 1
    calls.append("request \(handle) \(mode) \(flags.rawValue)")
    take(
      .lock(LockCall(handle: LockHandle(handle), resource: name, mode: mode, flags: flags)))
    twin.request(handle, mode, flags)
  }

  private mutating func convert(_ entry: GrantTwin.Entry) {
    let mode = mode()
    guard !entry.gr.isMiddleConversion(to: mode) else { return }
    var flags = flags()
    if entry.gr.allowsQueueConversion(to: mode), random.chance(15) {
      flags.insert(.queueConversion)
    }
    if !flags.contains(.noQueue), random.chance(15) { flags.insert(.conversionDeadlock) }
    calls.append("convert \(entry.handle) \(entry.gr) to \(mode) \(flags.rawValue)")
    take(.convert(LockHandle(entry.handle), mode, flags: flags, valueBlock: nil))
    twin.convert(entry.handle, mode, flags)
  }

  private mutating func unlock(_ entry: GrantTwin.Entry) {
    calls.append("unlock \(entry.handle)")
    take(.unlock(LockHandle(entry.handle), flags: .forceUnlock, valueBlock: nil))
    twin.unlock(entry.handle)
  }

  private mutating func cancel(_ entry: GrantTwin.Entry) {
    calls.append("cancel \(entry.handle)")
    take(.cancel(LockHandle(entry.handle)))
    twin.cancel(entry.handle)
  }

  private mutating func take(_ input: LockspaceMachine.Input) {
    var effects: [LockspaceMachine.Effect] = []
    machine.handle(input, at: Timestamp(nanoseconds: 1), effects: &effects)
    for effect in effects {
      switch effect {
      case .completed(let handle, let outcome):
        events.append(.completed(handle.rawValue, outcome.result, outcome.mode))
      case .blocking(let handle, let mode): events.append(.blocking(handle.rawValue, mode))
      case .released(let handle): events.append(.released(handle.rawValue))
      case .refused(let handle, let refusal): Issue.record("\(handle) refused: \(refusal)")
      case .wake: break
      case .send, .memberAdded, .memberRemoved, .recovered, .recoveryFailed:
        Issue.record("a lone master \(effect)")
      }
    }
  }
}
