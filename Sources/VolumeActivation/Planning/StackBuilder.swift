import LVMMetadata

/// Collects the mapped devices of one volume, those below before those above (dm-activation,
/// sections 2 and 3).
///
/// Each method that adds a device gives its UUID to whoever lies above. A device is added once,
/// however many refer to it.
struct StackBuilder {
  typealias Index = VolumeTopology.Index

  let topology: VolumeTopology
  let physicalDevices: [LVMIdentifier: PhysicalVolumeDevice]
  let options: ActivationOptions
  /// `VG/LV` of the volume that is planned, which every refusal names.
  let title: String
  var devices: [PlannedDevice] = []
  private var positions: [MappedDeviceUUID: Int] = [:]
  private var depth = 0

  /// Stacks deeper than this are no stacks but volumes that lie on themselves.
  private static let depthMax = 32

  var group: VolumeGroup { topology.volumeGroup }

  init(
    _ topology: VolumeTopology, _ physicalDevices: [LVMIdentifier: PhysicalVolumeDevice],
    _ options: ActivationOptions, title: String
  ) {
    self.topology = topology
    self.physicalDevices = physicalDevices
    self.options = options
    self.title = title
  }

  func refusal(_ reason: ActivationRefusal.Reason) -> ActivationRefusal {
    ActivationRefusal(title, reason)
  }

  func malformed(_ problem: String) -> ActivationRefusal { refusal(.malformed(problem)) }

  func position(of device: MappedDeviceUUID) -> Int? { positions[device] }

  // MARK: - Adding devices

  /// Adds the device of a volume, called by name where one volume refers to another.
  mutating func add(
    named name: String, layer: String? = nil
  ) throws(ActivationRefusal) -> MappedDeviceUUID {
    guard let index = topology.index(named: name) else {
      throw malformed("it refers to an unknown volume '\(name)'")
    }
    return try add(index, layer: layer)
  }

  /// Adds the device of a volume, or that of a layer of it, with all below.
  mutating func add(
    _ index: Index, layer: String? = nil
  ) throws(ActivationRefusal) -> MappedDeviceUUID {
    let uuid = try uuid(of: index, layer: layer)
    if positions[uuid] != nil { return uuid }
    guard depth < Self.depthMax else { throw malformed("it lies on itself") }
    depth += 1
    defer { depth -= 1 }
    let roles = topology.roles[index]
    if layer == nil {
      if roles.contains(.snapshotOrigin) { return try addOrigin(index, uuid) }
      if roles.contains(.snapshotStore) { return try addSnapshot(index, uuid) }
      if hasLinearAbove(roles) { return try addLinear(index, over: roles.layer, uuid) }
    }
    return try addSegments(index, layer: layer, uuid)
  }

  /// A used thin pool, a VDO pool and an external origin show only a linear device that lies over
  /// the real one.
  private func hasLinearAbove(_ roles: VolumeRoles) -> Bool {
    roles.contains(.thinPool) && !roles.contains(.newThinPool)
      || !roles.isDisjoint(with: [.vdoPool, .externalOrigin])
  }

  private mutating func addLinear(
    _ index: Index, over layer: String?, _ uuid: MappedDeviceUUID
  ) throws(ActivationRefusal) -> MappedDeviceUUID {
    let below = try add(index, layer: layer)
    var length = try sectors(group.logicalVolumes[index].extentCount)
    if case .vdoPool(let layout) = try mappings(index).first { length = UInt64(layout.headerSize) }
    let target = PlannedTarget.linear(PlannedArea(device: .mapped(below), offset: 0))
    return try append(index, layer: nil, uuid, PlannedTable(target, sectors: length))
  }

  /// Adds a device whose table is known.
  @discardableResult
  mutating func append(
    _ index: Index, layer: String?, _ uuid: MappedDeviceUUID, _ table: PlannedTable,
    readAhead: ReadAhead? = nil, resumption: PlannedDevice.Resumption = .early,
    isSecret: Bool = false, thinPool: PlannedThinPool? = nil, check: MetadataCheck? = nil
  ) throws(ActivationRefusal) -> MappedDeviceUUID {
    let volume = group.logicalVolumes[index]
    let isTop = layer == nil
    return try append(
      PlannedDevice(
        volume: "\(group.name)/\(volume.name)", uuid: uuid,
        name: try name(of: index, layer: layer), table: table,
        isReadOnly: isReadOnly(index, layer: layer),
        readAhead: readAhead ?? self.readAhead(of: volume, widestStripe: 0),
        fixedMinor: isTop ? Self.fixedMinor(of: volume) : nil,
        udevRules: udevRules(index, layer: layer), resumption: resumption, isSecret: isSecret,
        thinPool: thinPool, check: check))
  }

  mutating func append(
    _ device: PlannedDevice
  ) throws(ActivationRefusal) -> MappedDeviceUUID {
    guard !device.table.lines.isEmpty else { throw malformed("it has no segments") }
    positions[device.uuid] = devices.count
    devices.append(device)
    return device.uuid
  }

  // MARK: - Names

  func uuid(
    of index: Index, layer: String?
  ) throws(ActivationRefusal) -> MappedDeviceUUID {
    let volume = group.logicalVolumes[index]
    guard let suffix = layer ?? topology.roles[index].uuidSuffix else {
      return MappedDeviceUUID(volumeGroup: group.id, logicalVolume: volume.id)
    }
    return try uuid(volume.id, suffix: suffix)
  }

