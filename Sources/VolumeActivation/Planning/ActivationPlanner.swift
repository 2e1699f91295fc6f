import LVMMetadata

/// The device of a physical volume as this machine sees it.
public struct PhysicalVolumeDevice: Hashable, Sendable {
  /// Nil for an image file, over which tables can be planned but not loaded.
  public let number: DeviceNumber?
  /// In 512-byte sectors.
  public let sizeSectors: UInt64
  /// The device is memory that keeps its content.
  public let isPersistentMemory: Bool
  /// How far the kernel reads ahead on the device, in 512-byte sectors; 0 when not known.
  public let readAheadSectors: UInt32

  public init(
    number: DeviceNumber?, sizeSectors: UInt64, isPersistentMemory: Bool = false,
    readAheadSectors: UInt32 = 0
  ) {
    self.number = number
    self.sizeSectors = sizeSectors
    self.isPersistentMemory = isPersistentMemory
    self.readAheadSectors = readAheadSectors
  }
}

/// Computes what the mapped devices of a group's volumes must look like.
///
/// Every type of volume is planned as LVM does it (dm-activation, sections 1 to 3), each as a stack
/// of devices. What is not there in full is refused: a table over missing or short devices would
/// lose data later.
public struct ActivationPlanner: Sendable {
  public let volumeGroup: VolumeGroup
  let devices: [LVMIdentifier: PhysicalVolumeDevice]
  private let groupRefusal: ActivationRefusal?
  let topology: VolumeTopology

  /// - Parameters:
  ///   - devices: the devices of the group's physical volumes, as far as they were found.
  ///   - hostSystemID: this host's LVM system id; nil when it has none.
  ///   - acceptingClustered: whether groups with LVM 2.02's CLUSTERED mark may be active here.
  public init(
    _ volumeGroup: VolumeGroup, devices: [LVMIdentifier: PhysicalVolumeDevice],
    hostSystemID: String? = nil, acceptingClustered: Bool = false
  ) {
    self.volumeGroup = volumeGroup
    self.devices = devices
    topology = VolumeTopology(volumeGroup)
    let reason: ActivationRefusal.Reason? =
      switch volumeGroup.accessClass(hostSystemID: hostSystemID) {
      case .exported: .exportedGroup
      case .foreign(let systemID): .foreignGroup(systemID: systemID)
      case .clustered: acceptingClustered ? nil : .clusteredGroup
      case .shared, .local: nil
      }
    groupRefusal = reason.map { ActivationRefusal(volumeGroup.name, $0) }
  }

  // MARK: - Which volumes

  /// The volumes that users activate, in the text's order: the visible ones, with an origin in the
  /// place of its snapshots. LVM leaves cache pools out that cache nothing.
  public var volumeNames: [String] {
    var seen: Set<Int> = []
    return volumeGroup.logicalVolumes.indices.filter { topology.isVisible($0) && !isCachePool($0) }
      .map { topology.holder(of: $0) }.filter { seen.insert($0).inserted }
      .map { volumeGroup.logicalVolumes[$0].name }
  }

  private func isCachePool(_ index: Int) -> Bool {
    guard case .other(let type, _)? = volumeGroup.logicalVolumes[index].segments.first?.kind else {
      return false
    }
    return SegmentType(type).name == "cache-pool"
  }

  /// The devices that go away with a volume before everything below them does: its own, and those
  /// of an origin's snapshots. Nothing is refused here: what is active may always be deactivated.
  ///
  /// Nil when there is no such volume.
  public func topDevices(ofVolumeNamed name: String) -> [MappedDeviceUUID]? {
    guard let named = topology.index(named: name) else { return nil }
    let index = topology.holder(of: named)
    let stores = (topology.snapshots[index] ?? []).map(\.store)
    return ([index] + stores).compactMap { index in
      let id = volumeGroup.logicalVolumes[index].id
      guard let suffix = topology.roles[index].uuidSuffix else {
        return MappedDeviceUUID(volumeGroup: volumeGroup.id, logicalVolume: id)
      }
      return MappedDeviceUUID(
        volumeGroup: volumeGroup.id, logicalVolume: id, suffix: suffix)
    }
  }

