import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// ALTPR and ALTCW: another mode where the one asked for cannot be had at once (dlm-wire 8.3, 8.4).
struct AlternateModeTests {
  /// Node 1 masters the resource and node 2 holds lock 2 on it in NL; `other` is held by node 1.
  private func bench(other: LockMode) throws -> (Bench, String) {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 1)
    try bench.lock(1, name, other, on: 1)
    bench.settle()
    try bench.lock(2, name, .nl, on: 2)
    bench.settle()
    _ = bench.news(2)
    return (bench, name)
  }

  private func expectAgreement(_ bench: Bench, _ mode: LockMode) {
    for machine in bench.machines.values {
      let modes = machine.lockDescriptions(at: bench.now).map(\.granted)
      #expect(modes.contains(mode), "\(modes)")
    }
  }

  struct Choice: Sendable {
    let flags: LockFlags
    let other, wanted, got: LockMode
  }

  @Test(
    "A conversion takes the alternate mode, and owner and master agree about it",
    arguments: [
      Choice(flags: .alternatePR, other: .cr, wanted: .ex, got: .pr),
      Choice(flags: .alternateCW, other: .cr, wanted: .ex, got: .cw),
      // PR is what is asked for already, so CW is the alternative.
      Choice(flags: [.alternatePR, .alternateCW], other: .cw, wanted: .pr, got: .cw),
    ])
  func conversion(choice: Choice) throws {
    var (bench, _) = try bench(other: choice.other)
    bench.convert(2, choice.wanted, choice.flags, on: 2)
    bench.settle()
    let outcome = LockOutcome(result: .granted, mode: choice.got, flags: .alternateMode)
    #expect(bench.news(2) == [.completed(LockHandle(2), outcome)])
    expectAgreement(bench, choice.got)
  }

  @Test("A request takes the alternate mode that its master chose")
  func request() throws {
    var (bench, name) = try bench(other: .cw)
    try bench.lock(3, name, .pr, [.alternatePR, .alternateCW], on: 2)
    bench.settle()
    let outcome = LockOutcome(result: .granted, mode: .cw, flags: .alternateMode)
    #expect(bench.news(2) == [.completed(LockHandle(3), outcome)])
  }

  @Test(
    "An alternate mode that is not at least the one held is refused",
    arguments: [LockMode.cw, .pw, .ex])
  func weaker(held: LockMode) throws {
    var (bench, _) = try bench(other: .nl)
    bench.convert(2, held, on: 2)
    bench.settle()
    _ = bench.news(2)
    bench.convert(2, .ex, .alternatePR, on: 2)
    guard case .refused(_, .invalidArguments)? = bench.news(2).first else {
      Issue.record("not refused")
      return
    }
  }
}
