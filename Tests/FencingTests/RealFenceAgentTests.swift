import ClusterTypes
import Glibc
import Testing

@testable import Fencing

/// A program of Debian's fence-agents, whose power is a file.
@Suite struct RealFenceAgentTests {
  private static let isInstalled = access("/usr/sbin/fence_dummy", X_OK) == 0

  private func run(_ action: FenceAction, state: String) async -> AgentOutcome {
    let device = FenceDevice(
      name: "dummy", program: .agent("fence_dummy"),
      parameters: [FenceParameter("type", "file"), FenceParameter("status_file", state)])
    let run = AgentRun(
      id: 1, device: device, action: action,
      node: action == .monitor ? nil : MachineScene.victim, timeoutMilliseconds: 120_000)
    let runner = FencingRunner()
    return await withCheckedContinuation { continuation in
      runner.run(run) { continuation.resume(returning: $0) }
    }
  }

  @Test(.enabled(if: isInstalled, "the package fence-agents is not installed"))
  func `a real agent is tried out, switches off and on, and tells the power state`() async throws {
    let folder = try TemporaryFolder()
    let state = folder.path + "/power"
    #expect(await run(.monitor, state: state).exitStatus == 0)
    #expect(await run(.on, state: state).exitStatus == 0)
    #expect(await run(.status, state: state).exitStatus == 0)
    #expect(await run(.off, state: state).exitStatus == 0)
    let status = await run(.status, state: state)
    #expect(status.exitStatus == 2)
    #expect(status.isSuccess(of: .status))
  }
}
