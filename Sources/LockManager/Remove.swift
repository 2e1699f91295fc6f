import ClusterTypes
import LockProtocol

/// REMOVE, master to directory node: nobody uses the resource any more; and the scan that finds
/// such resources (dlm-wire 11.3).
///
/// A master must never forget silently: others would be sent to it by the directory for ever.
extension LockspaceMachine {
  // MARK: The directory node

  mutating func receiveRemove(_ message: LockMessage) {
    guard let name = message.resourceName, directoryNode(forHash: message.hash) == localNode,
      let id = resources.find(name), resources[id].idleSince != nil,
      resources[id].master == message.sender
    else { return drop() }
    resources.remove(id)
  }

  // MARK: The scan

  mutating func scheduleScan() {
    if nextScan == nil { nextScan = now + configuration.scanInterval }
  }

  /// Forgets what was idle for long enough. The record of another node's mastership stays until
  /// that node sends REMOVE.
  mutating func scanIdleResources() {
    nextScan = nil
    var isAnyLeft = false
    for id in resources.ids {
      guard let idleSince = resources[id].idleSince else { continue }
      let resource = resources[id]
      if resource.directory == localNode, let master = resource.master, master != localNode {
        continue
      }
      guard idleSince + configuration.tossDelay <= now else {
        isAnyLeft = true
        continue
      }
      if resource.master == localNode, resource.directory != localNode {
        sendRemove(resource)
      }
      resources.remove(id)
    }
    if isAnyLeft { scheduleScan() }
  }

  private mutating func sendRemove(_ resource: Resource) {
    let message = LockMessage(
      .remove, lockspaceID: configuration.lockspaceID, sender: localNode, hash: resource.hash,
      extra: resource.name.bytes)
    effects.append(.send(.lock(message), to: resource.directory))
  }
}
