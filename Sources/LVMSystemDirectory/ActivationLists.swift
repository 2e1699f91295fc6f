import ConfigText
import LVMMetadata

/// Which volumes lvm.conf lets be active on this host, and which only without permission to write.
public struct ActivationLists: Sendable {
  /// `activation/volume_list`; nil when it is not set.
  private let volumes: [String]?
  /// `activation/read_only_volume_list`.
  private let readOnlyVolumes: [String]?
  private let hostTags: Set<String>

  public init(_ configuration: LVMConfiguration, hostName: String) {
    volumes = configuration.strings("activation/volume_list")
    readOnlyVolumes = configuration.strings("activation/read_only_volume_list")
    hostTags = Self.tags(configuration, hostName)
  }

  /// `tags { hosttags = 1  name { host_list = [ "a", "b" ] } }`: a tag without a list is set on
  /// every host; `@` and the host's name are the same tag with `hosttags`.
  private static func tags(_ configuration: LVMConfiguration, _ hostName: String) -> Set<String> {
    var tags: Set<String> = []
    if configuration.boolean("tags/hosttags") == true { tags.insert(hostName) }
    for name in configuration.sectionNames("tags") {
      let hosts = configuration.strings("tags/\(name)/host_list")
      guard hosts == nil || hosts?.contains(hostName) == true else { continue }
      tags.insert(name.hasPrefix("@") ? String(name.dropFirst()) : name)
    }
    return tags
  }

  /// Without a list every volume may be active; where the host has tags, one that shares a tag.
  public func mayBeActive(_ volume: LogicalVolume, of group: VolumeGroup) -> Bool {
    if let volumes { return matches(volumes, volume, group) }
    return hostTags.isEmpty || !hostTags.isDisjoint(with: volume.tags + group.tags)
  }

  public func isReadOnly(_ volume: LogicalVolume, of group: VolumeGroup) -> Bool {
    readOnlyVolumes.map { matches($0, volume, group) } ?? false
  }

  /// An entry is `vg`, `vg/lv`, `@tag`, or `@*` for any tag of the host.
  private func matches(_ list: [String], _ volume: LogicalVolume, _ group: VolumeGroup) -> Bool {
    let tags = Set(volume.tags + group.tags)
    return list.contains { entry in
      if entry == "@*" { return !hostTags.isDisjoint(with: tags) }
      if entry.hasPrefix("@") { return tags.contains(String(entry.dropFirst())) }
      return entry == group.name || entry == "\(group.name)/\(volume.name)"
    }
  }
}
