import BlockDevices
import LVMMetadata
import VolumeCommands

/// pvcreate, pvremove, pvresize and pvchange.
extension OfflineSession {
  func run(_ command: CreatePhysicalVolumesCommand) throws(CommandStop) {
    try forEach(command.devices) { name throws(CommandStop) in
      try createPhysicalVolume(name, command.options)
    }
  }

  /// Does the same to each device; one that is refused does not keep the others from it.
  private func forEach(
    _ devices: [String], _ body: (String) throws(CommandStop) -> Void
  ) throws(CommandStop) {
    var status: Int32 = 0
    for name in devices where disk(name) == nil {
      error("No device found for \(name).")
      status = CommandStop.failed
    }
    for name in devices where disk(name) != nil {
      do throws(CommandStop) {
        try body(name)
      } catch {
        for line in error.messages { self.error(line) }
        status = error.status
      }
    }
    guard status == 0 else { throw CommandStop(messages: [], status: status) }
  }

  /// Makes a device a PV of no group.
  @discardableResult
  func createPhysicalVolume(
    _ name: String, _ options: PhysicalVolumeOptions
  ) throws(CommandStop) -> PhysicalVolumeLabel? {
    guard let disk = disk(name) else { throw CommandStop("No device found for \(name).") }
    if let volume = physicalVolume(on: disk) {
      if let group = group(of: volume.label.id) {
        guard options.forceCount > 1 else {
          throw CommandStop(
            "Can't initialize physical volume \"\(name)\" of volume group "
              + "\"\(group.volumeGroup.name)\" without -ff",
            "\(name): physical volume not initialized.")
        }
        let question =
          "Really INITIALIZE physical volume \"\(name)\" of volume group "
          + "\"\(group.volumeGroup.name)\" [y/n]? "
        guard options.answersYes || confirm(question) else {
          throw CommandStop("\(name): physical volume not initialized.")
        }
      } else if volume.label.isUsed, options.forceCount < 2 {
        throw CommandStop(
          "PV \(name) is marked as belonging to a VG but its metadata is missing.",
          "\(name): physical volume not initialized.")
      }
    }
    let layout: PhysicalVolumeLayout
    do throws(VolumeGroupRefusal) {
      layout = try PhysicalVolumeLayout(
        deviceSizeSectors: disk.device.sizeBytes / 512,
        options.completed(by: settings.metadata).layout)
    } catch {
      throw CommandStop("\(name): \(error.message)", "\(name): physical volume not initialized.")
    }
    if let size = options.layout.deviceSize, size != disk.device.sizeBytes / 512 {
      error(
        "WARNING: \(name): Overriding real size \(disk.device.sizeBytes / 512) sectors with "
          + "\(size).")
    }
    if physicalVolume(on: disk) == nil { try clearSignatures(disk, options) }
    let id = options.identifier ?? makeIdentifier()
    guard !scan.physicalVolumes.contains(where: { $0.label.id == id }) else {
      throw CommandStop("uuid \(id.dashed) already in use.")
    }
    let label = layout.label(id: id, isUsed: false, sector: options.labelSector)
    if !isTest {
      do {
        try PhysicalVolumeWriter.create(
          label, on: disk.device, ignoresAreas: options.ignoresAreas,
          zeroesStart: options.zeroesStart)
      } catch {
        throw CommandStop("\(error)", "\(name): physical volume not initialized.")
      }
      rescan()
    }
    output("Physical volume \"\(name)\" successfully created.")
    return label
  }

  func run(_ command: RemovePhysicalVolumesCommand) throws(CommandStop) {
    try forEach(command.devices) { name throws(CommandStop) in
      guard let disk = disk(name), let volume = physicalVolume(on: disk) else {
        throw CommandStop("No PV found on device \(name).")
      }
      let group = group(of: volume.label.id)
      guard (group == nil && !volume.label.isUsed) || command.forceCount > 1 else {
        let use =
          group.map {
            "PV \(name) is used by VG \($0.volumeGroup.name) so please use vgreduce first."
          }
          ?? "PV \(name) is used by a VG but its metadata is missing."
        throw CommandStop(
          use, "(If you are certain you need pvremove, then confirm by using --force twice.)",
          "\(name): physical volume label not removed.")
      }
      if !isTest {
        do {
          try PhysicalVolumeWriter.removeLabel(from: disk.device)
        } catch {
          throw CommandStop("\(error)", "\(name): physical volume label not removed.")
        }
        rescan()
      }
      output("Labels on physical volume \"\(name)\" successfully wiped.")
    }
  }

  // MARK: - pvresize

