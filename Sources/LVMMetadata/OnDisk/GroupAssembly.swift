/// Puts the texts found on many devices together into volume groups (lvm2-metadata 4).
struct GroupAssembly {
  private let volumes: [ScannedPhysicalVolume]

  /// A text and the PV it was found on.
  private struct Finding {
    let volumeIndex: Int
    let areaIndex: Int
    let text: MetadataText
    let location: TextLocation
  }

  init(scan: MetadataScan) { volumes = scan.physicalVolumes }

  func assemble(into scan: inout MetadataScan) {
    var order: [LVMIdentifier] = []
    var findings: [LVMIdentifier: [Finding]] = [:]
    for (volumeIndex, volume) in volumes.enumerated() {
      for (areaIndex, area) in volume.areas.enumerated() {
        guard case .text(_, let text, let location) = area.state else { continue }
        let id = text.volumeGroup.id
        if findings[id] == nil { order.append(id) }
        findings[id, default: []].append(
          Finding(
            volumeIndex: volumeIndex, areaIndex: areaIndex, text: text, location: location))
      }
    }
    // LVM puts each group that it meets before those it has met.
    for id in order.reversed() {
      guard let group = group(of: findings[id] ?? []) else { continue }
      scan.groups.append(group)
    }
    reportClaims(&scan)
    reportNames(&scan)
    scan.warnings += scan.groups.flatMap(\.warnings)
  }

  /// The newest version among `findings`; of equal ones that differ, the first found.
  private func group(of findings: [Finding]) -> ScannedVolumeGroup? {
    guard let first = findings.first else { return nil }
    var newest = first
    for finding in findings
    where finding.text.volumeGroup.seqno > newest.text.volumeGroup.seqno {
      newest = finding
    }
    var group = ScannedVolumeGroup(text: newest.text, location: newest.location, members: [])
    var rejected: [Int: [Int: MetadataAreaError]] = [:]
    for finding in findings { compare(finding, with: newest, &group, &rejected) }
    attachMembers(to: &group, rejected: rejected)
    reportOutdated(findings, &group)
    return group
  }

  private func deviceName(_ finding: Finding) -> String {
    volumes[finding.volumeIndex].device.name
  }

  private func compare(
    _ finding: Finding, with newest: Finding, _ group: inout ScannedVolumeGroup,
    _ rejected: inout [Int: [Int: MetadataAreaError]]
  ) {
    let seqno = finding.text.volumeGroup.seqno
    let newestSeqno = newest.text.volumeGroup.seqno
    if seqno < newestSeqno {
      group.warnings.append(
        .staleMetadata(
          device: deviceName(finding), seqno: seqno, newestDevice: deviceName(newest),
          newestSeqno: newestSeqno, group: group.volumeGroup.name))
    } else if finding.location.checksum != newest.location.checksum
      || finding.location.size != newest.location.size
    {
      let error = MetadataAreaError.differs(from: deviceName(newest))
      rejected[finding.volumeIndex, default: [:]][finding.areaIndex] = error
      let warning = MetadataWarning.unusableArea(
        device: deviceName(finding),
        offset: volumes[finding.volumeIndex].areas[finding.areaIndex].area.offset, error)
      group.warnings.append(warning)
      group.obstacles.append(warning)
    }
  }

  /// Finds the device of every PV in the text.
  private func attachMembers(
    to group: inout ScannedVolumeGroup, rejected: [Int: [Int: MetadataAreaError]]
  ) {
    let name = group.volumeGroup.name
    let usedEnds = group.volumeGroup.usedEndByPhysicalVolume()
    for (index, volume) in group.volumeGroup.physicalVolumes.enumerated() {
      guard let found = device(of: volume, &group) else {
        group.members.append(.init(id: volume.id, state: .missing))
        let warning = MetadataWarning.missingPhysicalVolume(
          id: volume.id, hint: volume.device, group: name)
        group.warnings.append(warning)
        group.obstacles.append(warning)
        continue
      }
      var scanned = volumes[found]
      for (areaIndex, error) in rejected[found] ?? [:] {
        scanned.areas[areaIndex].state = .unusable(error)
      }
      checkDevice(of: volume, scanned, usedEnds[index], &group)
      if volume.isMarkedMissing, usedEnds[index] > 0, scanned.hasAreaInUse {
        group.members.append(.init(id: volume.id, state: .returned(scanned)))
        let warning = MetadataWarning.returnedPhysicalVolume(
          device: scanned.device.name, id: volume.id, group: name)
        group.warnings.append(warning)
        group.obstacles.append(warning)
      } else {
        // Nothing of value was on it while it was away, or it has no metadata that could be
        // stale: LVM takes it as it is (lvm2-metadata 4).
        group.text.volumeGroup.physicalVolumes[index].flags.remove(.missing)
        group.text.volumeGroup.physicalVolumes[index].status.remove(.missing)
        group.members.append(.init(id: volume.id, state: .present(scanned)))
      }
    }
  }

