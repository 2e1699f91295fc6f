import ClusterTypes
import LockManager
import LockProtocol
import Testing

@testable import ClusterDaemon

@Suite struct LockReportTests {
  private func lock(_ number: UInt32, of node: Int32) throws -> LockReport.Lock {
    LockReport.Lock(
      lockspace: try #require(LockspaceName("work")), generation: 4,
      resource: try #require(ResourceName([0, 255, 7])), master: NodeID(2),
      identity: LockIdentity(node: try #require(NodeID(node)), lock: LockID(number)),
      queue: .converting, granted: .pr, requested: .ex, processID: 77,
      since: Timestamp(milliseconds: 9), age: .milliseconds(12), owner: "clvm lock", command: nil,
      transaction: 5, mayBeVictim: true)
  }

  private func report() throws -> LockReport {
    var report = LockReport()
    report.locks = [try lock(1, of: 1), try lock(2, of: 3)]
    report.locks[1].master = nil
    report.locks[1].transaction = nil
    report.waits = [
      LockReport.Wait(waiter: 0, blockers: [1], predecessor: nil),
      LockReport.Wait(waiter: 1, blockers: [], predecessor: 0),
    ]
    report.omittedCount = 3
    return report
  }

  @Test func messagesCrossTheWire() throws {
    let messages = [
      LockSurveyMessage.question(id: 1, onlyWaiting: true), .report(id: .max, try report()),
    ]
    for message in messages {
      #expect(try LockSurveyMessage(decoding: message.encoded[...]) == message)
    }
  }

  @Test func hostileMessagesAreErrors() throws {
    let bytes = LockSurveyMessage.report(id: 2, try report()).encoded
    for count in bytes.indices {
      #expect(throws: (any Error).self) { try LockSurveyMessage(decoding: bytes[..<count]) }
    }
    // Whatever a byte is changed to, decoding ends with a value or an error.
    for index in bytes.indices {
      for value in [0, 1, 0x7F, 0xFF] as [UInt8] {
        var damaged = bytes
        damaged[index] = value
        _ = try? LockSurveyMessage(decoding: damaged[...])
      }
    }
  }

  @Test func largestReportFitsIntoAFrame() throws {
    var lock = try lock(1, of: 1)
    lock.resource = try #require(ResourceName(Array(repeating: 1, count: 64)))
    lock.lockspace = try #require(LockspaceName(String(repeating: "x", count: 64)))
    lock.owner = String(repeating: "o", count: 64)
    lock.command = String(repeating: "c", count: 16)
    var report = LockReport()
    report.locks = Array(repeating: lock, count: LockReport.maximumLockCount)
    report.waits = (0..<LockReport.maximumWaitCount).map {
      let blockers = LockReport.maximumBlockerCount / LockReport.maximumWaitCount
      return LockReport.Wait(
        waiter: $0, blockers: Array(repeating: 0, count: blockers), predecessor: 2)
    }
    #expect(LockSurveyMessage.report(id: 1, report).encoded.count < 1 << 20)
  }

  @Test func ownersNotesAndMastersQueueAreJoined() throws {
    var known = LockSurvey.Result()
    var byMaster = try lock(1, of: 1)
    (byMaster.owner, byMaster.transaction, byMaster.mayBeVictim) = (nil, nil, false)
    var byOwner = try lock(1, of: 1)
    (byOwner.queue, byOwner.age) = (.granted, .zero)
    for (node, lock) in [(1, byOwner), (2, byMaster)] {
      var report = LockReport()
      report.locks = [lock]
      known.reports[try #require(NodeID(Int32(node)))] = report
    }
    #expect(known.locks == [try lock(1, of: 1)])
  }

  @Test func parentIsFoundBehindAnyName() {
    #expect(
      ProcessAncestry.parent(ofStat: Array("12 (a) b) (c)) S 7 12 12".utf8)) == 7)
    #expect(ProcessAncestry.parent(ofStat: Array("12 (sh".utf8)) == nil)
  }
}
