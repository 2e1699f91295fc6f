import ClusterTypes
import KeeperProtocol
import KernelLockspaces

/// Who holds what the kernel's lock manager needs of its control daemon: this process, with which it
/// ends, or the keeper, which outlives it.
enum KernelCustody: Sendable {
  case own(UeventSocket, KernelMonitor)
  case keeper(KeeperClient)

  /// Where this process reads the kernel's announcements; nil when the keeper hands them over.
  var uevents: UeventSocket? {
    if case .own(let socket, _) = self { socket } else { nil }
  }

  /// Makes this node known to the kernel, once monitor and announcements are open.
  func announce(
    _ local: NodeInstance, _ address: NodeAddress, _ control: KernelLockManager,
    _ comms: inout CommsTable
  ) throws {
    switch self {
    case .own(let uevents, let monitor):
      try control.announceLocalNode(
        local, address: address, comms: &comms, monitor: monitor, uevents: uevents)
    case .keeper: try control.announceLocalNode(local, address: address, comms: &comms)
    }
  }

  /// Answers the join or leave that the kernel announced under `event`.
  func finish(
    _ name: LockspaceName, _ result: EventResult, _ event: UInt64, _ control: KernelLockManager
  ) throws {
    switch self {
    case .own: try control.finish(name, result)
    case .keeper(let keeper):
      try keeper.answer(directory: name.text, sequence: event, result.value)
    }
  }

  /// Refuses a lockspace whose name cannot be served.
  func refuse(_ event: KernelUevent, errno: Int32, _ control: KernelLockManager) throws {
    switch self {
    case .own: try control.refuse(event, errno: errno)
    case .keeper(let keeper):
      try keeper.answer(
        directory: event.directory, sequence: event.sequenceNumber ?? 0, -abs(errno))
    }
  }

  /// Holds it for the next life; nothing to do where there will be none.
  func note(_ table: KernelTable) throws {
    if case .keeper(let keeper) = self { try keeper.note(table) }
  }
}
