import LVMMetadata

/// What lies where a new LV will: read from the PVs before the LV exists.
public final class FutureVolume: MetadataDevice {
  /// As it will be called.
  public let name: String
  public let sizeBytes: UInt64
  private let volume: LogicalVolume
  private let group: VolumeGroup
  private var devices: [LVMIdentifier: any MetadataDevice] = [:]

  init(_ volume: LogicalVolume, of group: VolumeGroup) {
    name = "/dev/\(group.name)/\(volume.name)"
    sizeBytes = group.sizeSectors(of: volume) * 512
    self.volume = volume
    self.group = group
  }

  /// Where it reads from.
  public func open(on scanned: ScannedVolumeGroup) {
    for member in scanned.members { devices[member.id] = member.scanned?.device }
  }

  public var logicalSectorSize: Int { devices.values.map(\.logicalSectorSize).max() ?? 512 }

  public func read(at offset: UInt64, count: Int) throws(MetadataDeviceError) -> [UInt8] {
    guard let pieces = group.placement(of: volume, offset..<offset + UInt64(count)) else {
      throw failure(.read, "volumes of this type are not understood")
    }
    var bytes = [UInt8](repeating: 0, count: count)
    for piece in pieces where !piece.isFurtherCopy {
      guard let device = devices[piece.volume],
        let start = group.physicalVolume(id: piece.volume)?.extentStartSectors
      else { throw failure(.open, "the PV \(piece.volume.dashed) is missing") }
      let first = Int(piece.offset - offset)
      bytes.replaceSubrange(
        first..<first + Int(piece.byteCount),
        with: try device.read(at: start * 512 + piece.place, count: Int(piece.byteCount)))
    }
    return bytes
  }

  public func write(_ bytes: [UInt8], at offset: UInt64) throws(MetadataDeviceError) {
    throw failure(.write, "the volume does not exist yet")
  }

  public func flush() throws(MetadataDeviceError) {}

  private func failure(
    _ operation: MetadataDeviceError.Operation, _ reason: String
  ) -> MetadataDeviceError {
    MetadataDeviceError(device: name, operation: operation, reason: reason)
  }
}

extension GroupEdit {
  /// Prepares an LV that will be active and writable for its first use: what others would take its
  /// old contents for is wiped, and its start is zeroed. Warns where neither is done.
  mutating func prepareStart(
    of volume: LogicalVolume, _ request: CreateRequest
  ) throws(VolumeGroupRefusal) {
    let wipes =
      request.wipesSignatures ?? (request.zeroes && settings.wipesSignaturesWhenZeroing)
    guard request.activates, request.isWritable, request.zeroes || wipes else {
      warn("WARNING: Logical volume \(group.name)/\(volume.name) not zeroed.")
      return
    }
    if wipes { try wipeSignatures(on: volume) }
    if request.zeroes { wipeStart(of: volume) }
  }

  private mutating func wipeSignatures(on volume: LogicalVolume) throws(VolumeGroupRefusal) {
    let device = FutureVolume(volume, of: group)
    var refused: [String] = []
    var wiped: [ForeignSignature] = []
    try context.reviewSignatures(device) { signature in
      // The store of a snapshot that was is nobody's data.
      guard
        signature.type == "DM_snapshot_cow"
          || context.confirm(signature.question(on: device.name))
      else {
        refused.append("Aborted wiping of \(signature.type).")
        return false
      }
      wiped.append(signature)
      return true
    }
    for signature in wiped {
      print("Wiping \(signature.type) signature on \(device.name).")
      let end = signature.offset + UInt64(signature.byteCount)
      guard let pieces = group.placement(of: volume, signature.offset..<end) else {
        throw VolumeGroupRefusal(
          "Failed to wipe signatures on logical volume \(group.name)/\(volume.name): volumes of this "
            + "type are not understood.")
      }
      for piece in pieces { wipe(piece) }
    }
    guard refused.isEmpty else {
      let count = refused.count
      var refusal = VolumeGroupRefusal("")
      refusal.messages =
        refused + [
          "\(count) existing signature\(count == 1 ? "" : "s") left on the device.",
          "Failed to wipe signatures on logical volume \(group.name)/\(volume.name).",
          "Aborting. Failed to wipe start of new LV.",
        ]
      throw refusal
    }
  }

  private mutating func wipe(_ piece: PlacedBytes) {
    let (extent, offset) = piece.place.quotientAndRemainder(
      dividingBy: group.extentSizeSectors * 512)
    wipes.append(
      ExtentWipe(
        volume: piece.volume, firstExtent: Int(extent), byteCount: Int(piece.byteCount),
        offset: offset))
  }
}
