import ClusterTypes
import Glibc
import LVMFrontends
import Logging
import NIOCore

/// The unix sockets of the daemon: lvmlockd's and clvmd's for lvm commands, and the administrator's
/// for clvm.
///
/// Confined to the cluster's event loop.
final class DaemonSockets {
  private let configuration: DaemonConfiguration
  private let loop: any EventLoop
  private let frontend: LockDaemonFrontend?
  private let clusterLocking: ClusterLockingFrontend?
  private let admin: FramedTextServer

  init(
    configuration: DaemonConfiguration, lockDaemon: LockDaemonService,
    clusterLocking: ClusterLockingFrontend?, admin: AdminService, loop: any EventLoop,
    logger: Logger
  ) {
    self.configuration = configuration
    self.clusterLocking = clusterLocking
    self.loop = loop
    let server = FramedTextServer(
      eventLoop: loop, configuration: .init(path: configuration.adminSocket), logger: logger,
      delegate: admin)
    self.admin = server
    admin.server = server
    guard configuration.lvmlockd != nil else {
      frontend = nil
      return
    }
    let frontend = LockDaemonFrontend(
      eventLoop: loop, machine: .init(clusterName: configuration.cluster.name), logger: logger,
      clock: { .now }, cluster: lockDaemon)
    lockDaemon.handle = { [unowned frontend] in frontend.handle($0) }
    self.frontend = frontend
  }

  func start() -> EventLoopFuture<Void> {
    let bound = NIOLoopBound(self, eventLoop: loop)
    return admin.start().flatMap { bound.value.startFrontend() }
      .flatMap { bound.value.startClusterLocking() }
  }

  private func startClusterLocking() -> EventLoopFuture<Void> {
    guard let clusterLocking, let settings = configuration.clusterLocking else {
      return loop.makeSucceededVoidFuture()
    }
    return clusterLocking.start(
      .init(socketPath: settings.socket, pidFilePath: settings.pidFile))
  }

  private func startFrontend() -> EventLoopFuture<Void> {
    guard let frontend, let settings = configuration.lvmlockd else {
      return loop.makeSucceededVoidFuture()
    }
    return frontend.start(
      .init(socketPath: settings.socket, pidFilePath: settings.pidFile))
  }

  /// Commands that wait see their connection closed; what they held is released.
  ///
  /// - Parameter leavingFiles: a daemon that comes at once takes over sockets and pid files.
  func stop(leavingFiles: Bool = false) -> EventLoopFuture<Void> {
    let done = loop.makeSucceededVoidFuture()
    return (frontend?.stop(leavingFiles: leavingFiles) ?? done)
      .and(clusterLocking?.stop(leavingFiles: leavingFiles) ?? done)
      .and(admin.stop(leavingFile: leavingFiles)).map { _ in }
  }
}
