import LVMMetadata

// Mirrors, RAID and integrity (dm-activation, section 3).
extension StackBuilder {
  typealias Parameter = PlannedTarget.Parameter

  // MARK: - Mirrors

  /// A mirror of one image, as conversions leave it for a while, is linear.
  mutating func mirror(
    _ layout: MirrorLayout, _ segment: Segment, _ number: Int, _ part: Part,
    _ traits: inout DeviceTraits
  ) throws(ActivationRefusal) -> PlannedTarget {
    if let moved = layout.extentsMoved {
      return try pvmove(layout, moved: Int(moved), segment, number, part, &traits)
    }
    if layout.areas.count == 1 {
      return .linear(try mirrorArea(layout, 0, segment, number, part))
    }
    guard layout.regionSize > 0 else { throw malformed("a mirror has no region size") }
    var words: [Parameter] = []
    if let log = layout.log {
      words = [.word("disk"), .word("2"), .device(.mapped(try add(named: log)))]
    } else {
      words = [.word("core"), .word("1")]
      traits.resumption = .lateIfNew
    }
    words.append(.word("\(layout.regionSize)"))
    words += try mirrorAreas(layout, segment, number, part)
    return .other(type: "mirror", words + [.word("1"), .word("handle_errors")])
  }

  private mutating func mirrorAreas(
    _ layout: MirrorLayout, _ segment: Segment, _ number: Int, _ part: Part
  ) throws(ActivationRefusal) -> [Parameter] {
    var words: [Parameter] = [.word("\(layout.areas.count)")]
    for areaNumber in layout.areas.indices {
      let area = try mirrorArea(layout, areaNumber, segment, number, part)
      words += [.device(area.device), .word("\(area.offset)")]
    }
    return words
  }

  private mutating func mirrorArea(
    _ layout: MirrorLayout, _ areaNumber: Int, _ segment: Segment, _ number: Int, _ part: Part
  ) throws(ActivationRefusal) -> PlannedArea {
    let place = layout.areas[areaNumber]
    guard let source = topology.source(named: place.name) else {
      throw malformed("it refers to an unknown volume '\(place.name)'")
    }
    return try area(
      SegmentArea(source: source, firstExtent: place.firstExtent), segment.extentCount,
      of: segment, number: number, areaNumber: areaNumber, part)
  }

  /// Segments in front of the one being copied are on the new place, those behind on the old one.
  private mutating func pvmove(
    _ layout: MirrorLayout, moved: Int, _ segment: Segment, _ number: Int, _ part: Part,
    _ traits: inout DeviceTraits
  ) throws(ActivationRefusal) -> PlannedTarget {
    guard layout.areas.count == 2 else {
      throw malformed("a segment of pvmove has \(layout.areas.count) areas")
    }
    if moved == segment.extentCount {
      return .linear(try mirrorArea(layout, 1, segment, number, part))
    }
    let earlier = try mappings(part.index).prefix(number)
    let isFirstToMove = zip(part.volume.segments, earlier).allSatisfy { segment, mapping in
      if case .mirror(let layout) = mapping {
        layout.extentsMoved.map(Int.init) == segment.extentCount
      } else {
        true
      }
    }
    guard isFirstToMove else { return .linear(try mirrorArea(layout, 0, segment, number, part)) }
    traits.resumption = .lateIfNew
    let words: [Parameter] = [
      .word("core"), .word("1"), .word("\(try pvmoveRegionSize(of: segment))"),
    ]
    return .other(type: "mirror", words + (try mirrorAreas(layout, segment, number, part)))
  }

  /// LVM's default region, or the largest power of two that a smaller segment holds.
  private func pvmoveRegionSize(of segment: Segment) throws(ActivationRefusal) -> UInt64 {
    let usual: UInt64 = 4096
    let length = try sectors(segment.extentCount)
    guard length > 0, length < usual else { return usual }
    return 1 << UInt64(63 - length.leadingZeroBitCount)
  }

  // MARK: - RAID