  func run(_ command: ResizePhysicalVolumesCommand) -> Int32 {
    var done = 0
    var failed = 0
    var isMissing = false
    for name in command.devices {
      guard let known = disk(name) else {
        error("Cannot use \(name): device not found")
        isMissing = true
        continue
      }
      guard physicalVolume(on: known) != nil else {
        error("Failed to find physical volume \"\(name)\".")
        isMissing = true
        continue
      }
      do throws(CommandStop) {
        try underLock(ofGroupOn: name) { () throws(CommandStop) in try resize(name, command) }
        done += 1
      } catch {
        for line in error.messages { self.error(line) }
        failed += 1
      }
    }
    output(
      "\(done) physical volume(s) resized or updated / \(failed) physical volume(s) not resized")
    return failed == 0 && !isMissing ? 0 : CommandStop.failed
  }

  private func resize(
    _ name: String, _ command: ResizePhysicalVolumesCommand
  ) throws(CommandStop) {
    guard let disk = disk(name), let volume = physicalVolume(on: disk) else {
      throw CommandStop("Failed to find physical volume \"\(name)\".")
    }
    let real = disk.device.sizeBytes / 512
    let size = command.sizeSectors.flatMap { $0 == 0 ? nil : $0 } ?? real
    if size != real {
      let relation = size < real ? "is less than" : "exceeds"
      let question =
        "\(name): Requested size \(DisplayUnit.message(sectors: size)) \(relation) real size "
        + "\(DisplayUnit.message(sectors: real)). Proceed?  [y/n]: "
      guard command.answersYes || confirm(question) else {
        throw CommandStop("Physical Volume \(name) not resized.")
      }
      error("WARNING: \(name): Pretending size is \(size) not \(real) sectors.")
    }
    var label = volume.label
    let start = label.extentStartSectors ?? 0
    let end = label.endArea
    let reserved = end.map { label.metadataAreas[$0].size / 512 } ?? 0
    guard start > 0, size >= start, size - start >= reserved else {
      throw CommandStop("\(name): \(size) sectors leave no room for extents.")
    }
    label.deviceSizeBytes = size * 512
    if let end { label.metadataAreas[end].offset = (size - reserved) * 512 }
    if let scanned = group(of: label.id) {
      let current = try group(named: scanned.volumeGroup.name)
      var edit = GroupEdit(current.volumeGroup, context: context)
      guard let index = edit.group.physicalVolumes.firstIndex(where: { $0.id == label.id }) else {
        return
      }
      let count = label.extentCount(extentSizeSectors: edit.group.extentSizeSectors)
      try check(count, edit.group, index, name)
      edit.group.physicalVolumes[index].extentCount = count
      // What is before the first extent, and the area at the end, LVM does not count here.
      edit.group.physicalVolumes[index].deviceSizeSectors = size - start - reserved
      if end != nil { label.deviceSizeBytes = (size - start - reserved) * 512 }
      if !isTest {
        try writeLabel(label, movingEndAreaOf: volume, in: current, on: disk)
        if end != nil { rescan() }
        try commit(edit, from: try group(named: current.volumeGroup.name))
      }
    } else if !isTest {
      try writeLabel(label, movingEndAreaOf: volume, in: nil, on: disk)
    }
    if !isTest { rescan() }
    output("Physical volume \"\(name)\" changed")
  }

  /// Throws unless a PV of the group can have `count` extents.
  private func check(
    _ count: Int, _ group: VolumeGroup, _ index: Int, _ name: String
  ) throws(CommandStop) {
    guard count > 0 else {
      throw CommandStop(
        "Size must leave space for at least one physical extent of \(group.extentSizeSectors) "
          + "sectors on PV \(name).")
    }
    let used = group.usedAreasByPhysicalVolume()[index]
    let usedCount = used.reduce(0) { $0 + $1.extents.count }
    guard count >= usedCount else {
      throw CommandStop(
        "\(name): cannot resize to \(count) extents as \(usedCount) are allocated.")
    }
    guard count >= used.last?.extents.upperBound ?? 0 else {
      throw CommandStop(
        "\(name): cannot resize to \(count) extents as later ones are allocated.")
    }
  }

