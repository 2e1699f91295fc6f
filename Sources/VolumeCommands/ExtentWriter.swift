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
      let extentBytes = Int(group.volumeGroup.extentSizeSectors) * 512
      for extent in 0..<max((wipe.byteCount + extentBytes - 1) / extentBytes, 1) {
        try requireFree(
          wipe.firstExtent + extent, on: wipe.volume, orHeldBy: wipe.givenUpBy)
      }
      var written = 0
      while written < wipe.byteCount {
        let count = min(wipe.byteCount - written, Self.transferSize)
        let unit = device.logicalSectorSize
        let padded = (count + unit - 1) / unit * unit
        try device.write([UInt8](repeating: 0, count: padded), at: offset + UInt64(written))
        written += padded
      }
      try device.flush()
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
