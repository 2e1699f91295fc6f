/// Finds physical volumes and volume groups on devices, as LVM does (lvm2-metadata 4).
public enum MetadataScanner {
  /// Which text of an area is read.
  public enum Slot: Sendable {
    case committed
    /// The text of a change under way where there is one, else the committed one. Only for those
    /// who take part in the change and know that its lock is held.
    case precommitted
  }

  /// Reads labels and metadata of `devices`. Faults of single devices become warnings.
  public static func scan(
    _ devices: [any MetadataDevice], slot: Slot = .committed
  ) -> MetadataScan {
    var texts = MetadataTextCache()
    return scan(devices, slot: slot, texts: &texts)
  }

  /// The same for whoever scans again and again: texts that are still what they were at the last
  /// scan with `texts` are read, but not parsed.
  public static func scan(
    _ devices: [any MetadataDevice], slot: Slot = .committed, texts: inout MetadataTextCache
  ) -> MetadataScan {
    var scan = MetadataScan()
    texts.beginScan()
    defer { texts.endScan() }
    for device in devices {
      do throws(MetadataDeviceError) {
        guard let volume = try read(device, slot: slot, texts: &texts, &scan.warnings) else {
          continue
        }
        scan.physicalVolumes.append(volume)
      } catch {
        scan.warnings.append(.unreadableDevice(error))
      }
    }
    GroupAssembly(scan: scan).assemble(into: &scan)
    return scan
  }

  /// Reads one group again; nil when none of `devices` has metadata of it.
  public static func readGroup(
    id: LVMIdentifier, from devices: [any MetadataDevice], slot: Slot = .committed
  ) -> ScannedVolumeGroup? {
    scan(devices, slot: slot).group(id: id)
  }

  /// The label of a device; nil when it has none.
  public static func label(
    of device: any MetadataDevice
  ) throws(MetadataDeviceError) -> PhysicalVolumeLabel? {
    let size = PhysicalVolumeLabel.sectorCount * PhysicalVolumeLabel.sectorSize
    guard device.sizeBytes >= UInt64(size) else { return nil }
    var warnings: [MetadataWarning] = []
    return PhysicalVolumeLabel.find(
      in: try device.read(at: 0, count: size), device: device.name, warnings: &warnings)
  }

  /// Nil when the device has no label.
  private static func read(
    _ device: any MetadataDevice, slot: Slot, texts: inout MetadataTextCache,
    _ warnings: inout [MetadataWarning]
  ) throws(MetadataDeviceError) -> ScannedPhysicalVolume? {
    let labelBytes = PhysicalVolumeLabel.sectorCount * PhysicalVolumeLabel.sectorSize
    guard device.sizeBytes >= UInt64(labelBytes) else { return nil }
    let sectors = try device.read(at: 0, count: labelBytes)
    guard
      let label = PhysicalVolumeLabel.find(in: sectors, device: device.name, warnings: &warnings)
    else { return nil }
    var volume = ScannedPhysicalVolume(device: device, label: label, areas: [])
    for area in label.metadataAreas.prefix(2) {
      let state = read(area, of: device, slot: slot, texts: &texts)
      switch state {
      case .unusable(let error), .damaged(_, let error):
        warnings.append(.unusableArea(device: device.name, offset: area.offset, error))
      case .ignored, .empty, .text: break
      }
      volume.areas.append(ScannedArea(area: area, state: state))
    }
    return volume
  }

  private static func read(
    _ area: DiskArea, of device: any MetadataDevice, slot: Slot, texts: inout MetadataTextCache
  ) -> ScannedArea.State {
    let header: MetadataAreaHeader
    do {
      header = try readHeader(of: area, on: device)
    } catch {
      return .unusable(error)
    }
    if header.isIgnored { return .ignored(header) }
    guard let location = header.location(slot) else { return .empty(header) }
    do throws(MetadataAreaError) {
      return .text(header, try texts.text(at: location, header, device), location)
    } catch {
      // Once more: a writer may have been at work between the header and the text.
      if let again = try? readHeader(of: area, on: device), let location = again.location(slot),
        let text = try? texts.text(at: location, again, device)
      {
        return .text(again, text, location)
      }
      return .damaged(header, error)
    }
  }

  /// Reads and checks the header of a metadata area.
  static func readHeader(
    of area: DiskArea, on device: any MetadataDevice
  ) throws(MetadataAreaError) -> MetadataAreaHeader {
    let bytes: [UInt8]
    do {
      bytes = try device.read(at: area.offset, count: MetadataAreaHeader.encodedSize)
    } catch {
      throw .device(error)
    }
    let header = try MetadataAreaHeader(parsing: bytes, start: area.offset)
    guard header.start + header.size <= device.sizeBytes else { throw .wrongSize(header.size) }
    return header
  }
}

extension MetadataAreaHeader {
  /// The text that `slot` selects; a precommitted one must be another one than the committed.
  fileprivate func location(_ slot: MetadataScanner.Slot) -> TextLocation? {
    switch slot {
    case .committed: break
    case .precommitted:
      if let precommitted, precommitted.size != 0, precommitted.offset != committed?.offset {
        return precommitted
      }
    }
    return committed
  }
}
