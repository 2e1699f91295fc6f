import LVMMetadata
import VolumeActivation

/// The name by which LVM 2.02's commands call a logical volume: the UUIDs of VG and LV without
/// hyphens, 64 characters (clvmd-socket spec, section 7).
struct VolumeIdentity: Hashable, Sendable, CustomStringConvertible {
  let group: LVMIdentifier
  let volume: LVMIdentifier

  init(group: LVMIdentifier, volume: LVMIdentifier) {
    self.group = group
    self.volume = volume
  }

  /// Nil for anything else.
  init?(_ text: String) {
    let characters = Array(text.utf8)
    guard characters.count == 64, let group = LVMIdentifier(bytes: characters[..<32]),
      let volume = LVMIdentifier(bytes: characters[32...]), !characters.contains(UInt8(ascii: "-"))
    else { return nil }
    self.init(group: group, volume: volume)
  }

  var description: String { group.plain + volume.plain }
  /// The volume's own device.
  var device: MappedDeviceUUID {
    MappedDeviceUUID(volumeGroup: group, logicalVolume: volume)
  }
}

/// Why a node's part of a command failed, in the words that the client prints.
struct VolumeRefusal: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
