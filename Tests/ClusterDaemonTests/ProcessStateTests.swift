import Glibc
import Testing

@testable import ClusterDaemon

@Suite struct ProcessStateTests {
  @Test func readsTheFieldsBehindAnyName() {
    func state(_ letter: String, flags: Int) -> ProcessState {
      ProcessState(stat: Array("812 (lvm) R 4 (x) \(letter) 1 812 812 0 -1 \(flags) 0 0".utf8))
    }
    #expect(state("S", flags: 0x40_0100) == .running)
    #expect(state("R", flags: 0x40_0104) == .ending)
    #expect(state("Z", flags: 0x40_0100) == .ending)
    #expect(ProcessState(stat: Array("812 (lvm) S 1".utf8)) == .unknown)
    #expect(ProcessState(stat: []) == .unknown)
  }

  @Test func tellsTheLivingFromTheDead() throws {
    #expect(ProcessState(of: getpid()) == .running)
    #expect(ProcessState(of: 0) == .unknown)
    #expect(!ProcessState(of: -1).isOver)
    var child: pid_t = 0
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("600"), nil]
    defer { for argument in arguments { free(argument) } }
    try #require(posix_spawn(&child, "/bin/sleep", nil, nil, &arguments, nil) == 0)
    #expect(ProcessState(of: child) == .running)
    kill(child, SIGKILL)
    while !ProcessState(of: child).isOver { usleep(1_000) }
    #expect(ProcessState(of: child) == .ending, "nobody has asked for its status")
    waitpid(child, nil, 0)
    #expect(ProcessState(of: child) == .gone)
  }
}
