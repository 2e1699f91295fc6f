import ClusterTypes
import Glibc
import Testing
import VolumeCoordination

@testable import ClusterDaemon

/// Where a tester has the daemon fail.
@Suite struct FailPointTests {
  @Test func onlyTheNamedPlaceIsMeant() {
    #expect(FailPoints.action(in: "resume before kill\n", at: "resume", .before) == .kill)
    #expect(FailPoints.action(in: "resume before kill\n", at: "resume", .after) == nil)
    #expect(FailPoints.action(in: "resume before kill\n", at: "commit", .before) == nil)
    for text in ["", "resume", "resume before", "resume before explode", "a b c d"] {
      #expect(FailPoints.action(in: text, at: "resume", .before) == nil)
    }
  }

  @Test(.timeLimit(.minutes(5))) func aHeldJobGoesOnWhenItIsLetGo() async throws {
    let folder = "/tmp/clvmd-failpoint-\(UInt64.random(in: 0..<UInt64.max))"
    try ensurePrivateDirectory(folder)
    defer { rmdir(folder) }
    let points = FailPoints(file: "\(folder)/point")
    let job = VolumeJob.recover(volumeGroup: "vg", volumeGroupID: "", change: nil)
    try replaceFile(points.file, with: Array("recover after hold".utf8))
    let mark = "\(folder)/over"
    defer { unlink(mark) }
    let held = Task.detached {
      try points.reach(job, .after)
      try replaceFile(mark, with: [])
    }
    try await eventually("the job is held") { access(points.file + ".held", F_OK) == 0 }
    try await Task.sleep(for: .milliseconds(100))
    #expect(access(mark, F_OK) != 0)
    unlink(points.file + ".held")
    try await held.value
    #expect(access(mark, F_OK) == 0)
  }

  @Test func theyAreRefusedUnlessDebuggingIsOn() {
    func problems(_ debugging: String) -> [String] {
      let text = """
        cluster { name = "c" nodes { n1 { id = 1 address = "127.0.0.1" } } }
        membership { allow_external = 1 }
        debugging { \(debugging) failpoint_file = "/run/failpoint" }
        """
      return DaemonConfiguration.check(text.utf8, hostName: "n1").errors.map(\.place)
    }
    #expect(problems("") == ["debugging/failpoint_file"])
    #expect(problems("enabled = 0") == ["debugging/failpoint_file"])
    #expect(problems("enabled = 1") == [])
  }

  @Test func aFailureIsTheJobsResultAndHappensOnce() throws {
    let folder = "/tmp/clvmd-failpoint-\(UInt64.random(in: 0..<UInt64.max))"
    try ensurePrivateDirectory(folder)
    let points = FailPoints(file: "\(folder)/point")
    let job = VolumeJob.recover(volumeGroup: "vg", volumeGroupID: "", change: nil)
    try points.reach(job, .before)
    try replaceFile(points.file, with: Array("recover before fail".utf8))
    try points.reach(job, .after)
    #expect(throws: DaemonError.self) { try points.reach(job, .before) }
    try points.reach(job, .before)
  }
}