  /// The volumes, as users activate them, whose stacks have one of `names` in them: a pool's thin
  /// volumes for the pool or a part of it, an origin for its snapshots.
  public func volumeNames(affectedBy names: [String]) -> [String] {
    var affected: Set<Int> = []
    var pending = names.compactMap { topology.index(named: $0) }
    while let index = pending.popLast() {
      guard affected.insert(index).inserted else { continue }
      pending += topology.users[index] ?? []
      pending.append(topology.holder(of: index))
    }
    return volumeNames.filter { name in
      topology.index(named: name).map { affected.contains($0) } ?? false
    }
  }

  // MARK: - Plans

  /// The plan for the volume called `name`.
  public func plan(
    named name: String, _ options: ActivationOptions = ActivationOptions()
  ) throws(ActivationRefusal) -> PlannedVolume {
    guard let index = topology.index(named: name) else {
      throw groupRefusal ?? ActivationRefusal("\(volumeGroup.name)/\(name)", .unknownVolume)
    }
    return try plan(index, options)
  }

  /// The plan for `volume`, which is one of the group's.
  public func plan(
    _ volume: LogicalVolume, _ options: ActivationOptions = ActivationOptions()
  ) throws(ActivationRefusal) -> PlannedVolume {
    try plan(named: volume.name, options)
  }

  private func plan(
    _ named: Int, _ options: ActivationOptions
  ) throws(ActivationRefusal) -> PlannedVolume {
    if let groupRefusal { throw groupRefusal }
    let title = "\(volumeGroup.name)/\(volumeGroup.logicalVolumes[named].name)"
    let index = topology.holder(of: named)
    let isSeen = topology.isVisible(named) || topology.isVisible(index) || isVirtualOrigin(index)
    guard isSeen || options.mayBeHidden else {
      throw ActivationRefusal(title, .hiddenVolume)
    }
    var options = options
    if options.mode == .degraded, !mayBeDegraded(index) { options.mode = .complete }
    var builder = StackBuilder(topology, devices, options, title: title)
    let uuid = try builder.add(index)
    try builder.addMovedAlong()
    guard let top = builder.position(of: uuid) else {
      throw ActivationRefusal(title, .noDevice(of: volumeGroup.logicalVolumes[index].name))
    }
    return PlannedVolume(
      volume: title, devices: builder.devices, top: top, kind: kind(of: index))
  }

  /// An origin that nobody sees: its snapshots make a volume of nothing but what is written.
  private func isVirtualOrigin(_ index: Int) -> Bool {
    topology.roles[index].contains(.snapshotOrigin)
      && !volumeGroup.logicalVolumes[index].isVisible
  }

  /// Only volumes that are RAID themselves may lack images; what lies on others may not.
  private func mayBeDegraded(_ index: Int) -> Bool {
    let roles = topology.roles[index]
    return !roles.isDisjoint(with: [.raid, .raidImage, .raidMetadata])
      && !roles.contains(.snapshotOrigin)
  }

  private func kind(of index: Int) -> PlannedVolume.Kind {
    let roles = topology.roles[index]
    if !roles.isDisjoint(with: [.snapshotOrigin, .snapshotStore]) { return .origin }
    if roles.contains(.thinPool) { return .thinPool }
    if roles.contains(.thin) { return .thin }
    return roles.contains(.mirror) ? .mirror : .ordinary
  }
}

extension StackBuilder {
  /// All volumes that pvmove is moving change together.
  mutating func addMovedAlong() throws(ActivationRefusal) {
    var next = 0
    while next < devices.count {
      let id = devices[next].uuid.logicalVolume
      next += 1
      guard let index = topology.moves[id] else { continue }
      for user in topology.users[index] ?? [] {
        _ = try add(topology.holder(of: user))
      }
    }
  }
}
