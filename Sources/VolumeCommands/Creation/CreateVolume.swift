import ConfigText
import LVMMetadata

/// lvcreate (lvm2-allocation 2.1 and 10).
extension GroupEdit {
  /// Adds the LV, and says so.
  public mutating func create(_ request: CreateRequest) throws(VolumeGroupRefusal) {
    try checkCreatable(request)
    if let name = request.name {
      if request.kind.isPool, group.logicalVolume(named: name) != nil {
        throw VolumeGroupRefusal(
          "Logical volume \(name) already exists in Volume group \(group.name).")
      }
      try checkNewName(name)
    }
    if case .cachePoolOver(let volume) = request.kind {
      return try createCache(over: volume, request)
    }
    if case .cached(let cache) = request.kind { try check(cache) }
    var parameters = try stripeParameters(for: request)
    // LVM makes up a name when all that comes first has its own.
    var name = request.name ?? generatedName("lvol")
    switch request.kind {
    case .thin(let pool): try createThin(request, name: name, pool: pool)
    case .thinSnapshot(let origin): try createThinSnapshot(request, name: name, origin: origin)
    case .thinOver(let origin, let pool):
      try createThinSnapshot(request, name: name, externalOrigin: origin, pool: pool)
    case .unmapped(let type): try createUnmapped(type, request, name: name)
    case .cachePool, .cachePoolOver: name = try createCachePool(request)
    case .striped, .raid, .mirror, .snapshot, .thinPool, .cached:
      let request = try inExtents(request)
      let extents = try allocatableExtents(request.physicalVolumes)
      let size = try createSize(for: request, &parameters, extents)
      // A pool's spare comes first.
      if request.kind != .thinPool { try checkStripes(request, parameters, extents) }
      switch request.kind {
      // They say first what they make of their options.
      case .raid, .mirror, .thinPool: break
      default: try checkFreeSpace(size)
      }
      if case .thinPool = request.kind {
        name = try createThinPool(request, name: request.name, parameters, size)
      } else {
        try create(request, name: name, parameters, size, extents)
      }
    }
    print("Logical volume \"\(name)\" created.")
    if case .cached(let cache) = request.kind { try attach(cache, to: name, request) }
    if request.activates, request.kind != .cachePool { activations.append(name) }
  }

  /// Adds a thin pool that a thin volume is about to be made in: LVM speaks of the volume only.
  mutating func createPoolQuietly(
    _ request: CreateRequest
  ) throws(VolumeGroupRefusal) -> String {
    if let name = request.name { try checkNewName(name) }
    var parameters = try stripeParameters(for: request)
    let extents = try allocatableExtents(request.physicalVolumes)
    let size = try createSize(for: request, &parameters, extents)
    return try createThinPool(request, name: request.name, parameters, size)
  }

  private mutating func create(
    _ request: CreateRequest, name: String, _ parameters: StripeParameters, _ size: CreateSize,
    _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) {
    switch request.kind {
    case .striped, .cached:
      let volume = try stripedVolume(request, name: name, parameters, size, extents)
      try prepareStart(of: volume, request)
      add(volume)
    case .raid(let type):
      try createRAID(type, request, name: name, parameters, size, extents)
    case .mirror(let log):
      try createMirror(log, request, name: name, parameters, size, extents)
    case .snapshot(let origin):
      try createSnapshot(of: origin, request, name: name, parameters, size, extents)
    case .thinPool, .thin, .thinSnapshot, .thinOver, .unmapped, .cachePool, .cachePoolOver: break
    }
  }

  /// An LV without extents of any PV.
  private mutating func createUnmapped(
    _ type: String, _ request: CreateRequest, name: String
  ) throws(VolumeGroupRefusal) {
    var parameters = StripeParameters()
    let size = try createSize(
      for: request, &parameters, try allocatableExtents(request.physicalVolumes))
    if request.mustZero { print("Ignoring option -Zy or -Wy for unzeroable \(type) volume.") }
    var volume = topVolume(request, name: name)
    volume.segments = [.whole(type, extentCount: size.extentCount, ConfigSection())]
    add(volume)
  }

  // MARK: - Checks

  /// LVM asks for the command line's policy, and not for that of the group.
  func checkStripes(
    _ request: CreateRequest, _ parameters: StripeParameters, _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) {
    guard
      parameters.stripeCount == 1 || request.allocation?.policy == .anywhere
        || parameters.stripeCount <= extents.listedCount
    else {
      throw VolumeGroupRefusal(
        "Number of stripes (\(parameters.stripeCount)) must not exceed number of physical "
          + "volumes (\(extents.listedCount))")
    }
  }

