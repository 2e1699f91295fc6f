/// What a scan found that an administrator should know; reading went on all the same.
public enum MetadataWarning: Sendable, Equatable, CustomStringConvertible {
  case unreadableDevice(MetadataDeviceError)
  case strayLabel(device: String, found: Int, stored: UInt64)
  case malformedLabel(device: String, sector: Int)
  case additionalLabel(device: String, sector: Int)
  case unusableArea(device: String, offset: UInt64, MetadataAreaError)
  case staleMetadata(
    device: String, seqno: UInt32, newestDevice: String, newestSeqno: UInt32, group: String)
  case missingPhysicalVolume(id: LVMIdentifier, hint: String?, group: String)
  /// Marked missing in an earlier change; its extents may be stale though the device is back.
  case returnedPhysicalVolume(device: String, id: LVMIdentifier, group: String)
  case outdatedPhysicalVolume(device: String, id: LVMIdentifier, group: String)
  case duplicatePhysicalVolume(id: LVMIdentifier, chosen: String, other: String)
  case duplicateGroupName(name: String, ids: [LVMIdentifier])
  case claimedTwice(device: String, id: LVMIdentifier, groups: [String])
  case unusedMark(device: String, group: String)
  case usedOrphan(device: String, id: LVMIdentifier)
  case deviceTooSmall(device: String, sizeBytes: UInt64, neededBytes: UInt64, group: String)

  /// True for obstacles that `MetadataCommit.Purpose.repair` takes away or may leave as they are.
  var isRepairable: Bool {
    switch self {
    case .unusableArea, .staleMetadata, .missingPhysicalVolume, .returnedPhysicalVolume,
      .outdatedPhysicalVolume, .unusedMark:
      true
    case .unreadableDevice, .strayLabel, .malformedLabel, .additionalLabel,
      .duplicatePhysicalVolume, .duplicateGroupName, .claimedTwice, .usedOrphan, .deviceTooSmall:
      false
    }
  }

  public var description: String {
    switch self {
    case .unreadableDevice(let error): "\(error)"
    case .strayLabel(let device, let found, let stored):
      "ignoring the label in sector \(found) of \(device): it was written for sector \(stored)"
    case .malformedLabel(let device, let sector):
      "ignoring the malformed label in sector \(sector) of \(device)"
    case .additionalLabel(let device, let sector):
      "ignoring the additional label in sector \(sector) of \(device)"
    case .unusableArea(let device, let offset, let error):
      "metadata area at byte \(offset) of \(device) is unusable: \(error)"
    case .staleMetadata(let device, let seqno, let newestDevice, let newestSeqno, let group):
      "ignoring metadata seqno \(seqno) on \(device) for seqno \(newestSeqno) on \(newestDevice) "
        + "for VG \(group)"
    case .missingPhysicalVolume(let id, let hint, let group):
      "VG \(group) is missing PV \(id)" + (hint.map { " (last written to \($0))" } ?? "")
    case .returnedPhysicalVolume(let device, let id, let group):
      "VG \(group) was changed while PV \(id) on \(device) was missing; "
        + "run vgextend --restoremissing if what it holds is still good"
    case .outdatedPhysicalVolume(let device, let id, let group):
      "outdated PV \(id) on \(device): it was removed from VG \(group) while it was missing"
    case .duplicatePhysicalVolume(let id, let chosen, let other):
      "PV \(id) is found twice: using \(chosen), not \(other)"
    case .duplicateGroupName(let name, let ids):
      "VG name \(name) is used by \(ids.count) VGs: "
        + ids.map(\.description).joined(separator: ", ")
    case .claimedTwice(let device, let id, let groups):
      "PV \(id) on \(device) is listed by VGs \(groups.joined(separator: " and "))"
    case .unusedMark(let device, let group):
      "the label of \(device) does not say that it is used by VG \(group)"
    case .usedOrphan(let device, let id):
      "PV \(id) on \(device) is marked as used, but no VG that lists it was found"
    case .deviceTooSmall(let device, let size, let needed, let group):
      "device \(device) has \(size) bytes, but VG \(group) uses it up to byte \(needed)"
    }
  }
}
