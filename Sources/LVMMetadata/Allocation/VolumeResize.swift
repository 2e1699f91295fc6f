/// How an LV is to be resized: the options of lvextend and lvreduce (lvm2-allocation 2.3 and 11).
public struct ResizeRequest: Sendable {
  /// Nil with PVs named stands for "+100%PVS".
  public var size: SizeArgument?
  /// `-i`; nil takes over what the LV has.
  public var stripeCount: Int?
  /// `-I`; nil takes over what the LV has.
  public var stripeSizeSectors: UInt64?
  /// `--alloc`, for this time only; nil takes the LV's policy or the VG's.
  public var allocationPolicy: AllocationPolicy?
  /// In the order of the command line; nil stands for all PVs.
  public var physicalVolumes: [PhysicalVolumeChoice]?
  public var settings: AllocationSettings

  public init(
    size: SizeArgument?, stripeCount: Int? = nil, stripeSizeSectors: UInt64? = nil,
    allocationPolicy: AllocationPolicy? = nil, physicalVolumes: [PhysicalVolumeChoice]? = nil,
    settings: AllocationSettings = AllocationSettings()
  ) {
    self.size = size
    self.stripeCount = stripeCount
    self.stripeSizeSectors = stripeSizeSectors
    self.allocationPolicy = allocationPolicy
    self.physicalVolumes = physicalVolumes
    self.settings = settings
  }
}

/// A resized LV, not yet written.
public struct ResizeResult: Sendable, Equatable {
  /// The next version: one LV changed, seqno greater by one.
  public var volumeGroup: VolumeGroup
  public var oldExtentCount: Int
  public var newExtentCount: Int
  /// What LVM would print on the way, in order.
  public var messages: [String]
}

extension VolumeGroup {
  /// The LV to resize, if this is possible at all.
  func resizableVolume(named volumeName: String) throws(VolumeGroupRefusal) -> LogicalVolume {
    try checkChangeable()
    guard status.contains(.resizeable) else {
      throw VolumeGroupRefusal("Volume group \(name) is not resizeable")
    }
    guard let volume = logicalVolume(named: volumeName) else {
      throw VolumeGroupRefusal(
        "Logical volume \(volumeName) not found in volume group \(name).")
    }
    guard volume.isVisible else {
      throw VolumeGroupRefusal("Can't resize internal logical volume \(name)/\(volumeName).")
    }
    guard !volume.status.contains(.locked), !volume.status.contains(.pvmove) else {
      throw VolumeGroupRefusal("Can't resize locked logical volume \(name)/\(volumeName).")
    }
    for other in logicalVolumes where other.name != volumeName {
      guard !logicalVolumesBelow(other).contains(volumeName) else {
        throw VolumeGroupRefusal(
          "Can't resize \(name)/\(volumeName): logical volume \(other.name) is built on it. "
            + "Use LVM's own lvresize.")
      }
    }
    for segment in volume.segments {
      guard let layout = segment.stripedLayout,
        layout.areas.allSatisfy({ $0.physicalVolume != nil }), segment.reshapeCount == 0
      else {
        throw VolumeGroupRefusal(
          "Can't resize \(name)/\(volumeName): only linear and striped volumes directly on "
            + "physical volumes can be resized, not type \(segment.typeName). "
            + "Use LVM's own lvresize.")
      }
    }
    return volume
  }

  /// This group's next version, which a changeable group has, with `volume` in place of the one of that name.
  func replacing(_ volume: LogicalVolume) -> VolumeGroup {
    var group = self
    group.seqno += 1
    for index in group.logicalVolumes.indices where group.logicalVolumes[index].name == volume.name
    {
      group.logicalVolumes[index] = volume
    }
    return group
  }

  /// "Size of logical volume … changed from … to …."
  func resizeMessage(_ volume: LogicalVolume, to extentCount: Int) -> String {
    let old = DisplayUnit.message(sectors: sectors(extents: volume.extentCount))
    let new = DisplayUnit.message(sectors: sectors(extents: extentCount))
    return "Size of logical volume \(name)/\(volume.name) changed from \(old) "
      + "(\(volume.extentCount) extents) to \(new) (\(extentCount) extents)."
  }

  /// `sectors` in extents, up or down; says so when it is not a whole number.
  func extents(
    sectors size: UInt64, roundingUp: Bool, messages: inout [String]
  ) throws(VolumeGroupRefusal) -> Int {
    let (whole, rest) = size.quotientAndRemainder(dividingBy: extentSizeSectors)
    guard whole < UInt32.max else {
      throw VolumeGroupRefusal("Size exceeds the \(UInt32.max) extents that LVM can number.")
    }
    let count = whole + (rest > 0 && roundingUp ? 1 : 0)
    if rest > 0 {
      let shown = DisplayUnit.message(sectors: count * extentSizeSectors)
      messages.append("Rounding size to boundary between physical extents: \(shown).")
    }
    return Int(count)
  }
}

/// `percent` of `count`, up or down to a whole number; beyond all extents when it is absurd.
func percentage(_ percent: Int, of count: Int, roundingUp: Bool) -> Int {
  let (product, overflow) = percent.multipliedReportingOverflow(by: count)
  guard !overflow else { return Int(UInt32.max) + 1 }
  let (whole, rest) = product.quotientAndRemainder(dividingBy: 100)
  return whole + (roundingUp && rest > 0 ? 1 : 0)
}
