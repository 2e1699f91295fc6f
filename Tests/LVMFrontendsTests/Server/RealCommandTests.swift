import ClusterTypes
import Glibc
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import LVMFrontends

/// Unmodified lvm and lvmlockctl of this host against our server.
///
/// The path of the pid file is compiled into lvm. So the commands run in a mount namespace of their
/// own with an empty /run, in which links lead to the server's socket; that takes root.
@Suite(
  .serialized,
  .enabled(
    if: geteuid() == 0 && access("/sbin/lvm", X_OK) == 0
      && system("unshare -m true 2>/dev/null") == 0,
    "needs root, lvm2 and mount namespaces"))
struct RealCommandTests {
  /// One node alone with a lock manager that answers at once.
  private final class SoloCluster: LockDaemonCluster {
    var frontend: LockDaemonFrontend?
    var manager = FakeLockManager()

    func carryOut(_ effect: LockDaemonMachine.Effect) {
      _ = manager.carryOut(effect, of: TestCluster.node1)
      let answers = manager.answers
      manager.answers = []
      for (_, input) in answers { frontend?.handle(input) }
    }
  }

  private struct Running {
    let cluster: NIOLoopBound<SoloCluster>
    let loop: any EventLoop

    func handle(_ input: LockDaemonMachine.Input) async throws {
      try await loop.submit { [cluster] in cluster.value.frontend?.handle(input) }.get()
    }

    func stop() async throws {
      try await loop.flatSubmit { [cluster] in
        cluster.value.frontend?.stop() ?? loop.makeSucceededVoidFuture()
      }.get()
    }
  }

  private func start(_ folder: String) async throws -> Running {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    return try await loop.flatSubmit {
      let cluster = SoloCluster()
      let frontend = LockDaemonFrontend(
        eventLoop: loop, machine: .init(clusterName: "lab"),
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        clock: { Timestamp(nanoseconds: NIODeadline.now().uptimeNanoseconds) }, cluster: cluster)
      cluster.frontend = frontend
      let running = Running(cluster: NIOLoopBound(cluster, eventLoop: loop), loop: loop)
      frontend.handle(.clusterChanged(isRunning: true, isQuorate: true))
      return frontend.start(
        .init(socketPath: "\(folder)/socket", pidFilePath: "\(folder)/pid")
      ).map { running }
    }.get()
  }

  /// Runs `command` in the namespace; its exit status and what it printed.
  private func run(_ command: String, in folder: String) -> (status: Int32, text: String) {
    let script = """
      mount -t tmpfs none /run && mkdir -p /run/lvm /run/lock/lvm
      test -e \(folder)/pid && ln -s \(folder)/pid /run/lvmlockd.pid
      ln -s \(folder)/socket /run/lvm/lvmlockd.socket
      exec timeout 60 \(command)
      """
    let status = system("unshare -m sh -c '\(script)' >\(folder)/out 2>&1 </dev/null")
    var text = ""
    if let file = fopen("\(folder)/out", "r") {
      var bytes = [UInt8](repeating: 0, count: 65_536)
      text = String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
      fclose(file)
    }
    return (status >> 8 & 0xFF, text)
  }

  private static let config = "--config global/use_lvmlockd=1"

  @Test func reportsTakeTheGlobalLock() async throws {
    let folder = TemporaryFolder()
    let running = try await start(folder.path)
    for command in ["vgs", "pvs"] {
      let result = run("lvm \(command) \(Self.config)", in: folder.path)
      #expect(result.status == 0, "\(result.text)")
      #expect(!result.text.contains("lock"), "\(result.text)")
    }
    let info = run("lvmlockctl --info --dump", in: folder.path)
    #expect(info.status == 0)
    #expect(info.text.contains("info=ls ls_name=lvm_global"), "\(info.text)")
    #expect(info.text.contains("name=GLLK type=gl mode=un sh_count=0 version=0"), "\(info.text)")
    let log = run("lvmlockctl --dump", in: folder.path)
    #expect(log.text.contains("vgs["), "\(log.text)")
    #expect(log.text.contains("] lock_gl"), "\(log.text)")
    try await running.stop()
  }

  @Test func withoutQuorumReportsGoOnWithAWarning() async throws {
    let folder = TemporaryFolder()
    let running = try await start(folder.path)
    try await running.handle(.clusterChanged(isRunning: true, isQuorate: false))
    let result = run("lvm vgs \(Self.config)", in: folder.path)
    #expect(result.status == 0, "\(result.text)")
    #expect(result.text.contains("Skipping global lock"), "\(result.text)")
    let change = run("lvm pvcreate \(Self.config) /dev/null", in: folder.path)
    #expect(change.status == 5, "\(change.text)")
    #expect(change.text.contains("Global lock failed"), "\(change.text)")
    try await running.stop()
  }

  @Test func afterAStopCommandsSayThatTheDaemonIsNotRunning() async throws {
    let folder = TemporaryFolder()
    let running = try await start(folder.path)
    try await running.stop()
    let result = run("lvm vgs \(Self.config)", in: folder.path)
    #expect(result.status == 0, "\(result.text)")
    #expect(result.text.contains("lvmlockd process is not running"), "\(result.text)")
  }

  @Test(.enabled(if: access("/usr/sbin/lvmlockd", X_OK) == 0, "needs lvmlockd"))
  func realLvmlockdKeepsOutOfOurPlace() async throws {
    let folder = TemporaryFolder()
    let running = try await start(folder.path)
    let result = run(
      "lvmlockd --test --foreground --gl-type dlm --pid-file \(folder.path)/pid", in: folder.path)
    #expect(result.status != 0 && result.status != 124, "\(result.text)")
    try await running.stop()
  }
}
