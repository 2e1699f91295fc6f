import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// Cancels and unlocks that overtake other operations (dlm-wire 12).
struct OverlapTests {
  /// Node 1 is the master of a resource and holds lock 1; node 2 uses it too.
  private func bench(held: LockMode) throws -> (Bench, String) {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 1)
    try bench.lock(1, name, held, on: 1)
    bench.settle()
    _ = bench.news(1)
    _ = bench.news(2)
    return (bench, name)
  }

  @Test("A cancel before the answer to a request waits, then takes the queued request back")
  func cancelOverRequest() throws {
    var (bench, name) = try bench(held: .ex)
    try bench.lock(2, name, .ex, on: 2)
    bench.input(.cancel(LockHandle(2)), 2)
    #expect(bench.letters.count == 1)
    bench.settle()
    let news = bench.news(2)
    #expect(news == [.ended(2, .cancelled, nil)])
  }

  @Test("A request that the master has forgotten ends with the answer to its cancel")
  func cancelOfForgottenRequest() throws {
    var (bench, name) = try bench(held: .ex)
    try bench.lock(2, name, .ex, on: 2)
    bench.settle()
    bench.input(.cancel(LockHandle(2)), 2)
    bench.letters.removeAll()
    let machine = try #require(bench.machines[Bench.node(2)])
    let lock = try #require(machine.lockDescriptions(at: bench.now).first)
    let reply = LockMessage(
      .cancelReply, lockspaceID: machine.configuration.lockspaceID, sender: Bench.node(1),
      remoteID: lock.lockID, result: .unknownLock)
    bench.input(.receive(.lock(reply), from: Bench.node(1)), 2)
    let news = bench.news(2)
    #expect(news == [.ended(2, .failed(.unknownLock), nil)])
  }

  @Test("A cancel that comes too late for a request leaves it granted")
  func cancelOverGrantedRequest() throws {
    var (bench, name) = try bench(held: .nl)
    try bench.lock(2, name, .ex, on: 2)
    bench.input(.cancel(LockHandle(2)), 2)
    bench.settle()
    let news = bench.news(2)
    #expect(news == [.granted(2, .ex)])
  }

  @Test("A forced unlock before the answer to a request releases it, granted or not")
  func unlockOverRequest() throws {
    var (bench, name) = try bench(held: .nl)
    try bench.lock(2, name, .ex, on: 2)
    bench.unlock(2, .forceUnlock, on: 2)
    bench.settle()
    let news = bench.news(2)
    #expect(news == [.granted(2, .ex), .released(LockHandle(2))])
  }

  @Test("After a granted conversion the cancel that it overtook blocks nothing")
  func cancelOverGrantedConversion() throws {
    var (bench, name) = try bench(held: .nl)
    try bench.lock(2, name, .nl, on: 2)
    bench.settle()
    bench.convert(2, .pr, on: 2)
    bench.input(.cancel(LockHandle(2)), 2)
    let isDelivered = [bench.deliver(.convert), bench.deliver(.convertReply)]
    #expect(isDelivered == [true, true])
    bench.convert(2, .ex, on: 2)
    bench.settle()
    let news = bench.news(2)
    #expect(news == [.granted(2, .nl), .granted(2, .pr), .granted(2, .ex)])
  }

  /// Node 2's queued operation was granted by node 1, and node 2 cancelled it before it heard of it:
  /// GRANT and CANCEL are both under way. `held` is node 2's mode before the operation, if any.
  private func crossing(from held: LockMode?, to mode: LockMode) throws -> Bench {
    var (bench, name) = try bench(held: .pr)
    try bench.lock(2, name, held ?? mode, on: 2)
    bench.settle()
    if held != nil { bench.convert(2, mode, on: 2) }
    bench.settle()
    _ = bench.news(2)
    bench.unlock(1, on: 1)
    bench.input(.cancel(LockHandle(2)), 2)
    let isDelivered = bench.deliver(.grant)
    #expect(isDelivered)
    let news = bench.news(2)
    #expect(news == [.granted(2, mode)])
    return bench
  }

  @Test(
    "A conversion right after a grant that crossed a cancel is carried out",
    arguments: [
      nil, LockMode.pr,
    ])
  func convertAfterCrossing(held: LockMode?) throws {
    var bench = try crossing(from: held, to: .ex)
    bench.convert(2, .nl, on: 2)
    bench.settle()
    let news = bench.news(2)
    #expect(news == [.granted(2, .nl)])
    bench.convert(2, .pr, on: 2)
    bench.settle()
    let later = bench.news(2)
    #expect(later == [.granted(2, .pr)])
  }

  @Test(
    "An unlock right after a grant that crossed a cancel is carried out",
    arguments: [
      LockFlags(), .forceUnlock,
    ])
  func unlockAfterCrossing(flags: LockFlags) throws {
    var bench = try crossing(from: nil, to: .ex)
    bench.unlock(2, flags, on: 2)
    bench.settle()
    let news = bench.news(2)
    #expect(news == [.released(LockHandle(2))])
    #expect(bench.machines[Bench.node(1)]?.lockCount == 0)
  }

  @Test("A forced unlock replaces the call that waits for a cancel's answer")
  func forcedUnlockOverHeldCall() throws {
    var bench = try crossing(from: nil, to: .ex)
    bench.convert(2, .nl, on: 2)
    bench.unlock(2, .forceUnlock, on: 2)
    bench.settle()
    let news = bench.news(2)
    #expect(news == [.released(LockHandle(2))])
  }

  @Test(
    "A conversion that waits for a cancel's answer can itself be cancelled, and fills the place")
  func cancelOfHeldConversion() throws {
    var bench = try crossing(from: nil, to: .ex)
    bench.convert(2, .nl, on: 2)
    bench.convert(2, .cr, on: 2)
    bench.input(.cancel(LockHandle(2)), 2)
    bench.settle()
    let news = bench.news(2)
    #expect(news == [.refused(LockHandle(2), .busy), .ended(2, .cancelled, .ex)])
  }

  @Test("When the master dies the held call is carried out, before calls made since")
  func masterDiesAfterCrossing() throws {
    var bench = try crossing(from: nil, to: .ex)
    bench.convert(2, .nl, on: 2)
    bench.stopAll()
    bench.unlock(2, on: 2)
    bench.crash(1)
    let news = bench.news(2).filter { if case .recovered = $0 { false } else { true } }
    #expect(news == [.granted(2, .nl), .released(LockHandle(2))])
  }

  @Test("When the master lives through a recovery the held call is carried out after it")
  func recoveryAfterCrossing() throws {
    var bench = try crossing(from: .pr, to: .ex)
    bench.convert(2, .nl, on: 2)
    bench.stopAll()
    bench.start(Array(bench.machines.keys))
    let news = bench.news(2).filter { if case .recovered = $0 { false } else { true } }
    #expect(news == [.granted(2, .nl)])
  }

  @Test("The answer to an earlier cancel is not taken for that to a later one")
  func twoCancels() throws {
    var (bench, name) = try bench(held: .nl)
    try bench.lock(2, name, .nl, on: 2)
    bench.settle()
    bench.convert(2, .pr, on: 2)
    bench.input(.cancel(LockHandle(2)), 2)
    let isDelivered = [bench.deliver(.convert), bench.deliver(.convertReply)]
    #expect(isDelivered == [true, true])
    bench.convert(2, .ex, on: 2)
    bench.input(.cancel(LockHandle(2)), 2)
    bench.settle()
    bench.convert(2, .ex, on: 2)
    bench.settle()
    let news = bench.news(2)
    #expect(
      news == [
        .granted(2, .nl), .granted(2, .pr), .ended(2, .cancelled, .pr), .granted(2, .ex),
      ])
  }

  @Test("A queued conversion is cancelled back to its old mode")
  func cancelOverQueuedConversion() throws {
    var (bench, name) = try bench(held: .pr)
    try bench.lock(2, name, .pr, on: 2)
    bench.settle()
    bench.convert(2, .ex, on: 2)
    bench.input(.cancel(LockHandle(2)), 2)
    bench.settle()
    let news = bench.news(2)
    #expect(news == [.granted(2, .pr), .ended(2, .cancelled, .pr)])
  }

  @Test("A forced unlock over a conversion gets its answer after the conversion's")
  func unlockOverConversion() throws {
    var (bench, name) = try bench(held: .nl)
    try bench.lock(2, name, .nl, on: 2)
    bench.settle()
    bench.convert(2, .ex, on: 2)
    bench.unlock(2, .forceUnlock, on: 2)
    bench.settle()
    let news = bench.news(2)
    #expect(
      news == [.granted(2, .nl), .granted(2, .ex), .released(LockHandle(2))])
    #expect(bench.machines[Bench.node(1)]?.lockCount == 1)
  }

  @Test("Plain unlocks and conversions of a busy lock are refused, cancels ignored")
  func busy() throws {
    var (bench, name) = try bench(held: .nl)
    try bench.lock(2, name, .nl, on: 2)
    bench.settle()
    bench.convert(2, .ex, on: 2)
    bench.unlock(2, on: 2)
    bench.convert(2, .pr, on: 2)
    bench.input(.cancel(LockHandle(99)), 2)
    let news = bench.news(2)
    #expect(
      news == [
        .granted(2, .nl), .refused(LockHandle(2), .busy), .refused(LockHandle(2), .busy),
      ])
  }

  @Test("Answers nobody waits for, of the wrong type or for unknown locks change nothing")
  func strayAnswers() throws {
    var (bench, name) = try bench(held: .ex)
    try bench.lock(2, name, .ex, on: 2)
    bench.settle()
    let machine = try #require(bench.machines[Bench.node(2)])
    let waiting = try #require(machine.locks.ids.first)
    for type in LockMessageType.allCases {
      for id in [waiting, LockID(4711), .none] where type != .grant {
        let message = LockMessage(
          type, lockspaceID: machine.configuration.lockspaceID, sender: Bench.node(1), nodeID: 9,
          lockID: id, remoteID: id, result: .granted, extra: [1])
        bench.input(.receive(.lock(message), from: Bench.node(1)), 2)
      }
    }
    let news = bench.news(2)
    #expect(news.isEmpty)
    #expect(bench.machines[Bench.node(2)]?.locks[waiting].queue == .waiting)
  }
}