  func uuid(_ id: LVMIdentifier, suffix: String) throws(ActivationRefusal) -> MappedDeviceUUID {
    guard
      let uuid = MappedDeviceUUID(volumeGroup: group.id, logicalVolume: id, suffix: suffix)
    else { throw malformed("the UUID suffix '\(suffix)' is too long") }
    return uuid
  }

  func name(
    of index: Index, layer: String?
  ) throws(ActivationRefusal) -> MappedDeviceName {
    let volume = group.logicalVolumes[index]
    guard
      let name = MappedDeviceName(
        volumeGroup: group.name, logicalVolume: volume.name, layer: layer)
    else { throw malformed("the name \(volume.name) is not legal or too long") }
    return name
  }

  // MARK: - Attributes

  /// dm-activation, section 8.
  private func isReadOnly(_ index: Index, layer: String?) -> Bool {
    let roles = topology.roles[index]
    if layer == "cow" { return false }
    if !roles.isDisjoint(with: .raidParts) { return false }
    if layer == nil, !roles.isDisjoint(with: [.thinPool, .vdoPool]) {
      return !roles.contains(.newThinPool) || roles.contains(.vdoPool)
    }
    // The other thin volumes of a pool are written even if one is not.
    let isShared = !roles.isDisjoint(with: [.thinPool, .thinPoolData, .thinPoolMetadata])
    return options.isReadOnly && !isShared || !group.logicalVolumes[index].isWritable
  }

  /// dm-activation, section 9.
  private func udevRules(_ index: Index, layer: String?) -> UdevRules {
    let roles = topology.roles[index]
    let volume = group.logicalVolumes[index]
    var rules: UdevRules = []
    if layer == nil && roles.contains(.newThinPool) {
      rules = [.noDisk, .noOther]
    } else if layer != nil || !topology.isVisible(index)
      || !roles.isDisjoint(with: [.thinPool, .vdoPool])
    {
      rules = .internal
    } else if VolumeName.isReserved(volume.name) {
      rules = [.noDisk, .noOther]
    }
    if roles.contains(.snapshotStore) { rules.insert(.lowPriority) }
    if options.isToBeWiped { rules.insert(.noScan) }
    return rules
  }

  /// dm-activation, section 8: automatic means at least two stripes of every area of the widest
  /// segment, or without stripes as much as the disks below have.
  func readAhead(of volume: LogicalVolume, widestStripe: UInt64) -> ReadAhead {
    switch volume.readAheadSectors {
    case .some(let sectors) where sectors < 0: .none
    case .some(let sectors) where sectors > 0: .exactly(UInt32(sectors))
    default:
      .atLeast(widestStripe > 0 ? UInt32(clamping: 2 * widestStripe) : readAhead(below: volume))
    }
  }

  /// The most of the disks on which the volume, and those that it consists of, begin.
  private func readAhead(below volume: LogicalVolume) -> UInt32 {
    var sectors = readAheadOfFirstDisk(volume)
    var pending = volume.referencedNames.compactMap { topology.index(named: $0) }
    // Many may consist of the same ones.
    var seen = Set(pending)
    while let index = pending.popLast() {
      let part = group.logicalVolumes[index]
      sectors = max(sectors, readAheadOfFirstDisk(part))
      for below in part.referencedNames.compactMap({ topology.index(named: $0) })
      where seen.insert(below).inserted {
        pending.append(below)
      }
    }
    return sectors
  }

  private func readAheadOfFirstDisk(_ volume: LogicalVolume) -> UInt32 {
    guard case .physicalVolume(let id)? = volume.segments.first?.stripedLayout?.areas.first?.source
    else { return 0 }
    return physicalDevices[id]?.readAheadSectors ?? 0
  }

  private static func fixedMinor(of volume: LogicalVolume) -> UInt32? {
    guard volume.status.contains(.fixedMinor) else { return nil }
    return volume.minor.flatMap(UInt32.init(exactly:))
  }

  // MARK: - Sizes

  func sectors(_ extentCount: Int) throws(ActivationRefusal) -> UInt64 {
    guard let count = UInt64(exactly: extentCount) else {
      throw malformed("an extent number is negative")
    }
    let (sectors, overflow) = count.multipliedReportingOverflow(by: group.extentSizeSectors)
    guard !overflow else { throw malformed("an extent is beyond the largest sector number") }
    return sectors
  }

  func mappings(_ index: Index) throws(ActivationRefusal) -> [SegmentMapping] {
    do {
      return try topology.mappings(of: index)
    } catch {
      throw malformed(error.problem)
    }
  }
}

extension StackBuilder {
  /// Has a device that was added wait for the suspend of what is above it, when it is new.
  mutating func delay(_ device: MappedDeviceUUID) {
    guard let position = position(of: device) else { return }
    devices[position] = devices[position].delayed
  }

  /// Cuts a device that was added to at most `sectors`.
  mutating func truncate(_ device: MappedDeviceUUID, to sectors: UInt64) {
    guard let position = position(of: device) else { return }
    devices[position] = devices[position].truncated(to: sectors)
  }
}
