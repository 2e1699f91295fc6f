import ConfigText
import LVMMetadata

/// Which volumes are parts of others: origins, copy-on-write stores, images, pool data …
///
/// The segments of such volumes may look like those of an ordinary linear one, but their devices
/// do not. Because segments of unknown types must be understood as well, every string in a segment
/// that is not known to mean something else counts as the name of a volume.
struct VolumeReferences: Sendable {
  struct User: Sendable {
    let volume: String
    let segmentType: String
  }

  private var users: [String: User] = [:]

  init(of volumeGroup: VolumeGroup) {
    let labels = Set(volumeGroup.physicalVolumes.map(\.label))
    for volume in volumeGroup.logicalVolumes {
      for segment in volume.segments {
        let user = User(volume: volume.name, segmentType: segment.typeName)
        for name in Self.names(in: segment, labels: labels) where users[name] == nil {
          users[name] = user
        }
      }
    }
  }

  func user(of volume: String) -> User? { users[volume] }

  private static func names(in segment: Segment, labels: Set<String>) -> [String] {
    switch segment.kind {
    case .striped(let layout):
      layout.areas.compactMap { area in
        switch area.source {
        case .logicalVolume(let name): name
        case .physicalVolume: nil
        }
      }
    case .other(_, let section):
      names(in: section, labels: labels)
    }
  }

  private static func names(in section: ConfigSection, labels: Set<String>) -> [String] {
    section.entries.flatMap { entry -> [String] in
      guard !wordKeys.contains(entry.name) else { return [] }
      switch entry.content {
      case .section(let inner):
        return names(in: inner, labels: labels)
      case .value(let value):
        let strings = strings(in: value)
        // In area lists a name means a physical volume first (lvm2-metadata 7).
        return areaKeys.contains(entry.name) ? strings.filter { !labels.contains($0) } : strings
      }
    }
  }

  private static func strings(in value: ConfigValue) -> [String] {
    switch value {
    case .string(let text): [text]
    case .list(let items): items.flatMap(strings(in:))
    case .integer, .float, .bytes: []
    }
  }

  private static let areaKeys: Set<String> = ["mirrors", "stripes"]

  /// Keys of known segment types whose strings are not names of volumes (lvm2-metadata 7).
  private static let wordKeys: Set<String> = [
    "cache_mode", "data_id", "discards", "internal_hash", "metadata_id", "mode", "policy",
    "policy_settings", "tags", "type", "write_policy", "writecache_setting_key",
    "writecache_setting_val",
  ]
}
