import LVMMetadata

extension VolumeDisplay {
  /// vgdisplay.
  ///
  /// - Parameters:
  ///   - activeOnly: `-A`.
  ///   - isVerbose: `-v`: with logical and physical volumes.
  public mutating func showVolumeGroups(
    _ style: Style, activeOnly: Bool = false, isVerbose: Bool = false,
    _ arguments: ReportArguments
  ) {
    for row in rows(.volumeGroups, arguments) {
      if activeOnly, !hasActiveVolumes(row.facts) { continue }
      switch style {
      case .colons: showColons(row.facts)
      case .short: showShort(row.facts)
      case .full, .maps:
        showFull(row.facts)
        if isVerbose { showContents(row.facts) }
      }
    }
  }

  private func hasActiveVolumes(_ facts: GroupFacts) -> Bool {
    guard case .known(let lookup) = source.states else { return false }
    return facts.graph.volumes.indices.contains { facts.isActive($0, lookup) }
  }

  private func visibleCount(_ facts: GroupFacts) -> Int {
    facts.graph.roles.count { $0.contains(.visible) }
  }

  private func openCount(_ facts: GroupFacts) -> Int {
    facts.graph.volumes.indices.count { index in
      facts.graph.roles[index].contains(.visible)
        && facts.status(index, segment: 0, source.states).device?.isOpen == true
    }
  }

  private mutating func showShort(_ facts: GroupFacts) {
    let all = facts.group.extentCount
    let used = Self.padded(size(facts, extents: all - facts.freeExtents), 9)
    line(
      "\"\(facts.group.name)\" \(Self.padded(size(facts, extents: all), 9)) [\(used) used / "
        + "\(size(facts, extents: facts.freeExtents)) free]")
  }

  private mutating func showColons(_ facts: GroupFacts) {
    let group = facts.group
    let kibibytes = group.extentSizeSectors / 2
    let access = (isReadable(group) ? "r" : "") + (group.isWritable ? "w" : "")
    let fields: [any CustomStringConvertible] = [
      group.name, access == "rw" ? "r/w" : access, statusBits(group), -1,
      group.logicalVolumeLimit, visibleCount(facts), openCount(facts), -1,
      group.physicalVolumeLimit, group.physicalVolumes.count,
      group.physicalVolumes.count - facts.missing.count,
      UInt64(group.extentCount) &* kibibytes, kibibytes, group.extentCount,
      group.extentCount - facts.freeExtents, facts.freeExtents, group.id.dashed,
    ]
    line(fields.map(\.description).joined(separator: ":"))
  }

  private func isReadable(_ group: VolumeGroup) -> Bool { group.status.contains(.read) }

  /// The flags as LVM 2.03 numbers them.
  private func statusBits(_ group: VolumeGroup) -> UInt64 {
    (group.isExported ? 0x2 : 0) | (group.status.contains(.resizeable) ? 0x4 : 0)
      | (group.flags.contains(.noAutoactivation) ? 0x10 : 0) | (isReadable(group) ? 0x100 : 0)
      | (group.isWritable ? 0x200 : 0) | (group.isClustered ? 0x400 : 0)
  }

  private mutating func showFull(_ facts: GroupFacts) {
    func field(_ label: String, _ value: String) { line(label, value, width: 22) }
    let group = facts.group
    let used = group.extentCount - facts.freeExtents
    let access = [isReadable(group) ? "read" : nil, group.isWritable ? "write" : nil]
      .compactMap { $0 }.joined(separator: "/")
    line("--- Volume group ---")
    field("VG Name", group.name)
    field("System ID", group.systemID ?? "")
    field("Format", "lvm2")
    field("Metadata Areas", "\(facts.areas.count)")
    field("Metadata Sequence No", "\(group.seqno)")
    field("VG Access", access.isEmpty ? "error" : access)
    field(
      "VG Status",
      (group.isExported ? "exported/" : "")
        + (group.status.contains(.resizeable) ? "" : "NOT ") + "resizable")
    if group.isClustered {
      field("Clustered", "yes")
      field("Shared", group.status.contains(.shared) ? "yes" : "no")
    }
    field("MAX LV", "\(group.logicalVolumeLimit)")
    field("Cur LV", "\(visibleCount(facts))")
    field("Open LV", "\(openCount(facts))")
    field("Max PV", "\(group.physicalVolumeLimit)")
    field("Cur PV", "\(group.physicalVolumes.count)")
    field("Act PV", "\(group.physicalVolumes.count - facts.missing.count)")
    field("VG Size", size(facts, extents: group.extentCount))
    field("PE Size", size(sectors: group.extentSizeSectors))
    field("Total PE", "\(group.extentCount)")
    field("Alloc PE / Size", "\(used) / \(size(facts, extents: used))")
    field("Free  PE / Size", "\(facts.freeExtents) / \(size(facts, extents: facts.freeExtents))")
    field("VG UUID", group.id.dashed)
    line(" ")
  }

  /// What `-v` adds.
  private mutating func showContents(_ facts: GroupFacts) {
    for index in facts.graph.volumes.indices
    where facts.graph.roles[index].contains(.visible) {
      showFull(ShownVolume(index, facts, source.states))
    }
    line("--- Physical volumes ---")
    for member in RowBuilder.members(of: facts) {
      showBriefly(ShownPhysicalVolume(member, facts))
    }
  }
}
