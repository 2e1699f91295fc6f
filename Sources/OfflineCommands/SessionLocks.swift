import LVMSystemDirectory

/// The locks that exclude LVM's commands on this host while one of ours is at work, in the order in
/// which LVM takes them. Under a new lock the disks are read anew.
extension OfflineSession {
  /// Runs `body` under the lock on which devices are PVs, and which names groups have.
  func underGlobalLock<Result>(
    _ access: HostLocks.Access, _ body: () throws(CommandStop) -> Result
  ) throws(CommandStop) -> Result {
    do {
      try locks.acquire(.global, access)
    } catch {
      throw CommandStop(messages: error.messages)
    }
    defer { locks.release(.global) }
    rescan()
    return try body()
  }

  /// Runs `body` under the lock of the group that has a PV; nobody else deals with one of no group.
  func underLock<Result>(
    ofGroupOn deviceName: String, _ body: () throws(CommandStop) -> Result
  ) throws(CommandStop) -> Result {
    guard let volume = disk(deviceName).flatMap({ physicalVolume(on: $0) }),
      let group = group(of: volume.label.id)
    else { return try body() }
    return try underLock(ofGroups: group.volumeGroup.name, body: body)
  }

  /// Runs `body` under the locks of groups, which need not exist yet.
  func underLock<Result>(
    ofGroups names: String..., body: () throws(CommandStop) -> Result
  ) throws(CommandStop) -> Result {
    // By name, as everybody does who takes more than one.
    let names = Set(names).sorted()
    defer { for name in names { locks.release(.volumeGroup(name)) } }
    for name in names {
      do {
        try locks.acquire(.volumeGroup(name), .exclusive)
      } catch {
        throw CommandStop(
          messages: error.messages + [
            "Can't get lock for \(name).", "Cannot process volume group \(name)",
          ])
      }
    }
    rescan()
    return try body()
  }
}
