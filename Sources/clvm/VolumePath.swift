import ArgumentParser
import VolumeActivation

/// The ways in which users name logical volumes.
enum VolumePath {
  /// `VG/LV`, `/dev/VG/LV` or `/dev/mapper/VG-LV`.
  static func parse(_ text: String) throws -> (group: String, volume: String) {
    if text.hasPrefix("/dev/mapper/") {
      guard let name = MappedDeviceName(text.dropFirst("/dev/mapper/".count)), name.layer == nil
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
    text.hasPrefix("/dev/") ? text.dropFirst("/dev/".count) : text[...]
  }
}
