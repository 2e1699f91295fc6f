import LVMMetadata

// Snapshots, thin pools, caches and VDO (dm-activation, section 3).
extension StackBuilder {
  // MARK: - Snapshots with stores of their own

  /// An origin comes with all its snapshots, which resume before it; one that is being merged
  /// resumes behind it.
  mutating func addOrigin(
    _ index: Index, _ uuid: MappedDeviceUUID
  ) throws(ActivationRefusal) -> MappedDeviceUUID {
    let real = try add(index, layer: "real")
    // While the origin still serves the data itself, the layer below must not do so, too.
    delay(real)
    let snapshots = topology.snapshots[index] ?? []
    let merging =
      options.merge == .running ? snapshots.first { $0.layout.isMerging } : nil
    var target = PlannedTarget.other(type: "snapshot-origin", [.device(.mapped(real))])
    if let merging {
      let store = try add(merging.store, layer: "cow")
      target = Self.snapshot("snapshot-merge", real, store, merging.layout)
    }
    for snapshot in snapshots where !(merging != nil && snapshot.layout.isMerging) {
      _ = try add(snapshot.store)
    }
    try append(
      index, layer: nil, uuid,
      PlannedTable(target, sectors: try sectors(group.logicalVolumes[index].extentCount)))
    for snapshot in snapshots where merging != nil && snapshot.layout.isMerging {
      _ = try add(snapshot.store)
    }
    return uuid
  }

  mutating func addSnapshot(
    _ index: Index, _ uuid: MappedDeviceUUID
  ) throws(ActivationRefusal) -> MappedDeviceUUID {
    guard let snapshot = topology.snapshotOfStore[index] else {
      throw malformed("it is a snapshot of nothing")
    }
    let real = try add(snapshot.origin, layer: "real")
    let store = try add(index, layer: "cow")
    let target: PlannedTarget =
      snapshot.layout.isMerging && options.merge == .running
      ? .other(type: "error", []) : Self.snapshot("snapshot", real, store, snapshot.layout)
    return try append(
      index, layer: nil, uuid,
      PlannedTable(target, sectors: try sectors(snapshot.extentCount)))
  }

  private static func snapshot(
    _ type: String, _ real: MappedDeviceUUID, _ store: MappedDeviceUUID, _ layout: SnapshotLayout
  ) -> PlannedTarget {
    .other(
      type: type,
      [
        .device(.mapped(real)), .device(.mapped(store)), .word("P"), .word("\(layout.chunkSize)"),
      ])
  }

  // MARK: - Thin pools

  /// How much of a metadata device the kernel can use, as LVM counts it; in sectors.
  private static let thinMetadataSectorsMax: UInt64 = 255 * (1 << 14) * 8 - 256 * 1024

  mutating func thinPool(
    _ layout: ThinPoolLayout, _ segment: Segment, _ traits: inout DeviceTraits
  ) throws(ActivationRefusal) -> PlannedTarget {
    let metadata = try add(named: layout.metadata)
    let data = try add(named: layout.data)
    if layout.cropsMetadata { truncate(metadata, to: Self.thinMetadataSectorsMax) }
    traits.resumption = .lateIfExtended
    let messages = try messages(layout)
    // The metadata of a pool in which nothing was made yet is all zeros, which no check takes; LVM
    // leaves it out, too.
    if layout.transactionID > 1 || layout.transactionID == 1 && messages.isEmpty {
      traits.check = MetadataCheck(kind: .thin, device: metadata)
    }
    traits.thinPool = PlannedThinPool(transactionID: layout.transactionID, messages: messages)
    var features: [String] = []
    if !layout.zeroesNewBlocks { features.append("skip_block_zeroing") }
    switch layout.discards {
    case .passdown: break
    case .nopassdown: features.append("no_discard_passdown")
    case .ignore: features.append("ignore_discard")
    }
    if let pool = poolVolume(of: layout), pool.flags.contains(.errorWhenFull) {
      features.append("error_if_no_space")
    }
    let lowWater = try lowWaterMark(sectors(segment.extentCount), layout)
    let words =
      ["\(layout.chunkSize)", "\(lowWater)", "\(features.count)"] + features
    return .other(
      type: "thin-pool",
      [.device(.mapped(metadata)), .device(.mapped(data))] + words.map { .word($0) })
  }

  private func poolVolume(of layout: ThinPoolLayout) -> LogicalVolume? {
    guard let data = topology.index(named: layout.data),
      let user = topology.users[data]?.first(where: { topology.roles[$0].contains(.thinPool) })
    else { return nil }
    return group.logicalVolumes[user]
  }