  /// Replaces the label of a PV. A metadata area at the end goes to where the new label has it, and
  /// is a whole one at any time.
  private func writeLabel(
    _ label: PhysicalVolumeLabel, movingEndAreaOf volume: ScannedPhysicalVolume,
    in group: ScannedVolumeGroup?, on disk: Disk
  ) throws(CommandStop) {
    if let end = label.endArea, volume.areas.indices.contains(end),
      volume.areas[end].area != label.metadataAreas[end]
    {
      let (old, new) = (volume.areas[end], label.metadataAreas[end])
      // Over itself it goes only where the group's metadata is found elsewhere, too.
      let isAlone = group.map { $0.areasWithText <= 1 } ?? false
      guard
        !isAlone || old.area.offset + old.area.size <= new.offset
          || new.offset + new.size <= old.area.offset
      else {
        throw CommandStop(
          "\(disk.device.name): the only metadata area of VG \(group?.volumeGroup.name ?? "") "
            + "would be moved over itself: choose a size that differs by the area's "
            + "\(DisplayUnit.message(sectors: new.size / 512)) or more.")
      }
      do {
        try PhysicalVolumeWriter.copy(old, to: new, on: disk.device)
      } catch {
        throw CommandStop(
          "\(disk.device.name): the metadata area at the end cannot be moved: \(error).")
      }
    }
    try writeLabel(label, on: disk)
  }

  func writeLabel(_ label: PhysicalVolumeLabel, on disk: Disk) throws(CommandStop) {
    do {
      try PhysicalVolumeWriter.write(label, on: disk.device)
    } catch {
      throw CommandStop("\(error)")
    }
  }

  // MARK: - pvchange

  /// By name, those that tags and `--select` mean among them.
  private func devices(of command: ChangePhysicalVolumesCommand) -> [String] {
    let found = scan.physicalVolumes.filter { volume in
      guard isSelected(volume.label.id) else { return false }
      if command.isAboutAll { return true }
      guard let group = group(of: volume.label.id)?.volumeGroup,
        let known = group.physicalVolume(id: volume.label.id)
      else { return false }
      return command.tags.contains { known.tags.contains($0) || group.tags.contains($0) }
    }.map(\.device.name)
    let named = command.devices.filter { name in
      guard let id = disk(name).flatMap({ physicalVolume(on: $0) })?.label.id else { return true }
      return isSelected(id)
    }
    return named + found.filter { !named.contains($0) }
  }

  func run(_ command: ChangePhysicalVolumesCommand) -> Int32 {
    var changed = 0
    var failed = 0
    var status: Int32 = 0
    for name in devices(of: command) {
      do throws(CommandStop) {
        guard let disk = disk(name) else {
          throw CommandStop("Cannot use \(name): device not found")
        }
        guard physicalVolume(on: disk) != nil else {
          throw CommandStop("Failed to find physical volume \"\(name)\".")
        }
        do throws(CommandStop) {
          let isChanged = try underLock(ofGroupOn: name) { () throws(CommandStop) in
            guard let volume = physicalVolume(on: disk) else {
              throw CommandStop("Failed to find physical volume \"\(name)\".")
            }
            if try isUnchanged(volume, command, name) { return false }
            try change(volume, on: disk, command)
            return true
          }
          if isChanged { changed += 1 } else { failed += 1 }
        } catch {
          failed += 1
          throw error
        }
      } catch {
        for line in error.messages { self.error(line) }
        status = error.status
      }
    }
    output(
      "\(changed) physical volume\(changed == 1 ? "" : "s") changed / \(failed) physical "
        + "volume\(failed == 1 ? "" : "s") not changed")
    return status
  }

  /// LVM takes `-x` with what is so already for no failure.
  private func isUnchanged(
    _ volume: ScannedPhysicalVolume, _ command: ChangePhysicalVolumesCommand, _ name: String
  ) throws(CommandStop) -> Bool {
    guard let isAllocatable = command.isAllocatable,
      let known = group(of: volume.label.id)?.volumeGroup.physicalVolume(id: volume.label.id),
      known.isAllocatable == isAllocatable
    else { return false }
    error(
      "Physical volume \"\(name)\" is already \(isAllocatable ? "" : "un")allocatable.")
    output("Physical volume \(name) not changed")
    return true
  }

