import LVMMetadata

extension RowBuilder {
  /// The physical volumes of a group as its text lists them.
  static func members(of facts: GroupFacts) -> [ReportedPhysicalVolume] {
    zip(facts.group.physicalVolumes, facts.members).enumerated().map { index, pair in
      ReportedPhysicalVolume(
        scanned: facts.device(of: pair.1), described: pair.0, index: index,
        isMissing: facts.missing.contains(pair.0.id))
    }
  }

  mutating func addPhysical(_ volume: ReportedPhysicalVolume, _ facts: GroupFacts) {
    guard subject == .physicalSegments else {
      let row = row(facts)
      row.physicalVolume = volume
      result.rows.append(row)
      return
    }
    let segments = volume.index.map { facts.physicalSegments[$0] } ?? []
    if segments.isEmpty {
      let nowhere = GroupFacts.none
      nowhere.hasFormat = false
      let row = row(nowhere)
      row.physicalVolume = volume
      row.volume = .free
      row.physicalSegment = PhysicalSegment(firstExtent: 0, extentCount: 0, user: nil)
      result.rows.append(row)
    }
    for segment in segments {
      let row = row(facts)
      row.physicalVolume = volume
      row.physicalSegment = segment
      row.volume = segment.user.map { .live($0.volume) } ?? .free
      row.segment = segment.user?.segment ?? 0
      result.rows.append(row)
    }
  }

  mutating func addLabels() {
    let duplicates = unusedDuplicates
    for (index, scanned) in source.scan.physicalVolumes.enumerated() {
      guard arguments.devices.isEmpty ? !duplicates.contains(index) : isNamed(scanned) else {
        continue
      }
      let row = row(.none)
      row.physicalVolume = ReportedPhysicalVolume(scanned: scanned)
      result.rows.append(row)
    }
    let known = Set(source.scan.physicalVolumes.map(\.device.name))
    for name in arguments.devices where !known.contains(name) {
      let isDevice = source.otherDevices.contains { $0.name == name }
      result.failures.append(
        isDevice
          ? "No physical volume label read from \(name)." : "Failed to find device \"\(name)\".")
    }
  }

  private func isNamed(_ scanned: ScannedPhysicalVolume) -> Bool {
    arguments.devices.contains(scanned.device.name)
  }

  mutating func addDevices() {
    var found: Set<String> = []
    for scanned in source.scan.groups {
      let facts = GroupFacts(scanned, in: source.scan)
      let isHidden = obstacle(facts.group) != nil
      for member in Self.members(of: facts) where isWanted(member) {
        found.insert(member.name)
        if !isHidden {
          addPhysical(member, facts)
        } else if arguments.devices.contains(member.name) {
          result.failures.append(
            "Cannot use PV \(member.name) in foreign VG \(facts.group.name).")
        }
      }
    }
    let duplicates = unusedDuplicates
    for index in source.scan.orphans where !duplicates.contains(index) {
      switch claim(index) {
      case .none: break
      case .outdated: continue
      case .unreadable:
        let device = source.scan.physicalVolumes[index].device.name
        result.failures.append("Cannot process the volume group of \(device)")
        continue
      }
      let orphan = ReportedPhysicalVolume(scanned: source.scan.physicalVolumes[index])
      guard isWanted(orphan) else { continue }
      found.insert(orphan.name)
      addPhysical(orphan, .none)
    }
    addDuplicates(duplicates, &found)
    if arguments.showsAll, arguments.isEmpty { addOtherDevices() }
    for name in arguments.devices where !found.contains(name) {
      let isDevice =
        source.otherDevices.contains { $0.name == name }
        || source.scan.physicalVolumes.contains { $0.device.name == name }
      result.failures.append(
        isDevice
          ? "Failed to find physical volume \"\(name)\"."
          : "Cannot use \(name): device not found")
    }
  }

  private func isWanted(_ volume: ReportedPhysicalVolume) -> Bool {
    arguments.isEmpty || arguments.devices.contains(volume.name)
      || arguments.tags.contains { volume.described?.tags.contains($0) == true }
  }

  /// What the metadata on a physical volume says that no group lists.
  private enum Claim {
    case none
    /// It was in a group that goes on without it.
    case outdated
    /// It is in a group whose metadata cannot be read.
    case unreadable
  }

  private func claim(_ index: Int) -> Claim {
    let scanned = source.scan.physicalVolumes[index]
    for area in scanned.areas {
      switch area.state {
      case .text: return .outdated
      case .damaged(_, .text) where scanned.label.isUsed: return .unreadable
      case .damaged, .empty, .ignored, .unusable: break
      }
    }
    return .none
  }

  /// Devices that carry the id of a physical volume for which another device was chosen.
  private var unusedDuplicates: Set<Int> {
    var names: [LVMIdentifier: String] = [:]
    for group in source.scan.groups {
      for case let scanned? in group.members.map(\.scanned) {
        names[scanned.label.id] = scanned.device.name
      }
    }
    var duplicates: Set<Int> = []
    for (index, scanned) in source.scan.physicalVolumes.enumerated() {
      let chosen = names[scanned.label.id]
      if chosen == nil {
        names[scanned.label.id] = scanned.device.name
      } else if chosen != scanned.device.name {
        duplicates.insert(index)
      }
    }
    return duplicates
  }

  private mutating func addDuplicates(_ duplicates: Set<Int>, _ found: inout Set<String>) {
    for index in duplicates.sorted() {
      let scanned = source.scan.physicalVolumes[index]
      guard
        arguments.devices.contains(scanned.device.name)
          || arguments.showsAll && arguments.isEmpty
      else { continue }
      found.insert(scanned.device.name)
      let duplicate = ReportedPhysicalVolume(scanned: scanned, isUnusedDuplicate: true)
      var facts = GroupFacts.none
      for group in source.scan.groups {
        guard
          let position = group.volumeGroup.physicalVolumes.firstIndex(where: {
            $0.id == scanned.label.id
          })
        else { continue }
        facts = GroupFacts(group, in: source.scan)
        duplicate.described = group.volumeGroup.physicalVolumes[position]
        duplicate.index = position
      }
      addPhysical(duplicate, facts)
    }
  }

  private mutating func addOtherDevices() {
    for device in source.otherDevices {
      addPhysical(ReportedPhysicalVolume(otherDevice: device), .none)
    }
  }
}

extension RowBuilder {
  /// The physical volumes that belong to no group.
  static func orphanRows(_ report: Report, _ source: ReportSource) -> [ReportRow] {
    var builder = RowBuilder(source, ReportArguments(), report.rowSubject)
    for index in source.scan.orphans {
      builder.addPhysical(
        ReportedPhysicalVolume(scanned: source.scan.physicalVolumes[index]), .none)
    }
    return builder.result.rows
  }
}
