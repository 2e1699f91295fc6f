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
