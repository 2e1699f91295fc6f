import ClusterTypes
import Glibc
import KeeperProtocol
import KernelLockspaces
import LockspaceGroups
import NIOPosix
import Synchronization

/// A start to be written to the kernel, as the difference to the last one that it took.
struct KernelStart: Sendable {
  let name: LockspaceName
  let generation: UInt64
  let members: [NodeInstance]
  let since: [NodeInstance]
  let failed: Set<NodeInstance>
  let left: Set<NodeInstance>
  /// The event with which a process in the kernel waits to be told that it has joined; nil if none
  /// does.
  let joinEvent: UInt64?
}

/// The blocking side of the kernel's lockspaces: what `KernelLockspaceDriver` decides is carried
/// out here, on worker threads.
///
/// Work on one lockspace never overlaps (the driver queues it); what was written about nodes and
/// lockspaces is one table, which is locked.
final class KernelWorker: Sendable {
  private struct Written: Sendable {
    var comms: CommsTable
    var spaces: [LockspaceName: StartedSpace] = [:]
  }

  let control: KernelLockManager
  private let custody: KernelCustody
  private let local: NodeInstance
  private let deviceNodes: DeviceNodes
  private let addresses: Mutex<[NodeID: NodeAddress]>
  private let written: Mutex<Written>
  /// What the kernel runs since an earlier life of the daemon.
  let adopted: [LockspaceName: StartedSpace]

  /// Loads the modules, describes the cluster to the kernel, and makes this node known to it; or takes
  /// up what an earlier life has left in the kernel and with the keeper.
  init(
    local: NodeInstance, addresses: [NodeID: NodeAddress], clusterName: String, tcpPort: UInt16,
    keeper: KeeperClient?
  ) throws {
    guard let localAddress = addresses[local.node] else {
      throw DaemonError("node \(local.node) has no address in the configuration")
    }
    self.local = local
    control = KernelLockManager()
    deviceNodes = DeviceNodes()
    self.addresses = Mutex(addresses)
    if let keeper, try !control.lockspaces().isEmpty {
      let table = try KernelAdoption(control).claim(keeper.table, for: local)
      try keeper.control()
      custody = .keeper(keeper)
      adopted = table.spaces
      written = Mutex(
        Written(
          comms: CommsTable(localNode: local.node, incarnations: table.comms),
          spaces: table.spaces))
    } else {
      try control.prepare(clusterName: clusterName, tcpPort: tcpPort)
      custody =
        try keeper.map { keeper in
          try keeper.control()
          return .keeper(keeper)
        } ?? .own(try UeventSocket(), try KernelMonitor())
      adopted = [:]
      written = Mutex(Written(comms: CommsTable(localNode: local.node)))
      try change { written in
        // Noted before it is there: a life that ends in between leaves nothing unknown.
        try custody.note(
          KernelTable(local: local, comms: [local.node: local.incarnation], spaces: [:]))
        try custody.announce(local, localAddress, control, &written.comms)
      }
    }
    try deviceNodes.synchronize()
  }

  /// Where the kernel's announcements are to be read, if not from the keeper.
  var uevents: UeventSocket? { custody.uevents }

  private func address(of node: NodeID) -> NodeAddress? { addresses.withLock { $0[node] } }

  /// Other nodes are configured now.
  func replaceAddresses(_ newAddresses: [NodeID: NodeAddress]) {
    addresses.withLock { $0 = newAddresses }
  }

  private func change(_ body: (inout Written) throws -> Void) throws {
    try written.withLock { written in
      let result = Result { try body(&written) }
      // Also after a failure half-way: what was written counts.
      try custody.note(
        KernelTable(
          local: local, comms: written.comms.incarnations, spaces: written.spaces))
      try result.get()
    }
  }

  /// Makes the members of a view known, except those whose earlier life some lockspace here has
  /// still to take for failed.
  func admit(_ members: [NodeInstance]) throws {
    try change { written in
      for instance in members {
        guard let address = address(of: instance.node) else { continue }
        try control.admit(instance, address: address, comms: &written.comms)
      }
    }
  }

  /// A node that was in no lockspace here went; its next life begins anew.
  func forget(_ instance: NodeInstance) throws {
    try change { try control.removeComms(ofFailed: instance, comms: &$0.comms) }
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
    let next = StartedSpace.Start(generation: start.generation, members: start.members)
    // A life that ends anywhere in between leaves it to the next one to ask the kernel.
    try change {
      $0.spaces[start.name, default: StartedSpace(generation: 0, members: [])].next = next
    }
    try change { try control.applyMembers(start.name, changes, comms: &$0.comms) }
    try control.start(start.name)
    try change {
      $0.spaces[start.name] = StartedSpace(generation: next.generation, members: next.members)
    }
    if let event = start.joinEvent { try custody.finish(start.name, .success, event, control) }
  }

  private func changes(_ start: KernelStart) -> [NodeID: MemberChange] {
    var changes: [NodeID: MemberChange] = [:]
    for instance in start.left { changes[instance.node] = .nodeLeft }
    for instance in start.failed { changes[instance.node] = .nodeFailed(instance.incarnation) }
    for instance in start.members where !start.since.contains(instance) {
      guard let address = address(of: instance.node) else { continue }
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

  /// `leaveEvent`: the event with which the releaser waits; nil if nobody does.
  func leave(_ name: LockspaceName, leaveEvent: UInt64?) throws {
    // The releaser goes on whatever becomes of the directories.
    let removal = Result { try control.removeSpace(name) }
    if let leaveEvent { try custody.finish(name, .success, leaveEvent, control) }
    try change { $0.spaces[name] = nil }
    try removal.get()
  }

  /// `event` 0: the join was found without its announcement.
  func refuseJoin(_ name: LockspaceName, event: UInt64, errno: Int32) throws {
    try custody.finish(name, .refused(errno: errno), event, control)
  }

  func refuse(_ event: KernelUevent, errno: Int32) throws {
    try custody.refuse(event, errno: errno, control)
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