  /// In chunks: how few free ones are to be told of.
  private func lowWaterMark(_ length: UInt64, _ layout: ThinPoolLayout) -> UInt64 {
    let threshold = max(options.thinPoolThreshold, 50)
    guard threshold < 100 else { return 0 }
    return length / UInt64(layout.chunkSize) * (100 - threshold) / 100
  }

  private func messages(_ layout: ThinPoolLayout) throws(ActivationRefusal) -> [String] {
    var texts: [String] = []
    for message in layout.messages {
      switch message {
      case .delete(let id): texts.append("delete \(id)")
      case .create(let name):
        let volume = try thinLayout(named: name)
        if let origin = volume.origin {
          texts.append("create_snap \(volume.deviceID) \(try thinLayout(named: origin).deviceID)")
        } else {
          texts.append("create_thin \(volume.deviceID)")
        }
      }
    }
    return texts
  }

  private func thinLayout(named name: String) throws(ActivationRefusal) -> ThinLayout {
    guard let index = topology.index(named: name),
      case .thin(let layout) = try mappings(index).first
    else { throw malformed("a pool's message names '\(name)', which is no thin volume") }
    return layout
  }

  mutating func thin(
    _ layout: ThinLayout, _ part: Part
  ) throws(ActivationRefusal) -> PlannedTarget {
    guard layout.mergeTarget == nil || options.merge == .pending else {
      throw refusal(.merging(into: layout.mergeTarget ?? ""))
    }
    let external = try layout.externalOrigin.map { name throws(ActivationRefusal) in
      try add(named: name, layer: "real")
    }
    let pool = try add(named: layout.pool, layer: "tpool")
    var deviceID = layout.deviceID
    // A merge gives the origin the snapshot's content by its number.
    if options.merge == .running, let merged = topology.thinMerges[part.index],
      case .thin(let snapshot) = try mappings(merged).first
    {
      deviceID = snapshot.deviceID
    }
    var words: [Parameter] = [.device(.mapped(pool)), .word("\(deviceID)")]
    if let external { words.append(.device(.mapped(external))) }
    return .other(type: "thin", words)
  }

  // MARK: - Caches

  mutating func cache(
    _ layout: CacheLayout, _ part: Part, _ traits: inout DeviceTraits
  ) throws(ActivationRefusal) -> PlannedTarget {
    guard !part.volume.name.contains("_corig") else {
      throw refusal(.segmentType("cache that is being removed"))
    }
    let settings: CacheSettings
    let metadata: MappedDeviceUUID
    let data: MappedDeviceUUID
    if let volume = layout.cacheVolume {
      try checkComplete([layout.pool], "cached volume")
      settings = volume.settings
      (metadata, data) = try addCacheVolume(named: layout.pool, volume)
    } else {
      guard let pool = topology.index(named: layout.pool),
        case .cachePool(let poolLayout) = try mappings(pool).first
      else { throw malformed("its cache pool '\(layout.pool)' is none") }
      settings = poolLayout.settings
      // The kernel's metadata is checked first: there must be some.
      try checkComplete([poolLayout.metadata], "cached volume")
      data = try add(named: poolLayout.data)
      metadata = try add(named: poolLayout.metadata)
    }
    let origin = try add(named: layout.origin)
    traits.check = MetadataCheck(kind: .cache, device: metadata)
    let words = Self.cacheWords(
      settings, isCleaning: layout.isCleaning, hasCacheVolume: layout.cacheVolume != nil)
    return .other(
      type: "cache",
      [.device(.mapped(metadata)), .device(.mapped(data)), .device(.mapped(origin))]
        + words.map { .word($0) })
  }

  /// The device of a cachevol, and those of its two parts.
  private mutating func addCacheVolume(
    named name: String, _ layout: CacheLayout.CacheVolume
  ) throws(ActivationRefusal) -> (metadata: MappedDeviceUUID, data: MappedDeviceUUID) {
    let whole = try add(named: name)
    guard let index = topology.index(named: name) else {
      throw malformed("it refers to an unknown volume '\(name)'")
    }
    let id = group.logicalVolumes[index].id
    func addPart(
      _ layer: String, _ partID: LVMIdentifier?, _ offset: UInt64, _ length: UInt64
    ) throws(ActivationRefusal) -> MappedDeviceUUID {
      let uuid = try uuid(partID ?? id, suffix: layer)
      let target = PlannedTarget.linear(PlannedArea(device: .mapped(whole), offset: offset))
      return try append(index, layer: layer, uuid, PlannedTable(target, sectors: length))
    }
    // The data begins where the metadata ends, whatever the text says.
    return (
      try addPart("cmeta", layout.metadataID, 0, layout.metadataLength),
      try addPart("cdata", layout.dataID, layout.metadataLength, layout.dataLength)
    )
  }

