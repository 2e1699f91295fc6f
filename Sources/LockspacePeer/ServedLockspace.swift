import ClusterTypes
import DistributedLockManager
import LockManager
import LockProtocol
import NIOCore

/// The lockspace of a session, served by the library: transport, machine and timers are its own.
///
/// Confined to the service's event loop.
final class ServedLockspace: PeerLockspace {
  private let service: LockService
  private let configuration: PeerConfiguration
  private let eventLoop: any EventLoop
  private var lives: UInt64 = 0
  /// The others have agreed that this node has left.
  var parted: () -> Void = {}

  init(_ service: LockService, _ configuration: PeerConfiguration, eventLoop: any EventLoop) {
    self.service = service
    self.configuration = configuration
    self.eventLoop = eventLoop
    join()
  }

  var machine: LockspaceMachine? { service.machine(of: configuration.lockspace) }
  var now: Timestamp { .now }

  func join() {
    let machine = LockspaceMachine.Configuration(
      name: configuration.lockspace, localNode: configuration.node,
      shared: LockspaceConfiguration(lvbLength: UInt32(configuration.lvbLength)),
      usesDirectory: configuration.usesDirectory, seed: configuration.seed &+ lives << 32)
    lives += 1
    expectOpen { () throws(LockNodeError) in try service.open(machine) }
  }

  func start(_ members: [Member], renewed: Set<NodeID>) {
    for node in renewed { service.forget(node) }
    // What becomes of it, the service's observer hears.
    service.start(configuration.lockspace, members: members, departed: renewed) { _ in }
  }

  func stop() {
    expectOpen { () throws(LockNodeError) in try service.stop(configuration.lockspace) }
  }

  /// The session asks for nothing that the lockspace's state forbids.
  private func expectOpen(_ body: () throws(LockNodeError) -> Void) {
    do throws(LockNodeError) {
      try body()
    } catch {
      preconditionFailure("\(error)")
    }
  }

  func leave() {
    service.close(configuration.lockspace).assumeIsolated().whenSuccess { [self] in parted() }
  }

  var locks: any LockCalls { service }
  func abandon(_ handle: LockHandle) { service.abandon(handle) }

  func purge(_ node: NodeID, processID: UInt32) {
    service.purge(node, processID: processID, in: configuration.lockspace)
  }

  func afterwards(_ body: @escaping () -> Void) { eventLoop.assumeIsolated().execute(body) }
}
