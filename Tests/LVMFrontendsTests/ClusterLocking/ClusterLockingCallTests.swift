import Testing

@testable import LVMFrontends

/// What `clvmd -R`, `-S` and `-d` send, against recordings of the original.
@Suite struct ClusterLockingCallTests {
  @Test(arguments: [
    ("clvmd-R", ClusterLockingCall.refresh), ("clvmd-S", .restart(onAllNodes: false)),
    ("clvmd-d2-then-d0", .setDebugLevel(2, onAllNodes: false)),
    ("clvmd-C-d2-then-d0", .setDebugLevel(2, onAllNodes: true)),
  ])
  func aCallIsTheOriginals(recording: String, call: ClusterLockingCall) throws {
    let sent = try ClusterLockingRecording(recording).lines.filter { $0.dir == "c2d" }
      .map(\.bytes)
    // Behind the level of a debug call the original sends a byte that it has not set.
    #expect(sent.contains { Array($0.prefix(18)) == call.encoded })
  }

  @Test func everyRecordedReplyIsDecodedAndEncodedAgain() throws {
    for name in ClusterLockingRecording.names {
      for line in try ClusterLockingRecording(name).lines where line.dir == "d2c" {
        let bytes = line.bytes
        #expect(ClusterLockingReply.size(of: bytes) == bytes.count)
        #expect(try ClusterLockingReply(decoding: bytes).encoded == bytes)
      }
    }
  }
}