  mutating func raid(
    _ layout: RAIDLayout, _ segment: Segment
  ) throws(ActivationRefusal) -> PlannedTarget {
    try checkHidden(layout)
    try checkRedundancy(layout)
    var options: [String] = []
    if !layout.level.isRAID0 { options = try raidOptions(layout) }
    var words: [Parameter] = [
      .word(layout.level.targetName), .word("\(options.count + 1)"),
      .word("\(layout.stripeSize)"),
    ]
    words += options.map { .word($0) }
    words.append(.word("\(layout.images.count)"))
    for image in layout.images {
      guard let index = topology.index(named: image.data) else {
        throw malformed("it refers to an unknown volume '\(image.data)'")
      }
      let volume = group.logicalVolumes[index]
      // Split off for a while: the array keeps track of what the image misses.
      guard volume.isWritable else {
        words += [.word("-"), .word("-")]
        continue
      }
      if let metadata = image.metadata {
        words.append(.device(.mapped(try add(named: metadata))))
      } else {
        words.append(.word("-"))
      }
      words.append(.device(.mapped(try add(index))))
    }
    return .other(type: "raid", words)
  }

  /// The optional words in the order in which targets of version 1.11 and later want them.
  private func raidOptions(_ layout: RAIDLayout) throws(ActivationRefusal) -> [String] {
    let images = layout.images.map { image in
      topology.index(named: image.data).map { group.logicalVolumes[$0] }
    }
    func numbers(of flag: LogicalVolumeFlag) -> [Int] {
      images.indices.filter { images[$0]?.isMarked(flag) == true }
    }
    var words: [String] = []
    for number in numbers(of: .rebuild) { words += ["rebuild", "\(number)"] }
    if layout.minimumRecoveryRate > 0 {
      words += ["min_recovery_rate", "\(layout.minimumRecoveryRate)"]
    }
    if layout.maximumRecoveryRate > 0 {
      words += ["max_recovery_rate", "\(layout.maximumRecoveryRate)"]
    }
    if layout.level == .raid1 {
      for number in numbers(of: .writeMostly) { words += ["write_mostly", "\(number)"] }
      if layout.writeBehind > 0 { words += ["max_write_behind", "\(layout.writeBehind)"] }
    }
    words += ["region_size", "\(layout.regionSize)"]
    if layout.level.isRAID10 { words += ["raid10_copies", "\(layout.dataCopies)"] }
    let added = numbers(of: .reshapeDeltaDisksPlus).count
    let removed = numbers(of: .reshapeDeltaDisksMinus).count
    guard added == 0 || removed == 0 else {
      throw malformed("a reshape adds and removes images at once")
    }
    if added != removed { words += ["delta_disks", "\(added - removed)"] }
    if let offset = layout.dataOffset {
      // LVM's 1 asks the kernel to choose, which the kernel calls 0.
      words += ["data_offset", "\(offset <= 1 ? 0 : Int32(bitPattern: offset))"]
    }
    return words
  }

  // MARK: - Integrity

  mutating func integrity(
    _ layout: IntegrityLayout, _ traits: inout DeviceTraits
  ) throws(ActivationRefusal) -> PlannedTarget {
    traits.isSecret = true
    let metadata = try layout.metadata.map { name throws(ActivationRefusal) in
      DeviceReference.mapped(try add(named: name))
    }
    let origin = try add(named: layout.origin)
    var options: [Parameter] = [
      .word("fix_padding"), .word("block_size:\(layout.blockSize)"),
      .word("internal_hash:\(layout.hash)"),
    ]
    if let metadata { options.append(.joined("meta_device:", metadata)) }
    if layout.recalculates { options.append(.word("recalculate")) }
    options += layout.options.map { .word($0) }
    return .other(
      type: "integrity",
      [
        .device(.mapped(origin)), .word("0"), .word("\(layout.tagSize)"), .word(layout.mode),
        .word("\(options.count)"),
      ] + options)
  }
}

extension LogicalVolume {
  /// Flags of segment types are flags of the volume, too (lvm2-metadata, section 6.4).
  func isMarked(_ flag: LogicalVolumeFlag) -> Bool {
    status.contains(flag)
      || segments.contains { segment in
        if case .other(let type, _) = segment.kind {
          SegmentType(type).flags.contains(flag.word)
        } else {
          false
        }
      }
  }
}
