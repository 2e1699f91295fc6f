import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// Recovery, step by step (dlm-wire 14, 15).
struct RecoveryTests {
  private let value = Array("written".utf8) + Array(repeating: UInt8(0), count: 25)

  private func outcome(_ effects: [LockspaceMachine.Effect], _ handle: UInt64) -> LockOutcome? {
    for case .completed(LockHandle(handle), let outcome) in effects.reversed() { return outcome }
    return nil
  }

  @Test("Members get slots in the order of their ids, and keep them when a lower node joins")
  func slots() throws {
    var bench = try Bench(stopped: 3)
    bench.start([Bench.node(2), Bench.node(3)])
    bench.stopAll()
    bench.start([Bench.node(1), Bench.node(2), Bench.node(3)])
    let expected = [(1, 3), (2, 1), (3, 2)].map {
      LockspaceSlot(node: Bench.node($0), slot: UInt16($1))
    }
    for node in Int32(1)...3 {
      let news = bench.news(node)
      #expect(news.last == .recovered(generation: 2, slots: expected))
    }
  }

  @Test("A member with another value block length is named, and locking stays off")
  func configurationMismatch() throws {
    var bench = try Bench(stopped: 1)
    let other = LockspaceConfiguration(lvbLength: 64)
    try bench.add(2, shared: other)
    bench.start([Bench.node(1), Bench.node(2)])
    let failure = RecoveryFailure.configurationMismatch(
      Bench.node(2), theirs: other, ours: LockspaceConfiguration(lvbLength: 32))
    let news = bench.news(1)
    #expect(news == [.recoveryFailed(failure)])
    #expect(bench.machines[Bench.node(1)]?.state == .failed(failure))
  }

