import ClusterTypes
import Glibc
import Synchronization
import Testing

@testable import Fencing

/// Real processes. Their times are waited for, never asserted.
@Suite struct AgentProcessTests {
  private func run(
    _ script: String, input: String = "", timeoutMilliseconds: UInt32 = 60_000
  ) throws -> AgentOutcome {
    try AgentProcess(
      path: "/bin/sh", arguments: ["-c", script], input: Array(input.utf8),
      timeoutMilliseconds: timeoutMilliseconds
    ).run()
  }

  @Test func `a program reads its input and its exit status and output come back`() throws {
    let outcome = try run("cat; echo done >&2; exit 3", input: "action=off\nport=7\n")
    #expect(outcome == AgentOutcome(.exited(3), output: "action=off\nport=7\ndone\n"))
    #expect(try run("exit 0").ending == .exited(0))
    #expect(try run("kill -TERM $$").ending == .signalled(SIGTERM))
  }

  @Test func `a program that does not read its input is not waited for`() throws {
    let input = String(repeating: "x", count: AgentInput.maximumBytes)
    #expect(try run("exit 0", input: input).ending == .exited(0))
  }

  @Test func `it inherits nothing`() throws {
    // A descriptor that everybody inherits, were they not closed.
    let leak = open("/dev/null", O_RDONLY)
    defer { close(leak) }
    setenv("CLVMD_TEST_SECRET", "1", 1)
    let outcome = try run(
      "pwd; ls /proc/self/fd | wc -l; env | grep -c SECRET; ps -o pgid= -p $$ >/dev/null")
    // Standard descriptors and the one that ls reads the folder with.
    #expect(outcome.output == "/\n4\n0\n")
  }

  @Test func `what hangs is killed with its children`() throws {
    let outcome = try run("sleep 1000 & echo $!; wait", timeoutMilliseconds: 500)
    #expect(outcome.ending == .timedOut)
    let child = try #require(Int32(outcome.output.prefix { $0.isNumber }))
    expectToEnd(child)
  }

  @Test func `children that stay behind after the end are killed`() throws {
    let outcome = try run("sleep 1000 >/dev/null 2>&1 & echo $!")
    #expect(outcome.ending == .exited(0))
    let child = try #require(Int32(outcome.output.prefix { $0.isNumber }))
    expectToEnd(child)
  }

  @Test func `a program that closes its output is still waited for`() throws {
    #expect(try run("exec >&- 2>&-; sleep 0.2; exit 4").ending == .exited(4))
  }

  @Test func `only the end of a long output is kept`() throws {
    let outcome = try run("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo end")
    #expect(outcome.output.utf8.count <= AgentProcess.keptOutputBytes)
    #expect(outcome.output.hasSuffix("line 2999\nend\n"))
  }

  @Test func `a run can be cancelled, also before it has started`() throws {
    let process = try AgentProcess(
      path: "/bin/sh", arguments: ["-c", "sleep 1000"], input: [], timeoutMilliseconds: 600_000)
    process.cancel()
    #expect(process.run().ending == .cancelled)
  }

  @Test func `what cannot be started says why`() throws {
    let process = try AgentProcess(path: "/no/such/agent", input: [], timeoutMilliseconds: 1000)
    guard case .notStarted(let reason) = process.run().ending else {
      Issue.record("it was started")
      return
    }
    #expect(reason.contains("/no/such/agent"))
  }

  @Test func `a runner hands settings and secrets to the agent and keeps secrets to itself`()
    async throws
  {
    let folder = try TemporaryFolder()
    let agent = folder.path + "/fence_test"
    try folder.write("#!/bin/sh\ncat\nexit 1\n", to: agent, mode: 0o755)
    try folder.write("password=s3cret\n", to: folder.path + "/secrets", mode: 0o600)
    let device = FenceDevice(
      name: "test", program: .agent(agent), parameters: [FenceParameter("ip", "192.0.2.9")],
      secretsFile: folder.path + "/secrets")
    let run = AgentRun(
      id: 5, device: device, action: .off, node: MachineScene.victim, timeoutMilliseconds: 60_000)
    let runner = FencingRunner()
    let outcome = await withCheckedContinuation { continuation in
      runner.run(run) { continuation.resume(returning: $0) }
    }
    #expect(outcome.ending == .exited(1))
    #expect(outcome.output.contains("ip=192.0.2.9\npassword=***\naction=off\n"))
    #expect(!outcome.output.contains("s3cret"))
  }

  @Test func `a program that others may change is not run`() throws {
    let folder = try TemporaryFolder()
    let agent = folder.path + "/fence_test"
    try folder.write("#!/bin/sh\nexit 0\n", to: agent, mode: 0o777)
    let device = FenceDevice(name: "test", program: .agent(agent))
    guard case .notStarted(let reason) = FencingRunner.monitor(device).ending else {
      Issue.record("it was run")
      return
    }
    #expect(reason.contains("changed by others"))
    #expect(chmod(agent, 0o755) == 0)
    #expect(FencingRunner.monitor(device).ending == .exited(0))
  }

  @Test func `a command of another authority is started with the node's name`() async throws {
    let folder = try TemporaryFolder()
    let program = folder.path + "/stonith"
    try folder.write("#!/bin/sh\n[ \"$1 $2\" = \"--fence n3\" ]\n", to: program, mode: 0o755)
    let run = AgentRun(
      id: 1, device: FenceDevice(name: "pcmk", program: .command([program, "--fence", "%n"])),
      action: .off, node: MachineScene.victim, timeoutMilliseconds: 60_000)
    let runner = FencingRunner()
    let outcome = await withCheckedContinuation { continuation in
      runner.run(run) { continuation.resume(returning: $0) }
    }
    #expect(outcome.ending == .exited(0))
  }

  /// Killed, it may still be a corpse that init has not collected.
  private func expectToEnd(_ process: Int32) {
    for _ in 0..<500 where kill(process, 0) == 0 {
      if isZombie(process) { return }
      usleep(10_000)
    }
    #expect(kill(process, 0) != 0 || isZombie(process), "process \(process) still runs")
  }

  private func isZombie(_ process: Int32) -> Bool {
    guard let file = fopen("/proc/\(process)/stat", "r") else { return true }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return true }
    let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return text.contains(") Z ")
  }
}