  private func change(
    _ volume: ScannedPhysicalVolume, on disk: Disk, _ command: ChangePhysicalVolumesCommand
  ) throws(CommandStop) {
    let name = disk.device.name
    var label = volume.label
    if command.getsNewIdentifier { label.id = makeIdentifier() }
    guard let scanned = group(of: volume.label.id) else {
      guard command.addedTags.isEmpty, command.removedTags.isEmpty else {
        throw CommandStop(
          "Can't change tag on Physical Volume \(name) not in volume group",
          "Physical volume \(name) not changed")
      }
      guard command.isAllocatable == nil else {
        throw CommandStop(
          "Allocatability not supported by orphan lvm2 format PV \(name)",
          "Physical volume \(name) not changed")
      }
      if let ignored = command.ignoresAreas {
        try change(volume, on: disk, ignoresAreas: ignored)
      }
      if command.getsNewIdentifier, !isTest {
        try writeLabel(label, on: disk)
        rescan()
      }
      return output("Physical volume \"\(name)\" changed")
    }
    let current = try group(named: scanned.volumeGroup.name)
    var edit = GroupEdit(current.volumeGroup, context: context)
    do throws(VolumeGroupRefusal) {
      try edit.changePhysicalVolume(volume.label.id, name: name, command, newID: label.id)
    } catch {
      throw CommandStop(error)
    }
    if let ignored = command.ignoresAreas {
      try choose(ignored, volume, in: current, command, &edit)
    }
    if !isTest, edit.group != current.volumeGroup || !edit.areaUse.isEmpty {
      try commitChange(edit, from: current, label, of: volume, on: disk)
      rescan()
    }
    output("Physical volume \"\(name)\" changed")
  }

  /// Lets the areas of a PV of no group be ignored, or used.
  private func change(
    _ volume: ScannedPhysicalVolume, on disk: Disk, ignoresAreas: Bool
  ) throws(CommandStop) {
    try checkAreas(volume, willBeIgnored: ignoresAreas)
    guard !isTest else { return }
    do {
      for var header in volume.areas.compactMap(\.header) {
        header.isIgnored = ignoresAreas
        try PhysicalVolumeWriter.write(header, on: disk.device)
      }
    } catch {
      throw CommandStop("\(error)")
    }
    rescan()
  }

  private func checkAreas(
    _ volume: ScannedPhysicalVolume, willBeIgnored: Bool
  ) throws(CommandStop) {
    let name = volume.device.name
    let headers = volume.areas.compactMap(\.header)
    guard !headers.isEmpty else {
      throw CommandStop(
        "Physical volume \"\(name)\" has no metadata areas.",
        "Physical volume \(name) not changed")
    }
    guard headers.contains(where: { $0.isIgnored != willBeIgnored }) else {
      throw CommandStop(
        "Metadata areas on physical volume \"\(name)\" already "
          + "\(willBeIgnored ? "ignored" : "marked as in-use").",
        "Physical volume \(name) not changed")
    }
  }

  /// pvchange --metadataignore of a PV in a group.
  private func choose(
    _ ignoresAreas: Bool, _ volume: ScannedPhysicalVolume, in current: ScannedVolumeGroup,
    _ command: ChangePhysicalVolumesCommand, _ edit: inout GroupEdit
  ) throws(CommandStop) {
    let name = volume.device.name
    try checkAreas(volume, willBeIgnored: ignoresAreas)
    if edit.group.metadataCopies ?? 0 != 0 {
      let question =
        "Override preferred number of copies of VG \(edit.group.name) metadata? [y/n]: "
      guard command.isForced || confirm(question) else {
        throw CommandStop("Physical volume \(name) not changed")
      }
      edit.group.metadataCopies = 0
    }
    let othersUse = current.members.compactMap(\.scanned).contains { other in
      other.label.id != volume.label.id
        && other.areas.contains { $0.header?.isIgnored == false }
    }
    guard !ignoresAreas || othersUse else {
      throw CommandStop(
        "Cannot disable all metadata areas in volume group \(edit.group.name).",
        "Physical volume \(name) not changed")
    }
    edit.areaUse[volume.label.id] = !ignoresAreas
  }

  /// A PV with a new id is renamed in its label and in the text; the label first, so that a crash
  /// between the two leaves a PV that is missed, and whose id the backup tells.
  private func commitChange(
    _ edit: GroupEdit, from current: ScannedVolumeGroup, _ label: PhysicalVolumeLabel,
    of volume: ScannedPhysicalVolume, on disk: Disk
  ) throws(CommandStop) {
    guard label.id != volume.label.id else { return try commit(edit, from: current) }
    guard !current.volumeGroup.logicalVolumes.contains(where: { isActive($0.id) }) else {
      throw CommandStop(
        "Volume group \(current.volumeGroup.name) has active logical volumes")
    }
    try archive(current.volumeGroup)
    try writeLabel(label, on: disk)
    var renamed = current
    for index in renamed.members.indices where renamed.members[index].id == volume.label.id {
      var scanned = volume
      scanned.label = label
      renamed.members[index] = .init(id: label.id, state: .present(scanned))
    }
    do throws(CommandStop) {
      try write(edit.group, from: renamed)
    } catch {
      try writeLabel(volume.label, on: disk)
      throw error
    }
    try backup(edit.group, replacing: current.volumeGroup)
  }
}
