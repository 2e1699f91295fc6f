import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// Finding masters, and forgetting them (dlm-wire 11).
struct DirectoryTests {
  @Test("Who asks the directory first becomes master, who asks later is sent there")
  func firstAsker() throws {
    var bench = try Bench(running: 3)
    let name = try bench.name(withDirectory: 3)
    try bench.lock(1, name, .pr, on: 1)
    bench.settle()
    try bench.lock(2, name, .pr, on: 2)
    bench.settle()
    for node in Int32(1)...3 {
      let known = bench.machines[Bench.node(node)]?.resourceDescriptions().first
      #expect(known?.master == Bench.node(1), "node \(node)")
    }
    let news = bench.news(2)
    #expect(news.last == .granted(2, .pr))
  }

  @Test("Requests behind a lookup wait for it, and all go when the master is known")
  func behindFirst() throws {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 2)
    _ = bench.news(1)
    for handle in UInt64(1)...3 { try bench.lock(handle, name, .cr, on: 1) }
    #expect(bench.letters.count == 1)
    bench.input(.cancel(LockHandle(2)), 1)
    bench.settle()
    let news = bench.news(1)
    #expect(
      news == [.ended(2, .cancelled, nil), .granted(1, .cr), .granted(3, .cr)])
  }

  @Test("When the first request fails the next finds the master")
  func nextFirst() throws {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 2)
    try bench.lock(9, name, .ex, on: 2)
    bench.settle()
    _ = bench.news(1)
    try bench.lock(1, name, .ex, .noQueue, on: 1)
    try bench.lock(2, name, .nl, on: 1)
    bench.settle()
    let news = bench.news(1)
    #expect(news == [.ended(1, .wouldBlock, nil), .granted(2, .nl)])
  }

  @Test("An idle resource is forgotten after ten seconds, at master and directory")
  func toss() throws {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 2)
    try bench.lock(1, name, .ex, on: 1)
    bench.settle()
    bench.unlock(1, on: 1)
    bench.settle(seconds: 8)
    #expect(bench.machines[Bench.node(1)]?.resourceCount == 1)
    #expect(bench.machines[Bench.node(2)]?.resourceCount == 1)
    bench.settle(seconds: 8)
    #expect(bench.machines[Bench.node(1)]?.resourceCount == 0)
    #expect(bench.machines[Bench.node(2)]?.resourceCount == 0)
  }

  @Test("A remembered master that has changed is found out by the first request")
  func staleMaster() throws {
    var bench = try Bench(running: 3)
    let name = try bench.name(withDirectory: 3)
    try bench.lock(1, name, .ex, on: 1)
    bench.settle()
    try bench.lock(2, name, .nl, on: 2)
    bench.settle()
    bench.unlock(2, on: 2)
    bench.unlock(1, on: 1)
    bench.settle(seconds: 1)
    // Node 1 forgets and node 3 masters it, while node 2 still remembers node 1.
    let machine = try #require(bench.machines[Bench.node(2)])
    bench.settle(seconds: 16)
    bench.machines[Bench.node(2)] = machine
    try bench.lock(3, name, .nl, on: 3)
    bench.settle(seconds: 1)
    _ = bench.news(2)
    try bench.lock(4, name, .nl, on: 2)
    bench.settle(seconds: 1)
    let news = bench.news(2)
    #expect(news == [.granted(4, .nl)])
  }

  @Test("A remembered master is asked by one request first, the others wait")
  func uncertainMaster() throws {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 1)
    try bench.lock(1, name, .nl, on: 1)
    try bench.lock(2, name, .nl, on: 2)
    bench.settle()
    bench.unlock(2, on: 2)
    bench.settle(seconds: 1)
    try bench.lock(3, name, .nl, on: 2)
    try bench.lock(4, name, .nl, on: 2)
    #expect(bench.letters.count == 1)
    bench.settle(seconds: 1)
    let news = bench.news(2)
    #expect(news.suffix(2) == [.granted(3, .nl), .granted(4, .nl)])
  }

  @Test("A remove for an active resource, or from another than the master, is ignored")
  func foreignRemove() throws {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 2)
    try bench.lock(1, name, .ex, on: 1)
    bench.settle()
    try bench.lock(2, name, .nl, on: 2)
    let resource = try #require(ResourceName(name))
    let machine = try #require(bench.machines[Bench.node(2)])
    let remove = LockMessage(
      .remove, lockspaceID: machine.configuration.lockspaceID, sender: Bench.node(1),
      hash: resource.hash, extra: resource.bytes)
    bench.input(.receive(.lock(remove), from: Bench.node(1)), 2)
    #expect(bench.machines[Bench.node(2)]?.resourceCount == 1)
  }

  @Test("Orphans stay until they are adopted or purged")
  func orphans() throws {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 1)
    try bench.lock(1, name, .pw, .persistent, on: 2)
    try bench.lock(2, name, .nl, .persistent, on: 2)
    bench.settle()
    bench.input(.abandon(LockHandle(1)), 2)
    bench.input(.abandon(LockHandle(2)), 2)
    _ = bench.news(2)
    try bench.lock(3, name, .nl, .orphan, on: 2)
    try bench.lock(4, name, .ex, .orphan, on: 2)
    try bench.lock(5, "another", .ex, .orphan, on: 2)
    bench.input(.purge(Bench.node(2), processID: 7), 1)
    bench.settle()
    let news = bench.news(2)
    #expect(
      news == [
        .granted(3, .nl), .refused(LockHandle(4), .orphanInOtherMode),
        .refused(LockHandle(5), .noOrphan), .released(LockHandle(1)),
      ])
  }
}
