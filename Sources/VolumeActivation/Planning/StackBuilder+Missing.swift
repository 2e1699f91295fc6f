import LVMMetadata

// What stands in for missing devices (dm-activation, section 12).
extension StackBuilder {
  /// Thin volumes never go without a part of their pool. RAID goes on degraded where `raid` found
  /// that the redundancy is enough; everything else only when asked for partial activation.
  func mayReplaceMissing(in part: Part) -> Bool {
    let roles = topology.roles[part.index]
    guard roles.isDisjoint(with: .thinParts) else { return false }
    switch options.mode {
    case .complete: return false
    case .degraded: return !roles.isDisjoint(with: .raidParts)
    case .partial: return true
    }
  }

  /// Adds a device on which all I/O fails, in the place of a missing area.
  mutating func replacement(
    for segment: Segment, number: Int, areaNumber: Int, _ part: Part
  ) throws(ActivationRefusal) -> PlannedArea {
    let layer = "missing_\(number)_\(areaNumber)"
    let uuid = try uuid(part.volume.id, suffix: layer)
    if position(of: uuid) == nil {
      guard
        let name = MappedDeviceName(
          volumeGroup: group.name, logicalVolume: part.volume.name, layer: layer)
      else { throw malformed("the name \(part.volume.name) is not legal or too long") }
      _ = try append(
        PlannedDevice(
          volume: "\(group.name)/\(part.volume.name)", uuid: uuid, name: name,
          table: PlannedTable(
            .other(type: "error", []), sectors: try sectors(segment.extentCount)),
          isReadOnly: false, readAhead: .atLeast(0), fixedMinor: nil, udevRules: .internal,
          resumption: .early, isSecret: false, thinPool: nil, check: nil))
    }
    return PlannedArea(device: .mapped(uuid), offset: 0)
  }

  /// Whether part of the volume lies on a missing device, directly or through others.
  func isPartial(_ name: String, depth: Int = 0) -> Bool {
    guard let index = topology.index(named: name), depth < 8 else { return true }
    let volume = group.logicalVolumes[index]
    for segment in volume.segments {
      guard let layout = segment.stripedLayout else { continue }
      for area in layout.areas {
        switch area.source {
        case .logicalVolume(let below): if isPartial(below, depth: depth + 1) { return true }
        case .physicalVolume(let id):
          if physicalDevices[id] == nil || topology.physicalVolume(id)?.isMarkedMissing != false {
            return true
          }
        }
      }
    }
    return volume.referencedNames.contains { below in
      topology.index(named: below) != nil && isPartial(below, depth: depth + 1)
    }
  }

  /// Throws when a part is missing that LVM never goes without, whatever the mode.
  func checkComplete(_ names: [String], _ kind: String) throws(ActivationRefusal) {
    guard options.mode != .complete, names.contains(where: { isPartial($0) }) else { return }
    throw refusal(.incomplete(kind))
  }

  /// Throws when a part of a RAID volume is visible that is not just split off for reading.
  func checkHidden(_ layout: RAIDLayout) throws(ActivationRefusal) {
    for image in layout.images {
      if let index = topology.index(named: image.data), group.logicalVolumes[index].isVisible,
        group.logicalVolumes[index].isWritable
      {
        throw refusal(.visibleImage(image.data))
      }
      if let name = image.metadata, let index = topology.index(named: name),
        group.logicalVolumes[index].isVisible
      {
        throw refusal(.visibleImage(name))
      }
    }
  }

  /// Throws unless the images that are there hold all data. Of volumes without redundancy LVM
  /// gives what is left, as long as that is anything.
  func checkRedundancy(_ layout: RAIDLayout) throws(ActivationRefusal) {
    let partial = layout.images.map { image in
      isPartial(image.data) || image.metadata.map { isPartial($0) } ?? false
    }
    let missingCount = partial.count { $0 }
    if missingCount > 0, options.mode != .complete, !isFreeOfIntegrity(layout) {
      throw refusal(.incomplete("RAID volume with integrity"))
    }
    guard missingCount > 0, options.mode != .partial else { return }
    let suffices: Bool =
      if options.mode == .complete {
        false
      } else if layout.level.isRAID10 {
        hasEveryBlock(layout, partial)
      } else if layout.level == .raid1 || layout.level.isRAID0 {
        missingCount < layout.images.count
      } else {
        missingCount <= layout.level.parityCount
      }
    guard suffices else {
      throw refusal(.tooFewImages(missing: missingCount, of: layout.images.count))
    }
  }

  /// Neighbouring images keep the same blocks.
  private func hasEveryBlock(_ layout: RAIDLayout, _ partial: [Bool]) -> Bool {
    let copies = max(Int(layout.dataCopies), 1)
    return stride(from: 0, to: partial.count, by: copies).allSatisfy { start in
      partial[start..<min(start + copies, partial.count)].contains(false)
    }
  }

  /// No image keeps checksums.
  private func isFreeOfIntegrity(_ layout: RAIDLayout) -> Bool {
    layout.images.allSatisfy { image in
      guard let index = topology.index(named: image.data),
        let mapping = (try? topology.mappings(of: index))?.first
      else { return false }
      if case .integrity = mapping { return false }
      return true
    }
  }
}