  @Test("A node without the lockspace is waited for until it has it")
  func unknownLockspace() throws {
    var bench = try Bench(stopped: 1)
    let (one, two) = (Bench.node(1), Bench.node(2))
    bench.input(.start(members: [Member(one), Member(two)], departed: []), 1)
    let question = bench.letters.removeFirst()
    let reply = try #require(
      LockspaceMachine.unknownLockspaceReply(to: question.packet, from: two))
    bench.input(.receive(reply, from: two), 1)
    #expect(bench.machines[one]?.state == .recovering)
    try bench.add(2)
    bench.input(.start(members: [Member(one), Member(two)], departed: []), 2)
    bench.settle()
    #expect(bench.machines[one]?.state == .running)
  }

  @Test("Names of many resources reach a new directory node in several blocks")
  func manyNames() throws {
    var bench = try Bench(running: 1)
    for handle in UInt64(1)...900 {
      try bench.lock(handle, "a-rather-long-resource-name-\(handle)", .nl, on: 1)
    }
    try bench.add(2)
    bench.input(.stop, 1)
    bench.start([Bench.node(1), Bench.node(2)])
    let records = try #require(bench.machines[Bench.node(2)]).resourceDescriptions()
    #expect(records.count > 300)
    #expect(records.allSatisfy { $0.master == Bench.node(1) && $0.directory == Bench.node(2) })
  }

  @Test(
    "A block of names that ends with one of a single byte is followed by one after the name before")
  func singleByteName() throws {
    var bench = try Bench(stopped: 1)
    let (one, two) = (Bench.node(1), Bench.node(2))
    bench.input(.start(members: [Member(one), Member(two)], departed: []), 1)
    let machine = try #require(bench.machines[one])
    let short = try #require(
      (UInt8.min...UInt8.max).lazy.compactMap { ResourceName([$0]) }.first {
        machine.directory.node(for: $0) == one
      })
    let long = try #require(ResourceName(try bench.name(withDirectory: 1)))
    bench.machines[one]?.recovery.status = [.nodes]
    bench.machines[one]?.readNames(next: 0, after: nil)
    bench.letters.removeAll()
    let question = try #require(bench.machines[one]?.recovery.question)
    let sequence = try #require(bench.machines[one]?.recovery.sequence)
    bench.input(
      .receive(
        .recovery(
          RecoveryMessage(
            .namesReply(NamesBlock(names: [long, short], isLast: false)),
            lockspaceID: machine.configuration.lockspaceID, sender: two, id: question.id,
            sequence: 1, sequenceReply: sequence)), from: two), 1)
    #expect(bench.machines[one]?.recovery.question?.body == .names(after: long))
  }

  @Test("Locks of a dead master are rebuilt at a new one, with the value block of a reader")
  func newMaster() throws {
    var bench = try Bench(running: 3)
    let name = try bench.name(withDirectory: 3)
    try bench.lock(3, name, .ex, .valueBlock, on: 3)
    bench.settle()
    bench.convert(3, .pr, .valueBlock, value: value, on: 3)
    try bench.lock(1, name, .pr, .valueBlock, on: 1)
    try bench.lock(2, name, .cr, on: 2)
    bench.settle()
    bench.crash(3)
    _ = bench.news(2)
    bench.unlock(1, on: 1)
    bench.convert(2, .ex, .valueBlock, on: 2)
    bench.settle()
    let outcome = outcome(bench.news(2), 2)
    #expect(outcome?.mode == .ex)
    #expect(outcome?.valueBlock == value)
    #expect(outcome?.flags == [])
  }

  @Test("A writer that dies at a living master leaves a value block that is not valid")
  func deadWriter() throws {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 1)
    try bench.lock(1, name, .nl, .valueBlock, on: 1)
    try bench.lock(2, name, .ex, .valueBlock, on: 2)
    bench.settle()
    bench.convert(2, .nl, .valueBlock, value: value, on: 2)
    bench.convert(2, .ex, .valueBlock, on: 2)
    bench.settle()
    bench.crash(2)
    bench.convert(1, .pr, .valueBlock, on: 1)
    let outcome = outcome(bench.news(1), 1)
    #expect(outcome?.valueBlock == value)
    #expect(outcome?.flags == .valueNotValid)
  }

  @Test("Requests and conversions to a dead master are done anew, unlocks are done")
  func operationsInFlight() throws {
    var bench = try Bench(running: 3)
    let name = try bench.name(withDirectory: 3)
    for handle in UInt64(1)...3 { try bench.lock(handle, name, .nl, on: 1) }
    try bench.lock(9, name, .nl, on: 3)
    bench.settle()
    _ = bench.news(1)
    let isMastered = bench.machines[Bench.node(3)]?.resourceDescriptions().first?.master
    let dead = try #require(isMastered)
    let survivor = Int32(1)
    guard dead != Bench.node(1) else {
      // Node 1 asked first and is the master: let node 3 be the owner with operations in flight.
      bench.convert(9, .ex, on: 3)
      bench.crash(1)
      let news = bench.news(3)
      #expect(news.contains(.granted(9, .ex)))
      return
    }
    bench.convert(1, .ex, on: survivor)
    bench.unlock(2, on: survivor)
    bench.crash(dead.rawValue)
    let news = bench.news(survivor)
    #expect(news.contains(.granted(1, .ex)))
  }

  @Test("A lock that an aborted recovery has rebuilt is not rebuilt twice")
  func rebuiltTwice() throws {
    var bench = try Bench(running: 4)
    let name = try bench.name(withDirectory: 4)
    try bench.lock(4, name, .nl, on: 4)
    bench.settle()
    try bench.lock(1, name, .pr, on: 1)
    try bench.lock(2, name, .pr, on: 2)
    bench.settle()
    bench.crash(4, settles: false)
    var hasRebuilt = false
    for _ in 0..<2000 where !hasRebuilt {
      hasRebuilt = bench.deliver(.lock)
      if !hasRebuilt, !bench.deliver() {
        bench.now = bench.now + .milliseconds(20)
        for node in Int32(1)...3 { bench.input(.timer, node) }
      }
    }
    #expect(hasRebuilt)
    bench.crash(3)
    let locks = bench.machines.values.map { $0.lockDescriptions(at: bench.now) }
    #expect(locks.allSatisfy { $0.count <= 2 })
    #expect(locks.contains { $0.filter { $0.granted == .pr }.count == 2 })
  }

  @Test("Before its first recovery a node keeps no lock messages, afterwards it queues them")
  func requestQueue() throws {
    var bench = try Bench(stopped: 2)
    let machine = try #require(bench.machines[Bench.node(2)])
    let message = Packet.lock(
      LockMessage(
        .request, lockspaceID: machine.configuration.lockspaceID, sender: Bench.node(1),
        lockID: LockID(5), requestedMode: .ex, extra: Array("x".utf8)))
    bench.input(.receive(message, from: Bench.node(1)), 2)
    #expect(bench.machines[Bench.node(2)]?.requestQueue.isEmpty == true)
    bench.start([Bench.node(1), Bench.node(2)])
    bench.stopAll()
    bench.input(.receive(message, from: Bench.node(1)), 2)
    #expect(bench.machines[Bench.node(2)]?.requestQueue.count == 1)
  }

  @Test("An answer to a question from before a stop is stale")
  func staleAnswer() throws {
    var bench = try Bench(stopped: 2)
    bench.start(Array(bench.machines.keys), settles: false)
    let isAsked = bench.deliver { $0.from == Bench.node(1) }
    #expect(isAsked)
    let answer = try #require(bench.letters.first { $0.to == Bench.node(1) && $0.isReply })
    guard case .recovery(var stale) = answer.packet else { return }
    stale.sequenceReply += 1
    let dropped = { (bench: Bench) in bench.machines[Bench.node(1)]?.statistics.messagesDropped }
    #expect(dropped(bench) == 0)
    bench.input(.receive(.recovery(stale), from: Bench.node(2)), 1)
    #expect(dropped(bench) == 1)
    bench.settle()
    #expect(bench.machines[Bench.node(1)]?.state == .running)
  }

  @Test("A lost question is asked again after five seconds under a new id")
  func lostQuestion() throws {
    var bench = try Bench(stopped: 2)
    bench.start(Array(bench.machines.keys), settles: false)
    let lost = bench.letters
    bench.letters = []
    bench.now = bench.now + .seconds(5)
    bench.input(.timer, 1)
    guard case .recovery(let again)? = bench.letters.first?.packet,
      case .recovery(let first)? = lost.first?.packet
    else {
      Issue.record("no question")
      return
    }
    #expect(again.id != first.id)
    #expect(again.type == .status)
    bench.settle(seconds: 8)
    #expect(bench.machines[Bench.node(2)]?.state == .running)
  }

  @Test("Calls while locking is off are kept and take effect in order")
  func heldCalls() throws {
    var bench = try Bench(running: 2)
    bench.stopAll()
    _ = bench.news(1)
    try bench.lock(1, "held", .ex, on: 1)
    try bench.lock(2, "held", .nl, on: 1)
    let early = bench.news(1)
    #expect(early.isEmpty)
    bench.start(Array(bench.machines.keys))
    let late = bench.news(1)
    #expect(late.suffix(2) == [.granted(1, .ex), .granted(2, .nl)])
  }

  @Test("A conversion between PR and CW that died with its master is resolved and granted")
  func middleConversion() throws {
    var bench = try Bench(running: 2)
    let name = try #require(ResourceName("middle"))
    try bench.lock(1, "middle", .nl, on: 1)
    bench.settle()
    let lockspace = try #require(bench.machines[Bench.node(1)]).configuration.lockspaceID
    bench.machines[Bench.node(1)]?.recovery.departed = [Bench.node(3)]
    let id = try #require(bench.machines[Bench.node(1)]?.resources.find(name))
    bench.machines[Bench.node(1)]?.resources[id].master = Bench.node(1)
    let recovered = RecoveredLock(
      resourceName: name, lockID: LockID(77), status: .converting, grantedMode: .iv,
      requestedMode: .cw)
    let sequence = try #require(bench.machines[Bench.node(2)]).recovery.sequence
    bench.input(
      .receive(
        .recovery(
          RecoveryMessage(
            .lock(recovered), lockspaceID: lockspace, sender: Bench.node(2), id: 1,
            sequence: sequence)), from: Bench.node(2)), 1)
    bench.machines[Bench.node(1)]?.recovery.snapshot = [id]
    bench.machines[Bench.node(1)]?.finishResources()
    let machine = try #require(bench.machines[Bench.node(1)])
    let lock = try #require(machine.resources[id].converting.first)
    #expect(machine.locks[lock].granted == .cw)
    bench.machines[Bench.node(1)]?.enableLocking()
    #expect(bench.machines[Bench.node(1)]?.resources[id].granted.contains(lock) == true)
  }

  @Test("A lock that was given up during its conversion is not rebuilt")
  func unlockOvertookConversion() throws {
    var bench = try Bench(running: 3)
    let name = try bench.name(withDirectory: 1)
    try bench.lock(1, name, .nl, on: 1)
    try bench.lock(2, name, .pw, on: 2)
    bench.settle()
    try bench.lock(3, name, .cw, on: 3)
    bench.settle()
    bench.convert(2, .ex, on: 2)
    bench.unlock(2, .forceUnlock, on: 2)
    while bench.deliver(where: { $0.to != Bench.node(2) }) {}
    #expect(bench.news(3).last == .granted(3, .cw))
    bench.crash(1, settles: false)
    for _ in 0..<200 {
      if !bench.deliver() {
        bench.now = bench.now + .milliseconds(20)
        for node in Int32(2)...3 { bench.input(.timer, node) }
      }
      for machine in bench.machines.values {
        let modes = machine.lockDescriptions(at: bench.now).map(\.granted)
        #expect(!(modes.contains(.pw) && modes.contains(.cw)))
      }
    }
    #expect(bench.news(2).contains(.released(LockHandle(2))))
  }

  @Test("What a node asked in an earlier stay means nothing when it has left and joined again")
  func earlierStay() throws {
    var bench = try Bench(running: 3)
    let name = try bench.name(withDirectory: 1)
    try bench.lock(1, name, .nl, on: 1)
    try bench.lock(2, name, .nl, on: 2)
    bench.settle()
    try bench.lock(3, name, .ex, on: 2)
    let stale = try #require(bench.letters.first)
    bench.letters = []
    // It leaves; what it asked is still under way, because another lockspace keeps the link.
    bench.machines[Bench.node(2)] = nil
    bench.stopAll()
    bench.start([Bench.node(1), Bench.node(3)])
    try bench.add(2)
    bench.stopAll()
    bench.start([Bench.node(1), Bench.node(2), Bench.node(3)], settles: false)
    bench.letters.insert(stale, at: 0)
    bench.settle()
    let machine = try #require(bench.machines[Bench.node(1)])
    #expect(machine.state == .running)
    #expect(machine.lockDescriptions(at: bench.now).map(\.granted) == [.nl])
  }
}
