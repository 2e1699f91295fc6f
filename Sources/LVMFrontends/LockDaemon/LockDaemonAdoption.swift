import ClusterTypes

/// Persistent locks over a restart of the daemon (lvmlockd-socket 12).
///
/// The LVs stay active while the daemon is away. Before it serves clients again it takes their locks
/// up as recorded, as requests of its own that stand first in the queue of each lock.
extension LockDaemonMachine {
  mutating func adopt(_ locks: [PersistentLock]) {
    for lock in locks {
      guard let name = Lockspace.name(vg: lock.vg) else {
        effects.append(.adoptionFailed(lock, reason: "VG \(lock.vg) cannot have a lockspace"))
        continue
      }
      startGlobalLockspace()
      if lockspaces[name] == nil {
        join(
          name,
          Lockspace(
            vg: lock.vg, vgUUID: lock.vgUUID, lockArguments: lock.lockArguments,
            state: .starting(askedBy: [])))
      }
      let address = ResourceAddress(
        lockspace: name, resource: .logicalVolume(uuid: lock.lvUUID))
      adoptions[address] = lock
      deliver(adoption(lock.mode), to: address)
    }
  }

  private func adoption(_ mode: LockMode) -> LockRequest {
    LockRequest(
      owner: .daemon, purpose: .lock(mode), isPersistent: true, label: "an earlier life of clvmd")
  }

  mutating func adoptionEnded(
    _ address: ResourceAddress, _ result: LockDaemonResult, _ holder: NodeID?
  ) {
    guard var lock = adoptions[address] else { return }
    let name = "LV \(lock.lvUUID) of VG \(lock.vg)"
    if result == .success || result == .alreadyHeld {
      adoptions[address] = nil
      log(.info, "\(name) is active and locked \(lock.mode.rawValue) again")
    } else if result == .heldElsewhere, lock.mode == .exclusive {
      // Protected against an exclusive user at least.
      log(.error, "\(name) is active here, but its exclusive lock went to another node; taking sh")
      lock.mode = .shared
      adoptions[address] = lock
      deliver(adoption(.shared), to: address)
    } else {
      adoptions[address] = nil
      let reason = holder.map { "node \($0) holds it exclusively" } ?? "result \(result)"
      log(.error, "\(name) is active here without a lock: \(reason)")
      effects.append(.adoptionFailed(lock, reason: reason))
    }
  }

  /// Keeps the record of persistent locks in step.
  mutating func record(_ mode: LockMode?, by processID: Int32, at address: ResourceAddress) {
    guard case .logicalVolume(let uuid) = address.resource,
      let lockspace = lockspaces[address.lockspace], let vg = lockspace.vg
    else { return }
    if mode == nil { adoptions[address] = nil }
    let lock = PersistentLock(
      vg: vg, vgUUID: lockspace.vgUUID, lockArguments: lockspace.lockArguments, lvUUID: uuid,
      mode: mode ?? .exclusive, processID: processID)
    effects.append(mode == nil ? .forget(lock) : .persist(lock))
  }
}