  /// The index of the device that carries `volume`; among duplicates, as LVM chooses, the one that an
  /// active LV lies on, else one of the right size, else one that is a mapped device.
  private func device(of volume: PhysicalVolume, _ group: inout ScannedVolumeGroup) -> Int? {
    let candidates = volumes.indices.filter { volumes[$0].label.id == volume.id }
    guard candidates.count > 1 else { return candidates.first }
    func rank(_ index: Int) -> Int {
      let device = volumes[index].device
      let use = device.use
      return (use.contains(.holdsVolumes) ? 4 : 0)
        + (device.sizeBytes / 512 == volume.deviceSizeSectors ? 2 : 0)
        + (use.contains(.isMapped) ? 1 : 0)
    }
    // The first of equal ones.
    let chosen = candidates.max { rank($0) < rank($1) } ?? candidates[0]
    for other in candidates where other != chosen {
      let warning = MetadataWarning.duplicatePhysicalVolume(
        id: volume.id, chosen: volumes[chosen].device.name, other: volumes[other].device.name)
      group.warnings.append(warning)
      group.obstacles.append(warning)
    }
    return chosen
  }

  private func checkDevice(
    of volume: PhysicalVolume, _ scanned: ScannedPhysicalVolume, _ end: Int,
    _ group: inout ScannedVolumeGroup
  ) {
    let name = group.volumeGroup.name
    if !scanned.label.isUsed, !group.volumeGroup.isShared, group.volumeGroup.systemID == nil {
      group.warnings.append(.unusedMark(device: scanned.device.name, group: name))
    }
    let neededSectors = volume.extentStartSectors + group.volumeGroup.sectors(extents: end)
    if end > 0, neededSectors > scanned.device.sizeBytes / 512 {
      group.warnings.append(
        .deviceTooSmall(
          device: scanned.device.name, sizeBytes: scanned.device.sizeBytes,
          neededBytes: neededSectors * 512, group: name))
    }
  }

  /// Devices whose area claims the group while the newest text does not know them.
  private func reportOutdated(_ findings: [Finding], _ group: inout ScannedVolumeGroup) {
    var reported: Set<Int> = []
    for finding in findings {
      let volume = volumes[finding.volumeIndex]
      guard group.volumeGroup.physicalVolume(id: volume.label.id) == nil,
        reported.insert(finding.volumeIndex).inserted
      else { continue }
      let warning = MetadataWarning.outdatedPhysicalVolume(
        device: volume.device.name, id: volume.label.id, group: group.volumeGroup.name)
      group.warnings.append(warning)
      group.obstacles.append(warning)
    }
  }

  /// Orphans, and PVs that more than one group lists.
  private func reportClaims(_ scan: inout MetadataScan) {
    var claims: [LVMIdentifier: [Int]] = [:]
    for (index, group) in scan.groups.enumerated() {
      for volume in group.volumeGroup.physicalVolumes {
        claims[volume.id, default: []].append(index)
      }
    }
    for (index, volume) in volumes.enumerated() {
      let groups = claims[volume.label.id] ?? []
      if groups.isEmpty {
        scan.orphans.append(index)
        // Outdated PVs are reported with their group.
        let isOutdated = volume.areas.contains { if case .text = $0.state { true } else { false } }
        if volume.label.isUsed, !isOutdated {
          scan.warnings.append(.usedOrphan(device: volume.device.name, id: volume.label.id))
        }
      } else if groups.count > 1 {
        let warning = MetadataWarning.claimedTwice(
          device: volume.device.name, id: volume.label.id,
          groups: groups.map { scan.groups[$0].volumeGroup.name })
        for group in groups {
          scan.groups[group].warnings.append(warning)
          scan.groups[group].obstacles.append(warning)
        }
      }
    }
  }

  private func reportNames(_ scan: inout MetadataScan) {
    var byName: [String: [LVMIdentifier]] = [:]
    for group in scan.groups {
      byName[group.volumeGroup.name, default: []].append(group.volumeGroup.id)
    }
    for (name, ids) in byName.sorted(by: { $0.key < $1.key }) where ids.count > 1 {
      scan.warnings.append(.duplicateGroupName(name: name, ids: ids))
    }
  }
}
