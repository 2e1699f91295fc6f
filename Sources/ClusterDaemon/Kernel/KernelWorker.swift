import ClusterTypes
import Glibc
import KernelLockspaces
import LockspaceGroups
import NIOPosix
import Synchronization

/// A start to be written to the kernel, as the difference to the last one that it took.
struct KernelStart: Sendable {
  let name: LockspaceName
  let members: [NodeInstance]
  let since: [NodeInstance]
  let failed: Set<NodeInstance>
  let left: Set<NodeInstance>
  /// A process in the kernel waits to be told that it has joined.
  let answersJoin: Bool
}

/// The blocking side of the kernel's lockspaces: what `KernelLockspaceDriver` decides is carried
/// out here, on worker threads.
///
/// Work on one lockspace never overlaps (the driver queues it); the comms table, which all
/// lockspaces share, is locked.
final class KernelWorker: Sendable {
  let control: KernelLockManager
  private let deviceNodes: DeviceNodes
  private let addresses: [NodeID: NodeAddress]
  private let comms: Mutex<CommsTable>
  private let monitor: KernelMonitor
  let uevents: UeventSocket

  /// Loads the modules, describes the cluster to the kernel, and makes this node known to it.
  init(
    local: NodeInstance, addresses: [NodeID: NodeAddress], clusterName: String, tcpPort: UInt16
  ) throws {
    guard let localAddress = addresses[local.node] else {
      throw DaemonError("node \(local.node) has no address in the configuration")
    }
    control = KernelLockManager()
    deviceNodes = DeviceNodes()
    self.addresses = addresses
    try control.prepare(clusterName: clusterName, tcpPort: tcpPort)
    uevents = try UeventSocket()
    monitor = try KernelMonitor()
    var table = CommsTable(localNode: local.node)
    try control.announceLocalNode(
      local, address: localAddress, comms: &table, monitor: monitor, uevents: uevents)
    comms = Mutex(table)
    try deviceNodes.synchronize()
  }

  /// Makes the members of a view known, except those whose earlier life some lockspace here has
  /// still to take for failed.
  func admit(_ members: [NodeInstance]) throws {
    try comms.withLock { table in
      for instance in members {
        guard let address = addresses[instance.node] else { continue }
        try control.admit(instance, address: address, comms: &table)
      }
    }
  }

  /// A node that was in no lockspace here went; its next life begins anew.
  func forget(_ instance: NodeInstance) throws {
    try comms.withLock { table in try control.removeComms(ofFailed: instance, comms: &table) }
  }

  func stop(_ name: LockspaceName) throws {
    do {
      try control.stop(name)
    } catch let error where error.errno == ENOENT {
      // The lockspace is gone from the kernel: nothing can be running.
    }
  }

  func start(_ start: KernelStart) throws {
    let changes = changes(start)
    if start.since.isEmpty { try control.setIdentifier(start.name) }
    try comms.withLock { table in
      try control.applyMembers(start.name, changes, comms: &table)
    }
    try control.start(start.name)
    if start.answersJoin { try control.finish(start.name, .success) }
  }

  private func changes(_ start: KernelStart) -> [NodeID: MemberChange] {
    var changes: [NodeID: MemberChange] = [:]
    for instance in start.left { changes[instance.node] = .nodeLeft }
    for instance in start.failed { changes[instance.node] = .nodeFailed(instance.incarnation) }
    for instance in start.members where !start.since.contains(instance) {
      guard let address = addresses[instance.node] else { continue }
      if case .nodeFailed = changes[instance.node] {
        changes[instance.node] = .nodeRenewed(instance.incarnation, address)
      } else {
        changes[instance.node] = .nodeAdded(instance.incarnation, address)
      }
    }
    return changes
  }

  /// True when this node has gone through the recovery of the last start.
  func isRunning(_ name: LockspaceName) throws -> Bool {
    try control.recoverStatus(name).isRunning
  }

  func leave(_ name: LockspaceName, answersLeave: Bool) throws {
    // The releaser goes on whatever becomes of the directories.
    let removal = Result { try control.removeSpace(name) }
    if answersLeave { try control.finish(name, .success) }
    try removal.get()
  }

  func refuseJoin(_ name: LockspaceName, errno: Int32) throws {
    try control.finish(name, .refused(errno: errno))
  }

  func refuse(_ event: KernelUevent, errno: Int32) throws {
    try control.refuse(event, errno: errno)
  }

  /// Lockspaces whose join nobody has answered.
  func waitingLockspaces() throws -> [LockspaceName] {
    try control.lockspaces().compactMap { LockspaceName($0) }.filter { name in
      do {
        return try control.state(of: name).awaitsJoin
      } catch let error as KernelControlError where error.errno == ENOENT {
        return false
      }
    }
  }

  func synchronizeDeviceNodes() throws { try deviceNodes.synchronize() }

  /// After a clean end: refused by the kernel while lockspaces exist.
  func removeConfiguration() throws { try control.removeConfiguration() }
}