  private func checkCreatable(_ request: CreateRequest) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let visible = group.logicalVolumes.filter(\.isVisible).count
    guard group.logicalVolumeLimit == 0 || visible < group.logicalVolumeLimit else {
      throw VolumeGroupRefusal(
        "Maximum number of logical volumes (\(group.logicalVolumeLimit)) reached in volume group "
          + "\(group.name)")
    }
    for tag in request.tags where !VolumeName.isValidTag(tag) {
      throw VolumeGroupRefusal("Tag \(tag) is not valid.")
    }
  }

  /// Throws unless an LV of the group may get the name.
  func checkNewName(_ name: String) throws(VolumeGroupRefusal) {
    guard VolumeName.isValid(name), group.name.utf8.count + name.utf8.count + 3 < 128 else {
      throw VolumeGroupRefusal("Logical volume name \"\(name)\" is invalid.")
    }
    guard !VolumeName.isReserved(name) else {
      throw VolumeGroupRefusal(
        "Names including \"\(VolumeName.reservedPart(of: name) ?? name)\" are reserved. "
          + "Please choose a different LV name.")
    }
    guard group.logicalVolume(named: name) == nil else {
      throw VolumeGroupRefusal(
        "Logical Volume \"\(name)\" already exists in volume group \"\(group.name)\"")
    }
  }

  func checkFreeSpace(_ size: CreateSize) throws(VolumeGroupRefusal) {
    let free = group.freeExtentCount
    guard size.isApproximate || size.extentCount <= free else {
      throw VolumeGroupRefusal(
        "Volume group \"\(group.name)\" has insufficient free space (\(free) extents): "
          + "\(size.extentCount) required.")
    }
  }

  /// The extents of the PVs that the command line names, or of all.
  ///
  /// - Parameter warns: tells of named PVs that are of no use; once in a command is enough.
  mutating func allocatableExtents(
    _ arguments: [PhysicalVolumeArgument]?, warns: Bool = true
  ) throws(VolumeGroupRefusal) -> AllocatableExtents {
    guard let arguments else { return try group.allocatableExtents(nil) }
    var warnings: [String] = []
    defer { if warns { for warning in warnings { warn(warning) } } }
    let choices = try group.physicalVolumeChoices(
      arguments, deviceName: context.deviceName,
      isUsable: { id in
        guard let reason = group.reasonAgainst(id, deviceName: context.deviceName(id)) else {
          return true
        }
        warnings.append(reason)
        return false
      }, resolve: context.physicalVolume)
    return try group.allocatableExtents(choices)
  }

  // MARK: - Linear and striped

  /// An LV of its own, not yet added, for itself or as a COW store.
  func stripedVolume(
    _ request: CreateRequest, name: String, _ parameters: StripeParameters, _ size: CreateSize,
    _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) -> LogicalVolume {
    var allocation = AllocationRequest(
      extentCount: size.extentCount, areaCount: parameters.stripeCount,
      multiple: parameters.stripeCount,
      policy: request.allocation?.policy ?? group.allocationPolicy,
      settings: settings.allocation)
    allocation.volumeName = name
    allocation.isApproximate = size.isApproximate
    let found = try group.allocate(allocation, from: extents)
    var volume = topVolume(request, name: name)
    volume.append(
      found.parts, slots: 0..<parameters.stripeCount, stripeSectors: parameters.stripeSectors)
    return volume
  }

  /// The LV that the user sees, with all that the command line says about it.
  func topVolume(_ request: CreateRequest, name: String) -> LogicalVolume {
    var volume = makeVolume(name, isVisible: true, isWritable: request.isWritable)
    volume.allocationPolicy = request.allocation?.policy
    volume.profile = request.profile
    for tag in request.tags where !volume.tags.contains(tag) { volume.tags.append(tag) }
    if !request.autoactivates { volume.flags.insert(.noAutoactivation) }
    if request.skipsActivation == true { volume.flags.insert(.activationSkip) }
    volume.readAheadSectors = request.readAheadSectors
    if let minor = request.minor {
      volume.status.insert(.fixedMinor)
      volume.major = Self.deviceMapperMajor
      volume.minor = minor
    }
    if group.lockType == "dlm" { volume.lockArguments = "dlm" }
    return volume
  }

  /// What LVM writes for the major number, whatever was given: the device-mapper's.
  static let deviceMapperMajor: Int32 = 254
}
