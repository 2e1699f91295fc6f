import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// Conversions between PR and CW, which are neither up nor down (dlm-wire 15.6, 15.11).
struct MiddleConversionTests {
  /// Node 1 is the master of a resource whose directory `directory` keeps; node 2 holds lock 2 on it
  /// in PR and node 3 lock 3 in NL.
  private func bench(directory: Int32) throws -> (Bench, String) {
    var bench = try Bench(running: 3)
    // The name is found among those whose directory outlives node 1.
    let name = try #require(
      try (0..<100).map { try bench.name(withDirectory: directory, "middle-\($0)") }.first { name in
        let survivors = DirectoryMap(members: [Bench.node(2), Bench.node(3)])
        return ResourceName(name).map { survivors.node(for: $0) } == Bench.node(directory)
      })
    try bench.lock(1, name, .nl, on: 1)
    bench.settle()
    try bench.lock(2, name, .pr, on: 2)
    try bench.lock(3, name, .nl, on: 3)
    bench.settle()
    for node in Int32(1)...3 { _ = bench.news(node) }
    return (bench, name)
  }

  @Test("PR and CW are converted into each other like other modes")
  func conversion() throws {
    var (bench, _) = try bench(directory: 2)
    bench.convert(2, .cw, on: 2)
    bench.settle()
    bench.convert(3, .pr, on: 3)
    bench.settle()
    bench.convert(2, .pr, on: 2)
    bench.settle()
    let (second, third) = (bench.news(2), bench.news(3))
    #expect(
      second == [.granted(2, .cw), .blocking(LockHandle(2), .pr), .granted(2, .pr)])
    #expect(third == [.granted(3, .pr)])
  }

  @Test(
    "One that is under way when the master dies is granted by the new one",
    arguments: [
      2, 3,
    ])
  func underWay(directory: Int32) throws {
    var (bench, _) = try bench(directory: directory)
    bench.convert(2, .cw, on: 2)
    bench.crash(1)
    let news = bench.news(2)
    #expect(news.last == .granted(2, .cw))
    expectNobodyElse(bench, holds: .cw)
  }

  @Test(
    "One that the dead master had granted, unheard, does not become what it was",
    arguments: [
      2, 3,
    ])
  func grantedUnheard(directory: Int32) throws {
    var (bench, _) = try bench(directory: directory)
    bench.convert(2, .cw, on: 2)
    let isDelivered = bench.deliver(.convert)
    #expect(isDelivered)
    // The master has granted CW, lets node 3 have it too, and dies before node 2 hears of it.
    bench.convert(3, .cw, on: 3)
    bench.letters.removeAll { $0.to == Bench.node(2) }
    bench.settle()
    #expect(bench.news(3) == [.granted(3, .cw)])
    bench.input(.cancel(LockHandle(2)), 2)
    bench.crash(1)
    #expect(bench.news(2).last == .granted(2, .cw))
    expectNobodyElse(bench, holds: .cw)
  }

  @Test(
    "One that others still hold up goes on waiting, can be cancelled, and keeps its mode",
    arguments: [
      2, 3,
    ])
  func heldUp(directory: Int32) throws {
    var (bench, name) = try bench(directory: directory)
    try bench.lock(4, name, .pr, on: 3)
    bench.settle()
    bench.convert(2, .cw, on: 2)
    bench.crash(1)
    _ = bench.news(2)
    bench.input(.cancel(LockHandle(2)), 2)
    bench.settle()
    #expect(bench.news(2) == [.ended(2, .cancelled, .pr)])
    bench.convert(2, .cw, on: 2)
    bench.unlock(4, on: 3)
    bench.settle()
    #expect(bench.news(2).last == .granted(2, .cw))
  }

  /// All nodes agree about all locks, and none has another granted mode of weight.
  private func expectNobodyElse(_ bench: Bench, holds mode: LockMode) {
    for machine in bench.machines.values {
      let modes = machine.lockDescriptions(at: bench.now).map(\.granted)
      #expect(modes.allSatisfy { $0 == .nl || $0 == mode }, "\(modes)")
    }
  }
}
