import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// Lockspaces without directory: who keeps a name's directory entry is its master (dlm-wire 11.2 and
/// what sections 11 to 15 mark "nodir").
struct NoDirectoryTests {
  private static let names = (0..<30).map { "nodir-\($0)" }
  private let value = Array("written".utf8) + Array(repeating: UInt8(0), count: 25)

  private func bench(_ count: Int32) throws -> Bench {
    var bench = try Bench(stopped: count, usesDirectory: false)
    bench.start(Array(bench.machines.keys))
    for node in 1...count { _ = bench.news(node) }
    return bench
  }

  private func expectMasters(_ bench: Bench) {
    for (node, machine) in bench.machines {
      for resource in machine.resourceDescriptions() {
        #expect(resource.master == resource.directory, "\(resource.name) at node \(node)")
      }
      #expect(machine.statistics.lookups == 0)
    }
  }

  private func outcome(_ effects: [LockspaceMachine.Effect], _ handle: UInt64) -> LockOutcome? {
    for case .completed(LockHandle(handle), let outcome) in effects.reversed() { return outcome }
    return nil
  }

  @Test("The directory node is the master, whoever asks first, and nobody looks it up")
  func masters() throws {
    var bench = try bench(3)
    for (number, name) in Self.names.enumerated() {
      try bench.lock(UInt64(number), name, .pr, on: Int32(number % 3) + 1)
    }
    bench.settle(seconds: 1)
    let granted = (1...3).map { bench.news($0).count }
    #expect(granted == [10, 10, 10])
    expectMasters(bench)
    for number in Self.names.indices { bench.unlock(UInt64(number), on: Int32(number % 3) + 1) }
    bench.settle(seconds: 20)
    #expect(bench.machines.values.allSatisfy { $0.resourceCount == 0 })
  }

  @Test("When members come and go all locks are where they were, at their new masters")
  func changes() throws {
    var bench = try bench(3)
    for (number, name) in Self.names.enumerated() {
      try bench.lock(UInt64(number), name, .ex, on: 2)
    }
    bench.settle(seconds: 1)
    for (number, name) in Self.names.enumerated() {
      try bench.lock(100 + UInt64(number), name, .pr, on: 1)
    }
    bench.settle(seconds: 1)
    _ = bench.news(1)
    bench.crash(3)
    expectMasters(bench)
    try bench.add(3, usesDirectory: false)
    bench.stopAll()
    bench.start(Array(bench.machines.keys))
    expectMasters(bench)
    #expect(!bench.news(1).contains { if case .completed = $0 { true } else { false } })
    for number in Self.names.indices { bench.unlock(UInt64(number), on: 2) }
    bench.settle(seconds: 1)
    let granted = bench.news(1)
    #expect(granted.filter { if case .completed = $0 { true } else { false } }.count == 30)
  }

  @Test("Calls under way during a change are done anew, and value blocks come from their readers")
  func callsInFlight() throws {
    var bench = try bench(2)
    for (number, name) in Self.names.enumerated() {
      try bench.lock(UInt64(number), name, .ex, .valueBlock, on: 1)
      try bench.lock(200 + UInt64(number), name, .nl, on: 2)
    }
    bench.settle(seconds: 1)
    for number in Self.names.indices {
      bench.convert(UInt64(number), .pr, .valueBlock, value: value, on: 1)
    }
    bench.settle(seconds: 1)
    _ = bench.news(2)
    for (number, name) in Self.names.enumerated() {
      try bench.lock(100 + UInt64(number), name, .pr, .valueBlock, on: 2)
      bench.convert(200 + UInt64(number), .cr, on: 2)
    }
    bench.stopAll()
    try bench.add(3, usesDirectory: false)
    bench.start(Array(bench.machines.keys))
    let news = bench.news(2)
    for number in Self.names.indices {
      #expect(
        outcome(news, 100 + UInt64(number))
          == LockOutcome(result: .granted, mode: .pr, valueBlock: value))
      #expect(outcome(news, 200 + UInt64(number)) == LockOutcome(result: .granted, mode: .cr))
    }
    expectMasters(bench)
  }
}
