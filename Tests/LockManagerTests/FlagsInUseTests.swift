import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// The modes and flags that users of fs/dlm really combine, by their sources: gfs2 (lock_dlm.c), ocfs2
/// (stack_user.c, dlmglue.c), lvmlockd (lvmlockd-dlm.c), md (md-cluster.c) and libdlm.
struct FlagsInUseTests {
  struct Use: Sendable, CustomTestStringConvertible {
    let user: String
    /// What another node holds on the resource meanwhile.
    var other: LockMode?
    let request: (mode: LockMode, flags: LockFlags)
    var conversion: (mode: LockMode, flags: LockFlags)?
    var result = LockOutcome.Result.granted
    /// In the end.
    let mode: LockMode?
    var flags: LockStatusFlags = []
    /// The other is told that it blocks that mode.
    var blocked: LockMode?

    var testDescription: String { "\(user) \(request) \(String(describing: conversion))" }
  }

  static let uses = [
    Use(user: "gfs2 glock", request: (.nl, []), conversion: (.pr, [.valueBlock]), mode: .pr),
    Use(
      user: "gfs2 blocking conversion", request: (.pr, []),
      conversion: (.ex, [.queueConversion, .valueBlock]), mode: .ex),
    Use(
      user: "gfs2 blocking conversion", request: (.pr, []),
      conversion: (.cw, [.queueConversion]), mode: .cw),
    Use(
      user: "gfs2 TRY", other: .pr, request: (.nl, []),
      conversion: (.ex, [.noQueue, .valueBlock]), result: .wouldBlock, mode: .nl),
    Use(
      user: "gfs2 TRY_1CB", other: .pr, request: (.nl, []),
      conversion: (.ex, [.noQueue, .noQueueBlockingCallback]), result: .wouldBlock, mode: .nl,
      blocked: .ex),
    Use(
      user: "gfs2 PRIORITY", other: .pr, request: (.nl, []),
      conversion: (.pr, [.noOrder, .headOfQueue]), mode: .pr),
    Use(
      user: "gfs2 ANY", other: .cw, request: (.pr, .alternateCW), mode: .cw,
      flags: .alternateMode),
    Use(
      user: "gfs2 ANY", other: .pr, request: (.nl, []), conversion: (.cw, .alternatePR),
      mode: .pr, flags: .alternateMode),
    Use(
      user: "gfs2 control lock", request: (.nl, .valueBlock),
      conversion: (.ex, [.noQueue, .valueBlock]), mode: .ex),
    Use(user: "gfs2 control lock", request: (.ex, .valueBlock), conversion: (.nl, []), mode: .nl),
    Use(
      user: "ocfs2", request: (.nl, .noDeadlockWait),
      conversion: (.ex, [.noDeadlockWait, .valueBlock]), mode: .ex),
    Use(
      user: "ocfs2 try", other: .ex, request: (.nl, .noDeadlockWait),
      conversion: (.ex, [.noDeadlockWait, .valueBlock, .noQueue]), result: .wouldBlock,
      mode: .nl),
    Use(
      user: "ocfs2 version lock", request: (.ex, [.valueBlock, .noQueue]),
      conversion: (.pr, .valueBlock), mode: .pr),
    Use(
      user: "ocfs2 version lock", other: .pr, request: (.ex, [.valueBlock, .noQueue]),
      result: .wouldBlock, mode: nil),
    Use(
      user: "lvmlockd resource", other: .ex, request: (.nl, [.expedite, .valueBlock]),
      mode: .nl),
    Use(
      user: "lvmlockd lock", request: (.nl, [.expedite, .valueBlock]),
      conversion: (.ex, [.noQueue, .persistent, .valueBlock]), mode: .ex),
    Use(
      user: "lvmlockd lock", other: .ex, request: (.nl, .expedite),
      conversion: (.pr, [.noQueue, .persistent]), result: .wouldBlock, mode: .nl),
    Use(
      user: "lvmlockd unlock", request: (.ex, [.noQueue, .persistent, .valueBlock]),
      conversion: (.nl, .valueBlock), mode: .nl),
    Use(
      user: "md bitmap", request: (.nl, [.expedite, .valueBlock]),
      conversion: (.pw, [.valueBlock, .noQueue]), mode: .pw),
    Use(
      user: "md bitmap", other: .pw, request: (.nl, [.expedite, .valueBlock]),
      conversion: (.pw, [.valueBlock, .noQueue]), result: .wouldBlock, mode: .nl),
    Use(
      user: "md message", request: (.nl, [.expedite, .valueBlock]),
      conversion: (.ex, .valueBlock), mode: .ex),
    Use(
      user: "md message sent", request: (.ex, .valueBlock), conversion: (.cw, .valueBlock),
      mode: .cw),
    Use(
      user: "md acknowledgement", other: .cr, request: (.nl, .expedite), conversion: (.cr, []),
      mode: .cr),
    Use(
      user: "libdlm without a time", request: (.pr, [.timeout, .noDeadlockBlock]), mode: .pr),
  ]

