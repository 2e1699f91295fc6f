import LVMMetadata

/// Writes to extents that no LV has yet, or whose LV gives them up, before metadata that gives them to one is committed.
///
/// Whatever a command decided: extents in use are never written to.
public struct ExtentWriter {
  private let group: ScannedVolumeGroup
  private let used: [[UsedArea]]

  private static let transferSize = 1 << 20

  /// - Parameter group: as it is on disk, with devices opened for writing.
  public init(_ group: ScannedVolumeGroup) {
    self.group = group
    used = group.volumeGroup.usedAreasByPhysicalVolume()
  }

  /// Zeroes the starts of extents, durably.
  public func wipe(_ wipes: [ExtentWipe]) throws(MetadataDeviceError) {
    for wipe in wipes {
      let (device, offset) = try position(of: wipe.firstExtent, on: wipe.volume)
      let extentBytes = group.volumeGroup.extentSizeSectors * 512
      let last = (wipe.offset + UInt64(max(wipe.byteCount, 1)) - 1) / extentBytes
      for extent in 0...Int(last) {
        try requireFree(
          wipe.firstExtent + extent, on: wipe.volume, orHeldBy: wipe.givenUpBy)
      }
      try zero(wipe.byteCount, at: offset + wipe.offset, on: device)
      try device.flush()
    }
  }

  /// Zeroes bytes; others of their sectors stay as they are.
  private func zero(
    _ count: Int, at offset: UInt64, on device: any MetadataDevice
  ) throws(MetadataDeviceError) {
    let unit = UInt64(device.logicalSectorSize)
    let end = offset + UInt64(count)
    var position = offset
    while position < end {
      let next = min(end, (position / unit * unit) + UInt64(Self.transferSize))
      let first = position / unit * unit
      let padded = Int((next + unit - 1) / unit * unit - first)
      var bytes = [UInt8](repeating: 0, count: padded)
      if first != position || Int(next - first) != padded {
        bytes = try device.read(at: first, count: padded)
        for index in Int(position - first)..<Int(next - first) { bytes[index] = 0 }
      }
      try device.write(bytes, at: first)
      position = next
    }
  }

  /// Copies the contents of extents, durably.
  public func copy(_ copies: [ExtentCopy]) throws(MetadataDeviceError) {
    let size = group.volumeGroup.extentSizeSectors * 512
    for copy in copies {
      for index in 0..<copy.extentCount {
        let (source, from) = try position(of: copy.firstExtent + index, on: copy.source)
        let target = copy.destinationExtent + index
        try requireFree(target, on: copy.destination)
        let (destination, to) = try position(of: target, on: copy.destination)
        var done: UInt64 = 0
        while done < size {
          let count = Int(min(size - done, UInt64(Self.transferSize)))
          try destination.write(try source.read(at: from + done, count: count), at: to + done)
          done += UInt64(count)
        }
      }
      try position(of: copy.destinationExtent, on: copy.destination).device.flush()
    }
  }

  private func position(
    of extent: Int, on id: LVMIdentifier
  ) throws(MetadataDeviceError) -> (device: any MetadataDevice, offset: UInt64) {
    guard let member = group.members.first(where: { $0.id == id }),
      case .present(let scanned) = member.state,
      let volume = group.volumeGroup.physicalVolume(id: id)
    else {
      throw MetadataDeviceError(device: id.dashed, operation: .open, reason: "the PV is missing")
    }
    let sectors = volume.extentStartSectors + group.volumeGroup.sectors(extents: extent)
    return (scanned.device, sectors * 512)
  }

  private func requireFree(
    _ extent: Int, on id: LVMIdentifier, orHeldBy owner: String? = nil
  ) throws(MetadataDeviceError) {
    guard let index = group.volumeGroup.physicalVolumes.firstIndex(where: { $0.id == id }) else {
      return
    }
    if let area = used[index].first(where: { $0.extents.contains(extent) }),
      area.logicalVolume != owner
    {
      throw MetadataDeviceError(
        device: id.dashed, operation: .write,
        reason: "extent \(extent) belongs to \(area.logicalVolume)")
    }
  }
}