  private static func cacheWords(
    _ settings: CacheSettings, isCleaning: Bool, hasCacheVolume: Bool
  ) -> [String] {
    let mode = isCleaning ? .writethrough : settings.mode
    let features = (settings.metadataFormat == 2 ? ["metadata2"] : []) + [mode.rawValue]
    // LVM 2.03.16 takes no notice of the policy of a cachevol; the kernel's mq is its smq.
    let policy = hasCacheVolume ? "mq" : settings.policy ?? "mq"
    let arguments = isCleaning ? [] : policyArguments(settings, isFiltered: !hasCacheVolume)
    return ["\(settings.chunkSize)", "\(features.count)"] + features
      + [isCleaning ? "cleaner" : policy, "\(arguments.count)"] + arguments
  }

  /// What LVM lets through to each policy.
  private static let acceptedSettings: [String: Set<String>] = [
    "mq": [
      "migration_threshold", "sequential_threshold", "random_threshold",
      "read_promote_adjustment", "write_promote_adjustment", "discard_promote_adjustment",
    ],
    "smq": ["migration_threshold"],
  ]

  /// The kernel's default of the migration threshold is not sent; it is never less than eight
  /// chunks.
  private static func policyArguments(_ settings: CacheSettings, isFiltered: Bool) -> [String] {
    let usualThreshold: UInt64 = 2048
    var accepted = settings.policySettings
    if isFiltered, let known = acceptedSettings[(settings.policy ?? "mq").lowercased()] {
      accepted.removeAll { !known.contains($0.key) }
    }
    let asked = accepted.last { $0.key == "migration_threshold" }?.value ?? usualThreshold
    let threshold = max(asked, UInt64(settings.chunkSize) * 8)
    var words: [String] = []
    if threshold != usualThreshold { words = ["migration_threshold", "\(threshold)"] }
    for setting in accepted where setting.key != "migration_threshold" {
      words += [setting.key, "\(setting.value)"]
    }
    return words
  }

  mutating func writeCache(_ layout: WriteCacheLayout) throws(ActivationRefusal) -> PlannedTarget {
    try checkComplete([layout.cacheVolume, layout.origin], "volume with a write cache")
    let cacheVolume = try add(named: layout.cacheVolume)
    let origin = try add(named: layout.origin)
    let kind = try isOnPersistentMemory(layout.cacheVolume) ? "p" : "s"
    let words = ["\(layout.blockSize)", "\(layout.options.count)"] + layout.options
    return .other(
      type: "writecache",
      [.word(kind), .device(.mapped(origin)), .device(.mapped(cacheVolume))]
        + words.map { .word($0) })
  }

  /// Throws when only a part of the volume is.
  private func isOnPersistentMemory(_ name: String) throws(ActivationRefusal) -> Bool {
    guard let index = topology.index(named: name) else { return false }
    var memoryCount = 0
    var otherCount = 0
    for segment in group.logicalVolumes[index].segments {
      for area in segment.stripedLayout?.areas ?? [] {
        if isMemory(area) { memoryCount += 1 } else { otherCount += 1 }
      }
    }
    guard memoryCount == 0 || otherCount == 0 else {
      throw malformed("its cache lies partly on persistent memory")
    }
    return memoryCount > 0
  }

  private func isMemory(_ area: SegmentArea) -> Bool {
    guard let id = area.physicalVolume, let device = physicalDevices[id] else { return false }
    return device.isPersistentMemory
  }

  // MARK: - VDO

  mutating func vdoPool(
    _ layout: VDOPoolLayout, _ part: Part
  ) throws(ActivationRefusal) -> PlannedTarget {
    let data = try add(named: layout.data)
    guard let index = topology.index(named: layout.data) else {
      throw malformed("it refers to an unknown volume '\(layout.data)'")
    }
    let size = try sectors(group.logicalVolumes[index].extentCount)
    let words =
      [
        "\(size / 8)", "\(layout.minimumIOSize)", "\(UInt64(layout.blockMapCacheMiB) * 256)",
        "\(layout.blockMapEraLength)", layout.usesMetadataHints ? "on" : "off",
        layout.writePolicy, try name(of: part.index, layer: "vpool").text,
      ] + layout.threads
    return .other(
      type: "vdo", [.word("V2"), .path(.mapped(data))] + words.map { .word($0) })
  }

  mutating func vdo(_ layout: VDOLayout) throws(ActivationRefusal) -> PlannedTarget {
    let pool = try add(named: layout.pool, layer: "vpool")
    guard let index = topology.index(named: layout.pool),
      case .vdoPool(let poolLayout) = try mappings(index).first
    else { throw malformed("its VDO pool '\(layout.pool)' is none") }
    let offset = try sectors(Int(layout.offset)) + UInt64(poolLayout.headerSize)
    return .linear(PlannedArea(device: .mapped(pool), offset: offset))
  }
}