  @Test("Each works at the master and from another node", arguments: uses, [1, 2] as [Int32])
  func use(_ use: Use, on node: Int32) throws {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 1)
    // Whoever comes first is the master.
    try bench.lock(8, name, .nl, on: 1)
    if let other = use.other { try bench.lock(9, name, other, on: 3 - node) }
    bench.settle()
    try bench.lock(1, name, use.request.mode, use.request.flags, on: node)
    bench.settle()
    if let conversion = use.conversion {
      bench.convert(1, conversion.mode, conversion.flags, on: node)
      bench.settle()
    }
    guard case .completed(LockHandle(1), let outcome)? = bench.news(node).last else {
      Issue.record("nothing was told")
      return
    }
    #expect(outcome.result == use.result && outcome.mode == use.mode)
    #expect(outcome.flags == use.flags)
    let told = bench.news(3 - node).contains {
      $0 == .blocking(LockHandle(9), use.blocked ?? .ex)
    }
    #expect(told == (use.blocked != nil))
    // Owner and master, which is node 1, agree about what is held.
    for witness in Set([1, node]) {
      let locks = bench.machines[Bench.node(witness)]?.lockDescriptions(at: bench.now) ?? []
      let modes = locks.filter { $0.node == Bench.node(node) && $0.handle != LockHandle(8) }
        .map(\.granted)
      #expect(modes == (use.mode.map { [$0] } ?? []), "node \(witness)")
    }
  }

  @Test("lvmlockd's locks survive it, are adopted in their mode, and are purged")
  func orphans() throws {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 1)
    for (handle, name) in [(1, name), (2, name + "+")] as [(UInt64, String)] {
      try bench.lock(handle, name, .nl, [.expedite, .valueBlock], on: 2)
      bench.settle()
      bench.convert(handle, .ex, [.noQueue, .persistent, .valueBlock], on: 2)
      bench.settle()
      bench.input(.abandon(LockHandle(handle)), 2)
    }
    bench.settle()
    _ = bench.news(2)
    try bench.lock(3, name, .pr, [.persistent, .orphan, .valueBlock], on: 2)
    #expect(bench.news(2) == [.refused(LockHandle(3), .orphanInOtherMode)])
    try bench.lock(4, name, .ex, [.persistent, .orphan, .valueBlock], on: 2)
    guard case .completed(LockHandle(4), let outcome)? = bench.news(2).last else {
      Issue.record("not adopted")
      return
    }
    #expect(outcome.result == .granted && outcome.mode == .ex)
    bench.input(.purge(Bench.node(2), processID: 0), 1)
    bench.settle()
    let left = bench.machines.values.flatMap { $0.lockDescriptions(at: bench.now) }
    #expect(Set(left.map(\.resource)) == [try #require(ResourceName(name))])
  }

  @Test("A lock that is not persistent goes with its process, and its value block with it")
  func processExit() throws {
    var bench = try Bench(running: 2)
    let name = try bench.name(withDirectory: 1)
    try bench.lock(9, name, .ex, .valueBlock, on: 1)
    bench.convert(9, .nl, .valueBlock, value: Array(repeating: 1, count: 32), on: 1)
    try bench.lock(1, name, .ex, .valueBlock, on: 2)
    bench.settle()
    bench.input(.abandon(LockHandle(1)), 2)
    bench.settle()
    _ = bench.news(1)
    bench.convert(9, .pr, .valueBlock, on: 1)
    bench.settle()
    guard case .completed(LockHandle(9), let outcome)? = bench.news(1).last else {
      Issue.record("the lock is still there")
      return
    }
    #expect(outcome.result == .granted && outcome.flags == .valueNotValid)
  }
}
