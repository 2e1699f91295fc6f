import ClusterTypes
import LockProtocol

/// When all locks are rebuilt: value blocks and half-known conversions (dlm-wire 15.6), then the
/// last barrier, and locking again (15.7, 15.8).
extension LockspaceMachine {
  mutating func finishResources() {
    for resource in recovery.snapshot {
      let marks = resources[resource].marks
      if isMaster(of: resource) {
        if !marks.isDisjoint(with: [.middleConversion, .newMaster]) {
          resolveMiddleConversions(on: resource)
        }
        if marks.contains(.newMaster) {
          recoverValueBlock(of: resource)
          if !resources[resource].converting.isEmpty || !resources[resource].waiting.isEmpty {
            resources[resource].marks.insert(.grantPass)
          }
        } else if marks.contains(.lvbLost) {
          resources[resource].isValueNotValid = true
        }
      } else {
        resources[resource].isValueNotValid = false
      }
      resources[resource].marks.subtract([.middleConversion, .lvbLost, .newMaster])
    }
  }

  /// Somebody else's granted PR or CW tells which of the two the converting locks still hold. Those
  /// of other nodes were marked by taking their granted mode away; one of this node keeps it until
  /// here, as the master may still change.
  private mutating func resolveMiddleConversions(on resource: ResourceID) {
    let granted = resources[resource].granted.lazy.map { [locks] in locks[$0].granted }
      .first { $0 == .pr || $0 == .cw }
    let isNewMaster = resources[resource].marks.contains(.newMaster)
    for id in resources[resource].converting
    where locks[id].granted == .iv
      || (isNewMaster && locks[id].handle != nil && isMiddleConversion(id))
    {
      locks[id].granted = granted ?? locks[id].requested
    }
  }

  /// A holder of more than CR has the newest contents. Where only NL and CR are left nobody knows
  /// whether there were newer ones.
  private mutating func recoverValueBlock(of resource: ResourceID) {
    let users = (resources[resource].granted + resources[resource].converting).filter {
      locks[$0].flags.contains(.valueBlock)
    }
    guard !users.isEmpty else { return }
    let candidates = users.filter { !locks[$0].hasUnreadValueBlock }
    if let holder = candidates.first(where: { locks[$0].granted > .cr }) {
      resources[resource].valueBlock = locks[holder].valueBlock ?? emptyValueBlock
      resources[resource].lvbSequence = locks[holder].lvbSequence
      // Nobody can have written while such a lock is held. (A kernel forgets what IVVALBLK said.)
      let isInvalidated = users.contains {
        locks[$0].granted > .cr && locks[$0].flags.contains(.invalidateValueBlock)
      }
      if isInvalidated { resources[resource].isValueNotValid = true }
      return
    }
    resources[resource].isValueNotValid = true
    resources[resource].valueBlock = emptyValueBlock
    resources[resource].lvbSequence = 0
    for id in candidates {
      let sequence = locks[id].lvbSequence
      guard Int32(bitPattern: sequence &- resources[resource].lvbSequence) >= 0 else { continue }
      resources[resource].valueBlock = locks[id].valueBlock ?? emptyValueBlock
      resources[resource].lvbSequence = sequence
    }
  }

  /// What departed nodes asked, and directory traffic of the old members, means nothing any more.
  ///
  /// Nor does what a new member said: it has locking only after this node has reached the last
  /// barrier. It may have been a member before, and its link with this node may have lived on with
  /// another lockspace; then a request of that earlier stay that hung in the network comes before
  /// its answers to the questions of this recovery. (A kernel takes it for one of the new stay.)
  mutating func dropStaleRequests() {
    let stale = recovery.departed.union(
      configuration.faults.contains(.hearsEarlierStays) ? [] : recovery.joined)
    recovery.joined = []
    guard configuration.usesDirectory else {
      requestQueue = []
      return
    }
    requestQueue.removeAll { message in
      stale.contains(message.sender)
        || [.lookup, .lookupReply, .remove].contains(message.type)
    }
  }

  mutating func enableLocking() {
    recovery.departed = []
    recovery.giveUpWaiting()
    releaseSnapshot()
    recovery.phase = .running
    effects.append(contentsOf: heldCallbacks)
    heldCallbacks = []
    effects.append(.recovered(generation: recovery.generation, slots: recovery.slots))

    let queued = requestQueue
    requestQueue = []
    for message in queued { process(message) }
    resendOperations()
    for resource in resources.ids where resources[resource].marks.contains(.grantPass) {
      if !configuration.faults.contains(.skipsGrantPass) { grantOthers(on: resource) }
      resources[resource].marks.remove(.grantPass)
      if isMaster(of: resource) { masterFound(on: resource) }
    }
    let calls = heldCalls
    heldCalls = []
    for call in calls { take(call: call) }
  }
}
