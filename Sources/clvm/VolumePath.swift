import ArgumentParser
import LVMSystemDirectory
import VolumeActivation

/// The ways in which users name logical volumes.
enum VolumePath {
  private static let folder = DeviceDirectory.path + "/"

  /// `VG/LV`, `/dev/VG/LV` or `/dev/mapper/VG-LV`; with another folder in `DM_DEV_DIR`, that one.
  static func parse(_ text: String) throws -> (group: String, volume: String) {
    let mapped = folder + "mapper/"
    if text.hasPrefix(mapped) {
      guard let name = MappedDeviceName(text.dropFirst(mapped.count)), name.layer == nil
      else { throw ValidationError("\(text) is not the path of a logical volume.") }
      return (name.volumeGroup, name.logicalVolume)
    }
    let parts = withoutFolder(text).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
      throw ValidationError("\(text) does not name a logical volume: use VG/LV.")
    }
    return (String(parts[0]), String(parts[1]))
  }

  /// A volume group by name or `/dev/VG`; nil when the text names a logical volume.
  static func volumeGroup(_ text: String) -> String? {
    let name = withoutFolder(text)
    return name.contains("/") ? nil : String(name)
  }

  private static func withoutFolder(_ text: String) -> Substring {
    text.hasPrefix(folder) ? text.dropFirst(folder.count) : text[...]
  }
}
