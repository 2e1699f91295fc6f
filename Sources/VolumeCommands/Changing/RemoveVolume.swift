import ConfigText
import LVMMetadata

/// lvremove (lvm2-metadata 12).
extension GroupEdit {
  /// Removes the LVs named, or all that users see, with everything that depends on them.
  public mutating func remove(
    _ names: [String]?, isForced: Bool
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    // LVM begins with thin pools.
    let pools = group.logicalVolumes.filter { $0.segments.first?.baseType == "thin-pool" }
    let all = pools.reversed().map(\.name) + group.logicalVolumes.map(\.name)
    for name in names ?? all {
      guard let volume = group.logicalVolume(named: name) else {
        // Gone with one before it.
        if names == nil { continue }
        throw VolumeGroupRefusal("Failed to find logical volume \"\(group.name)/\(name)\"")
      }
      let isStore = group.snapshotBinding(ofStore: name) != nil
      guard volume.isVisible || isStore, volume.segments.first?.baseType != "snapshot" else {
        if names == nil { continue }
        try refuseInternal(volume)
        continue
      }
      try removeWithDependents(volume, isForced: isForced, isDependent: false)
    }
  }

  private func refuseInternal(_ volume: LogicalVolume) throws(VolumeGroupRefusal) {
    let path = "\(group.name)/\(volume.name)"
    guard volume.segments.first?.baseType != "snapshot" else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(path)\"")
    }
    guard
      let user = group.logicalVolumes.first(where: {
        $0.referencedNames.contains(volume.name)
      })
    else {
      throw VolumeGroupRefusal("Can't remove internal logical volume \(path).")
    }
    let use =
      user.segments.contains { $0.raidType != nil }
      ? "used as RAID device"
      : user.segments.first?.baseType == "mirror"
        ? "used by a mirror" : "used by \(user.name)"
    throw VolumeGroupRefusal("Can't remove logical volume \(path) \(use).")
  }

  private mutating func removeWithDependents(
    _ volume: LogicalVolume, isForced: Bool, isDependent: Bool
  ) throws(VolumeGroupRefusal) {
    let path = "\(group.name)/\(volume.name)"
    let snapshots = group.snapshotBindings(ofOrigin: volume.name).compactMap {
      $0.segments.first?.volumeName("cow_store") ?? $0.segments.first?.volumeName("merging_store")
    }
    if !snapshots.isEmpty, context.isActive(volume.id) {
      let question =
        "Do you really want to remove active origin logical volume \(path) with "
        + "\(snapshots.count) snapshot(s)? [y/n]: "
      guard isForced || context.confirm(question) else {
        throw VolumeGroupRefusal("Logical volume \(path) not removed.")
      }
    }
    let dependents = group.logicalVolumes.filter { user in
      ["thin_pool", "external_origin"].contains {
        user.segments.first?.volumeName($0) == volume.name
      }
    }.map(\.name)
    if !dependents.isEmpty {
      let kind = volume.segments.first?.baseType == "thin-pool" ? "pool" : "external origin"
      let question =
        "Removing \(kind) \(path) will remove \(dependents.count) dependent volume(s). "
        + "Proceed? [y/n]: "
      guard isForced || context.confirm(question) else {
        throw VolumeGroupRefusal("Logical volume \(path) not removed.")
      }
    }
    for name in snapshots + dependents {
      guard let dependent = group.logicalVolume(named: name) else { continue }
      try removeWithDependents(dependent, isForced: true, isDependent: true)
    }
    guard !volume.status.contains(.locked), !volume.status.contains(.pvmove) else {
      throw VolumeGroupRefusal("Can't remove locked logical volume \(path).")
    }
    if context.isActive(volume.id) {
      guard
        isForced
          || context.confirm("Do you really want to remove active logical volume \(path)? [y/n]: ")
      else { throw VolumeGroupRefusal("Logical volume \(path) not removed.") }
    }
    try removeOne(volume, poolGoesToo: isDependent)
    print("Logical volume \"\(volume.name)\" successfully removed.")
  }

  /// The LV with all that it alone is built of.
  private mutating func removeOne(
    _ volume: LogicalVolume, poolGoesToo: Bool
  ) throws(VolumeGroupRefusal) {
    deactivations.append(volume.name)
    if volume.segments.first?.baseType == "thin" { try releaseThin(volume) }
    if let binding = group.snapshotBinding(ofStore: volume.name) {
      if let origin = binding.segments.first?.volumeName("origin") {
        if origin.hasSuffix("_vorigin") { drop(origin) } else { noteReload(of: origin) }
      }
      drop(binding.name)
    }
    var parts = [volume.name]
    while let name = parts.popLast() {
      guard let part = group.logicalVolume(named: name) else { continue }
      drop(name)
      // Hidden LVs have one user; pools, origins and the like are LVs in their own right.
      parts += part.referencedNames.filter { below in
        group.logicalVolume(named: below)?.isVisible == false
          && group.snapshotBinding(ofStore: below) == nil
      }.sorted()
    }
    removeSpareWithoutPool()
  }

  private mutating func drop(_ name: String) {
    group.logicalVolumes.removeAll { $0.name == name }
  }

  private mutating func noteReload(of name: String) {
    guard let volume = group.logicalVolume(named: name), context.isActive(volume.id),
      !reloads.contains(name)
    else { return }
    reloads.append(name)
  }

  /// Tells the pool to forget a thin volume; one that it has not been told of yet, it never hears of.
  private mutating func releaseThin(_ volume: LogicalVolume) throws(VolumeGroupRefusal) {
    guard case .other(_, let section)? = volume.segments.first?.kind,
      let pool = section.string("thin_pool"), let device = section.integer("device_id")
    else { return }
    guard let poolVolume = group.logicalVolume(named: pool),
      case .other(_, let poolSection)? = poolVolume.segments.first?.kind
    else {
      throw VolumeGroupRefusal("Thin pool \(group.name)/\(pool) of \(volume.name) is missing.")
    }
    let queued = poolSection.entries.compactMap { entry -> ConfigSection? in
      guard entry.name.hasPrefix("message"), case .section(let message) = entry.content else {
        return nil
      }
      return message
    }
    if queued.contains(where: { $0.string("create") == volume.name }) {
      let rest = queued.filter { $0.string("create") != volume.name }
      update(pool) { $0.segments[0].edit { Self.replaceMessages(in: &$0, with: rest) } }
    } else {
      var message = ConfigSection()
      message.append("delete", number: device)
      addPoolMessage(message, to: pool)
    }
  }

  private static func replaceMessages(
    in section: inout ConfigSection, with messages: [ConfigSection]
  ) {
    section.entries.removeAll { $0.name.hasPrefix("message") }
    for (index, message) in messages.enumerated() { section.append("message\(index + 1)", message) }
    if messages.isEmpty, let transaction = section.integer("transaction_id") {
      section.set("transaction_id", .integer(transaction - 1))
    }
  }

  mutating func removeSpareWithoutPool() {
    let hasPool = group.logicalVolumes.contains { volume in
      ["thin-pool", "cache-pool"].contains(volume.segments.first?.baseType ?? "")
    }
    guard !hasPool else { return }
    group.logicalVolumes.removeAll(where: \.isPoolSpare)
  }
}
