import LVMMetadata
import VolumeCommands

/// vgcreate, vgextend, vgreduce and vgremove.
extension OfflineSession {
  func run(_ command: CreateGroupCommand) throws(CommandStop) {
    try underLock(ofGroups: command.group) { () throws(CommandStop) in try create(command) }
  }

  private func create(_ command: CreateGroupCommand) throws(CommandStop) {
    guard scan.groups(named: command.group).isEmpty else {
      throw CommandStop("A volume group called \(command.group) already exists.")
    }
    let group: VolumeGroup
    do {
      group = try command.newGroup(id: makeIdentifier(), settings)
    } catch {
      throw CommandStop(error)
    }
    // Before its first version a group has no members: all come as new ones.
    let current = ScannedVolumeGroup(unwritten: group)
    try add(command.devices, command.options, to: current)
    let owner = group.systemID.map { " with system ID \($0)" } ?? ""
    output("Volume group \"\(command.group)\" successfully created\(owner)")
  }

  func run(_ command: ExtendGroupCommand) throws(CommandStop) {
    try underLock(ofGroups: command.group) { () throws(CommandStop) in
      if command.restoresMissing { return try restoreMissing(command) }
      try extend(command)
    }
  }

  private func extend(_ command: ExtendGroupCommand) throws(CommandStop) {
    let current = try group(named: command.group)
    showWarnings(of: current)
    try checkComplete(current)
    guard current.volumeGroup.status.contains(.resizeable) else {
      throw CommandStop("Volume group \(command.group) is not resizeable.")
    }
    try add(command.devices, command.options, to: current)
    output("Volume group \"\(command.group)\" successfully extended")
  }

  /// Adds devices, which become PVs if they are none, and commits.
  private func add(
    _ devices: [String], _ options: PhysicalVolumeOptions, to current: ScannedVolumeGroup
  ) throws(CommandStop) {
    if current.volumeGroup.seqno > 0 {
      do throws(VolumeGroupRefusal) {
        try current.volumeGroup.checkChangeable()
      } catch {
        throw CommandStop(error)
      }
    }
    var seen: Set<String> = []
    var used: [String] = []
    for device in devices {
      guard let disk = disk(device) else { throw CommandStop("No device found for \(device).") }
      guard seen.insert(disk.device.name).inserted else {
        throw CommandStop("Duplicate of device \(device) on the command line.")
      }
      guard let volume = physicalVolume(on: disk), let owner = group(of: volume.label.id) else {
        continue
      }
      used += [
        "Physical volume '\(device)' is already in volume group '\(owner.volumeGroup.name)'",
        "Unable to add physical volume '\(device)' to volume group '\(owner.volumeGroup.name)'",
        "\(device): physical volume not initialized.",
      ]
    }
    guard used.isEmpty else { throw CommandStop(messages: used) }
    var group = current.volumeGroup
    var extended = current
    var labels: [(Disk, PhysicalVolumeLabel)] = []
    var ignored: Set<LVMIdentifier> = []
    if options.ignoresAreas, group.metadataCopies ?? 0 != 0 {
      let question =
        "Override preferred number of copies of VG \(group.name) metadata? [y/n]: "
      guard options.isForced || confirm(question) else {
        throw CommandStop("Volume group \(group.name) not changed")
      }
      group.metadataCopies = 0
    }
    for device in devices {
      guard let disk = disk(device) else { continue }
      let volume = physicalVolume(on: disk)
      if volume == nil || volume?.label.isUsed == true {
        try createPhysicalVolume(device, options)
      }
      guard var label = physicalVolume(on: disk)?.label ?? testLabel(disk, options) else {
        throw CommandStop("\(device): physical volume not initialized.")
      }
      label.isUsed = true
      do {
        try group.addPhysicalVolume(label, device: disk.device.name)
      } catch {
        throw CommandStop(error)
      }
      labels.append((disk, label))
      // A PV whose areas are not to be used keeps them so.
      let areas = physicalVolume(on: disk)?.areas ?? []
      if areas.contains(where: { $0.header?.isIgnored == true }) || options.ignoresAreas {
        ignored.insert(label.id)
      }
      let scanned = ScannedPhysicalVolume(
        new: label, on: disk.device, ignoresAreas: ignored.contains(label.id))
      extended.members.append(.init(id: label.id, state: .present(scanned)))
    }
    guard !isTest else { return }
    try archive(current.volumeGroup)
    for (disk, label) in labels {
      do {
        try PhysicalVolumeWriter.create(
          label, on: disk.device, ignoresAreas: ignored.contains(label.id))
      } catch {
        throw CommandStop("\(error)")
      }
    }
    do throws(CommandStop) {
      try write(group, from: extended)
    } catch {
      // Nobody's PVs again.
      for (disk, label) in labels {
        var label = label
        label.isUsed = false
        try writeLabel(label, on: disk)
      }
      throw error
    }
    try backup(group, replacing: group)
    rescan()
  }

