/// lvreduce for linear and striped LVs (lvm2-allocation 11).
extension VolumeGroup {
  /// The next version of the group with the LV reduced; nothing is changed on disk, and what the
  /// cut part holds is not looked at.
  ///
  /// - Throws: what LVM would print, as a refusal.
  public func reducingLogicalVolume(
    named volumeName: String, to size: SizeArgument
  ) throws(VolumeGroupRefusal) -> ResizeResult {
    var volume = try resizableVolume(named: volumeName)
    let existing = volume.extentCount
    var messages: [String] = []
    let amount: Int
    switch size.amount {
    case .extents(let count): amount = count
    case .sectors(let sectors):
      amount = try extents(
        sectors: sectors, roundingUp: size.sign != .decrease, messages: &messages)
    case .percentage(let percent, let base):
      let count = try reducibleExtentCount(of: base, volume)
      amount = percentage(percent, of: count, roundingUp: size.sign != .decrease)
    }
    var target: Int
    switch size.sign {
    case .increase: throw VolumeGroupRefusal("Positive sign not permitted - use lvextend")
    case .decrease: target = existing - amount
    case .absolute: target = amount
    }
    guard target >= 1 else {
      throw VolumeGroupRefusal("Unable to reduce \(name)/\(volumeName) below 1 extent.")
    }
    guard target <= existing else {
      throw VolumeGroupRefusal(
        "New size given (\(target) extents) not less than existing size (\(existing) extents)")
    }
    target = roundedUpToStripes(target, of: volume, &messages)
    guard target < existing else {
      throw VolumeGroupRefusal(
        "New size (\(target) extents) matches existing size (\(existing) extents)")
    }
    messages.append(resizeMessage(volume, to: target))
    volume.segments = volume.segments.compactMap { segment in
      guard segment.startExtent < target else { return nil }
      var segment = segment
      segment.extentCount = min(segment.endExtent, target) - segment.startExtent
      return segment
    }
    return ResizeResult(
      volumeGroup: replacing(volume), oldExtentCount: existing, newExtentCount: target,
      messages: messages)
  }

  private func reducibleExtentCount(
    of base: SizeArgument.Base, _ volume: LogicalVolume
  ) throws(VolumeGroupRefusal) -> Int {
    switch base {
    case .volumeGroup, .physicalVolumes: return extentCount
    case .free: return freeExtentCount
    case .logicalVolume: return volume.extentCount
    case .origin: throw VolumeGroupRefusal("Only snapshots may be sized by their origin.")
    }
  }

  /// The segment in which the LV is to end keeps whole stripes.
  private func roundedUpToStripes(
    _ target: Int, of volume: LogicalVolume, _ messages: inout [String]
  ) -> Int {
    guard let last = volume.segments.last(where: { $0.startExtent < target }),
      let layout = last.stripedLayout, layout.areas.count > 1, target < last.endExtent
    else { return target }
    let unit = layout.areas.count * Int(max(1, layout.stripeSizeSectors / extentSizeSectors))
    let rest = (target - last.startExtent) % unit
    guard rest > 0 else { return target }
    let rounded = min(target - rest + unit, last.endExtent)
    messages.append(
      "Rounding size (\(target) extents) up to stripe boundary size for segment "
        + "(\(rounded) extents).")
    return rounded
  }
}
