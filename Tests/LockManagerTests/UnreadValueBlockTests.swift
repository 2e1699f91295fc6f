import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// Locks that were granted without VALBLK and convert with it: the buffer that they bring must not be
/// taken for the contents of the resource (dlm-wire 9, 15.6).
struct UnreadValueBlockTests {
  private let value = Array("written".utf8) + Array(repeating: UInt8(0), count: 25)

  /// Node 1 is the master of a resource with contents; its directory outlives node 1. Node 2 holds
  /// lock 2 without VALBLK, node 3 lock 3 in `reader` with it.
  private func bench(directory: Int32, held: LockMode, reader: LockMode) throws -> Bench {
    var bench = try Bench(running: 3)
    let survivors = DirectoryMap(members: [Bench.node(2), Bench.node(3)])
    let name = try #require(
      try (0..<100).map { try bench.name(withDirectory: directory, "unread-\($0)") }.first { name in
        ResourceName(name).map { survivors.node(for: $0) } == Bench.node(directory)
      })
    try bench.lock(1, name, .nl, on: 1)
    bench.settle()
    try bench.lock(3, name, .ex, .valueBlock, on: 3)
    bench.settle()
    bench.convert(3, .nl, .valueBlock, value: value, on: 3)
    bench.settle()
    bench.convert(3, reader, .valueBlock, on: 3)
    try bench.lock(2, name, held, on: 2)
    bench.settle()
    for node in Int32(1)...3 { _ = bench.news(node) }
    return bench
  }

  private func outcome(_ effects: [LockspaceMachine.Effect], _ handle: UInt64) -> LockOutcome? {
    for case .completed(LockHandle(handle), let outcome) in effects.reversed() { return outcome }
    return nil
  }

  @Test("A conversion reads the contents, whatever its caller hands in")
  func conversion() throws {
    var bench = try bench(directory: 2, held: .pr, reader: .nl)
    let other = Array(repeating: UInt8(1), count: 32)
    bench.convert(2, .ex, .valueBlock, value: other, on: 2)
    bench.settle()
    let read = outcome(bench.news(2), 2)
    #expect(read == LockOutcome(result: .granted, mode: .ex, valueBlock: value))
    bench.unlock(2, .valueBlock, on: 2)
    bench.settle()
    #expect(bench.machines[Bench.node(1)]?.resourceDescriptions().first?.valueBlock == value)
  }

  @Test(
    "After a conversion that was refused, a new master takes the contents from a reader",
    arguments: [
      2, 3,
    ])
  func refused(directory: Int32) throws {
    var bench = try bench(directory: directory, held: .pr, reader: .pr)
    bench.convert(2, .ex, [.valueBlock, .noQueue], on: 2)
    bench.settle()
    #expect(outcome(bench.news(2), 2)?.result == .wouldBlock)
    bench.crash(1)
    bench.convert(2, .nl, on: 2)
    bench.convert(3, .nl, on: 3)
    bench.settle()
    bench.convert(2, .ex, .valueBlock, on: 2)
    bench.settle()
    let read = outcome(bench.news(2), 2)
    #expect(read == LockOutcome(result: .granted, mode: .ex, valueBlock: value))
  }

  @Test(
    "One that waits while the master dies reads the contents, or hears that they are not valid",
    arguments: [2, 3], [LockMode.pr, .cr])
  func waiting(directory: Int32, reader: LockMode) throws {
    var bench = try bench(directory: directory, held: .pr, reader: reader)
    bench.convert(2, .ex, .valueBlock, on: 2)
    bench.settle()
    bench.crash(1)
    bench.unlock(3, on: 3)
    bench.settle()
    let read = try #require(outcome(bench.news(2), 2))
    #expect(read.result == .granted && read.mode == .ex)
    // Readers in CR may have missed a later writer.
    #expect(read.flags == (reader == .pr ? [] : .valueNotValid))
    if reader == .pr { #expect(read.valueBlock == value) }
  }

  @Test(
    "One that waited while the master died reads the contents, and writes them at its unlock",
    arguments: [2, 3], [LockMode.nl, .cr])
  func waitingWriter(directory: Int32, held: LockMode) throws {
    var bench = try bench(directory: directory, held: held, reader: .pw)
    bench.convert(2, .pw, .valueBlock, on: 2)
    bench.settle()
    bench.crash(1)
    let newer = Array(repeating: UInt8(7), count: 32)
    bench.convert(3, .nl, .valueBlock, value: newer, on: 3)
    bench.settle()
    #expect(
      outcome(bench.news(2), 2) == LockOutcome(result: .granted, mode: .pw, valueBlock: newer))
    let written = Array(repeating: UInt8(8), count: 32)
    // VALBLK of the conversion still counts (dlm-wire 8.3).
    bench.convert(2, .pw, .valueBlock, value: written, on: 2)
    bench.unlock(2, on: 2)
    bench.settle()
    bench.convert(3, .pr, .valueBlock, on: 3)
    bench.settle()
    #expect(
      outcome(bench.news(3), 3) == LockOutcome(result: .granted, mode: .pr, valueBlock: written))
  }

  @Test(
    "One that waited while the master died leaves no valid contents behind when it dies",
    arguments: [2, 3])
  func waitingWriterDies(directory: Int32) throws {
    var bench = try bench(directory: directory, held: .nl, reader: .ex)
    bench.convert(2, .pw, .valueBlock, on: 2)
    bench.settle()
    bench.crash(1)
    bench.convert(3, .nl, .valueBlock, value: value, on: 3)
    bench.settle()
    #expect(outcome(bench.news(2), 2)?.mode == .pw)
    bench.crash(2)
    bench.convert(3, .pr, .valueBlock, on: 3)
    bench.settle()
    #expect(outcome(bench.news(3), 3)?.flags == .valueNotValid)
  }

  @Test(
    "One that is under way while the master dies reads the contents",
    arguments: [
      2, 3,
    ])
  func underWay(directory: Int32) throws {
    var bench = try bench(directory: directory, held: .cw, reader: .cw)
    bench.convert(2, .cw, .valueBlock, on: 2)
    bench.crash(1)
    let read = outcome(bench.news(2), 2)
    #expect(read == LockOutcome(result: .granted, mode: .cw, valueBlock: value))
  }

  @Test("An unlock after a refused conversion writes nothing")
  func unlock() throws {
    var bench = try bench(directory: 2, held: .pw, reader: .cr)
    bench.convert(2, .ex, [.valueBlock, .noQueue], on: 2)
    bench.settle()
    bench.unlock(2, on: 2)
    bench.settle()
    let resource = try #require(bench.machines[Bench.node(1)]?.resourceDescriptions().first)
    #expect(resource.valueBlock == value && !resource.isValueNotValid)
  }

  @Test(
    "What a holder has invalidated stays invalid at the new master", arguments: [2, 3],
    [LockMode.cw, .pr])
  func invalidated(directory: Int32, held: LockMode) throws {
    var bench = try bench(directory: directory, held: .nl, reader: .ex)
    bench.convert(3, held, [.valueBlock, .invalidateValueBlock], on: 3)
    bench.crash(1)
    bench.convert(2, held, .valueBlock, on: 2)
    bench.settle()
    #expect(outcome(bench.news(2), 2)?.flags == .valueNotValid)
  }

  @Test("One that waits at a master that lives is left alone when another node dies")
  func masterLives() throws {
    var bench = try bench(directory: 2, held: .nl, reader: .ex)
    bench.convert(2, .pw, .valueBlock, on: 2)
    bench.settle()
    // A name that the dead node mastered, so that somebody has to look for new masters at all.
    try bench.lock(4, try bench.name(withDirectory: 2, "other"), .nl, on: 3)
    bench.settle()
    bench.crash(3)
    bench.settle()
    let read = outcome(bench.news(2), 2)
    #expect(read?.mode == .pw && read?.flags == .valueNotValid)
  }
}
