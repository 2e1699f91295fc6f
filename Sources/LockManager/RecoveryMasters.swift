import ClusterTypes
import LockProtocol

/// New masters for the resources of departed ones (dlm-wire 14.5, 15.5). The directory node makes
/// the first that asks the master, or itself when it has locks there.
extension LockspaceMachine {
  /// Locks of departed nodes go. One that could have changed the value block leaves it doubtful.
  mutating func purgeDeparted() {
    if configuration.faults.contains(.keepsDeadLocks) { return }
    for resource in recovery.snapshot {
      let queues =
        resources[resource].granted + resources[resource].converting + resources[resource].waiting
      for id in queues {
        guard case .node(let node) = locks[id].owner, recovery.departed.contains(node) else {
          continue
        }
        if locks[id].flags.contains(.valueBlock), locks[id].granted >= .pw,
          !configuration.faults.contains(.forgetsLostValue)
        {
          resources[resource].marks.insert(.lvbLost)
        }
        resources[resource].marks.insert(.grantPass)
        forget(id)
      }
    }
  }

  /// Without directory all owners send all their locks again.
  mutating func forgetLocksOfOthers() {
    for resource in recovery.snapshot {
      let queues =
        resources[resource].granted + resources[resource].converting + resources[resource].waiting
      for id in queues where locks[id].handle == nil { forget(id) }
    }
  }

  mutating func findMasters() {
    recovery.phase = .findingMasters
    guard configuration.usesDirectory else {
      for resource in recovery.snapshot {
        setNewMaster(resources[resource].directory, of: resource)
      }
      return sendLocks()
    }
    recovery.lastLookupID = 0
    var toLookUp: [ResourceID] = []
    for resource in recovery.snapshot {
      guard let master = resources[resource].master, master != localNode else { continue }
      let isDeparted = recovery.departed.contains(master)
      guard isDeparted || resources[resource].marks.contains(.sendLocks) else { continue }
      if resources[resource].directory == localNode {
        setNewMaster(isDeparted ? localNode : master, of: resource)
      } else {
        toLookUp.append(resource)
      }
    }
    recovery.toLookUp = toLookUp[...]
    continueLookups()
  }

  private mutating func continueLookups() {
    while recovery.lookups.count < Recovery.window, let resource = recovery.toLookUp.popFirst() {
      recovery.lastLookupID += 1
      recovery.lookups[recovery.lastLookupID] = resource
      send(
        .lookup(resources[resource].name), id: recovery.lastLookupID,
        to: resources[resource].directory)
    }
    if recovery.lookups.isEmpty { sendLocks() }
  }

  private mutating func setNewMaster(_ master: NodeID, of resource: ResourceID) {
    resources[resource].master = master
    resources[resource].isMasterUnconfirmed = false
    resources[resource].marks.formUnion([.sendLocks, .newMaster])
    let queues =
      resources[resource].granted + resources[resource].converting + resources[resource].waiting
    for id in queues {
      if locks[id].handle != nil {
        locks[id].remoteID = .none
      } else if master != localNode {
        // Sent here by an owner in a recovery that was aborted; it is told the same master now.
        forget(id)
      }
    }
  }

  /// At the directory node. It may be asked before it has walked over the resource itself.
  mutating func receiveMasterLookup(_ message: RecoveryMessage, name: ResourceName) {
    guard directoryNode(forHash: name.hash) == localNode else {
      return reply(to: message, .lookupReply, result: LockResult.invalidArgument.rawValue)
    }
    let id = resources.find(name) ?? makeRecord(named: name, master: message.sender)
    if let master = resources[id].master {
      if recovery.departed.contains(master), master != localNode {
        resources[id].master = message.sender
        resources[id].isMasterUnconfirmed = false
        if resources[id].isInRecovery { resources[id].marks.insert(.sendLocks) }
      }
    } else {
      resources[id].master = message.sender
      if resources[id].isInRecovery { resources[id].marks.insert(.sendLocks) }
    }
    reply(
      to: message, .lookupReply, result: (resources[id].master ?? message.sender).rawValue)
  }

  mutating func receiveMasterLookupReply(_ message: RecoveryMessage) {
    guard let resource = recovery.lookups[message.id] else { return drop() }
    guard let master = NodeID(message.result), recovery.isMember(master) else {
      return fail(.lookupRefused(message.sender, result: message.result))
    }
    recovery.lookups[message.id] = nil
    setNewMaster(master, of: resource)
    continueLookups()
  }
}