  /// What a device's label would be, when nothing may be written.
  private func testLabel(
    _ disk: Disk, _ options: PhysicalVolumeOptions
  ) -> PhysicalVolumeLabel? {
    guard isTest else { return nil }
    let layout = try? PhysicalVolumeLayout(
      deviceSizeSectors: disk.device.sizeBytes / 512,
      options.completed(by: settings.metadata).layout)
    return layout?.label(id: makeIdentifier(), isUsed: false)
  }

  // MARK: - Leaving

  func run(_ command: ReduceGroupCommand) throws(CommandStop) -> Int32 {
    try underLock(ofGroups: command.group) { () throws(CommandStop) in
      command.removesMissing ? try removeMissing(command) : try reduce(command)
    }
  }

  private func reduce(_ command: ReduceGroupCommand) throws(CommandStop) -> Int32 {
    var status: Int32 = 0
    let first = try group(named: command.group)
    showWarnings(of: first)
    let devices =
      command.devices ?? first.members.map { deviceName(of: $0.id) }
    for device in devices {
      do throws(CommandStop) {
        try reduce(command.group, device)
      } catch {
        for line in error.messages { self.error(line) }
        status = error.status
      }
    }
    return status
  }

  private func reduce(_ name: String, _ device: String) throws(CommandStop) {
    let current = try group(named: name)
    try checkComplete(current)
    guard let disk = disk(device) else {
      throw CommandStop("Cannot use \(device): device not found")
    }
    guard let volume = physicalVolume(on: disk),
      current.volumeGroup.physicalVolume(id: volume.label.id) != nil
    else { throw CommandStop("Failed to find physical volume \"\(device)\".") }
    var group = current.volumeGroup
    do throws(VolumeGroupRefusal) {
      try group.checkChangeable()
      guard group.status.contains(.resizeable) else {
        throw VolumeGroupRefusal("Volume group \(name) is not resizeable.")
      }
      try group.removePhysicalVolume(volume.label.id, device: device)
    } catch {
      throw CommandStop(error)
    }
    if !isTest {
      try archive(current.volumeGroup)
      try write(group, from: current)
      try release(volume, disk)
      try backup(group, replacing: current.volumeGroup)
      rescan()
    }
    output("Removed \"\(device)\" from volume group \"\(name)\"")
  }

  /// After the commit that left a PV out: its areas point nowhere, and its label says so.
  func release(_ volume: ScannedPhysicalVolume, _ disk: Disk) throws(CommandStop) {
    do {
      try PhysicalVolumeWriter.clearAreas(of: volume)
    } catch {
      throw CommandStop("\(error)")
    }
    var label = volume.label
    label.isUsed = false
    try writeLabel(label, on: disk)
  }

  func run(_ command: RemoveGroupCommand) -> Int32 {
    var status: Int32 = 0
    let meant = scan.groups.map(\.volumeGroup).filter { command.isAbout($0) && isSelected($0.id) }
    for name in command.groups?.filter({ name in
      meant.contains { $0.name == name } || scan.groups(named: name).isEmpty
    }) ?? meant.map(\.name).sorted() {
      let result = reporting { () throws(CommandStop) in
        try underLock(ofGroups: name) { () throws(CommandStop) in
          try remove(name, isForced: command.isForced)
          return 0
        }
      }
      if result != 0 { status = result }
    }
    return status
  }

  private func remove(_ name: String, isForced: Bool) throws(CommandStop) {
    let current = try group(named: name)
    let group = current.volumeGroup
    let count = group.logicalVolumes.filter(\.isVisible).count
    guard current.missingPhysicalVolumes.isEmpty else {
      throw CommandStop(
        "Volume group \"\(name)\" has missing physical volumes: use vgreduce "
          + "--removemissing first.")
    }
    if count > 0 {
      let question =
        "Do you really want to remove volume group \"\(name)\" containing \(count) logical "
        + "volumes? [y/n]: "
      guard isForced || confirm(question) else {
        throw CommandStop("Volume group \"\(name)\" not removed")
      }
      var edit = GroupEdit(group, context: context)
      do throws(VolumeGroupRefusal) {
        try edit.remove(nil, isForced: true)
      } catch {
        throw CommandStop(error)
      }
      if !isTest { try commit(edit, from: current) }
      show(edit.messages)
      if isTest { return output("Volume group \"\(name)\" successfully removed") }
      rescan()
    }
    let emptied = try self.group(named: name)
    guard isTest || emptied.volumeGroup.logicalVolumes.isEmpty else {
      throw CommandStop(
        "Volume group \"\(name)\" still contains \(emptied.volumeGroup.logicalVolumes.count) "
          + "logical volume(s)")
    }
    if !isTest {
      if count == 0 { try archive(group) }
      for member in emptied.members {
        guard let volume = member.scanned,
          let disk = disks.first(where: { $0.device === volume.device })
        else { continue }
        try release(volume, disk)
      }
      if writesBackups { backups.removeBackup(of: name) }
      rescan()
    }
    output("Volume group \"\(name)\" successfully removed")
  }
}
