import ConfigText
import LVMMetadata

/// What lvchange may be told about a cache.
public struct CacheChange: Sendable, Equatable {
  /// "writethrough", "writeback" or "passthrough".
  public var mode: String?
  public var policy: String?
  /// Nil values take a setting away, so that the policy's own default holds.
  var settings: [(key: String, value: Int64?)] = []

  public init() {}

  var isEmpty: Bool { mode == nil && policy == nil && settings.isEmpty }

  public static func == (left: Self, right: Self) -> Bool {
    left.mode == right.mode && left.policy == right.policy
      && left.settings.elementsEqual(right.settings) { $0.key == $1.key && $0.value == $1.value }
  }
}

/// lvchange --cachemode, --cachepolicy and --cachesettings (lvm2-metadata 7.6).
extension GroupEdit {
  mutating func changeCache(
    _ name: String, _ change: CacheChange
  ) throws(VolumeGroupRefusal) {
    let path = "\(group.name)/\(name)"
    guard let volume = group.logicalVolume(named: name), let segment = volume.segments.first,
      ["cache", "cache-pool", "writecache"].contains(segment.baseType)
    else {
      throw VolumeGroupRefusal(
        "Command on LV \(path) uses options that require LV types cache cachepool writecache .",
        "Command not permitted on LV \(path).")
    }
    guard segment.baseType != "writecache" else {
      throw VolumeGroupRefusal(
        "Command not permitted on LV \(path): clvm does not change the settings of write caches, "
          + "LVM's own lvchange does.")
    }
    let pool = segment.volumeName("cache_pool").flatMap { group.logicalVolume(named: $0) }
    let isPooled = pool?.segments.first?.baseType == "cache-pool"
    let owner = isPooled ? pool?.name ?? name : name
    guard let old = group.logicalVolume(named: owner)?.segments.first else { return }
    if let mode = change.mode, segment.baseType == "cache",
      old.volumeName("cache_mode") == "writeback", mode != "writeback"
    {
      // What is in the cache only has to be written back first, which the kernel does.
      throw VolumeGroupRefusal(
        "Cache \(path) may hold blocks that its origin lacks, refusing to switch cache mode.",
        "LVM's own lvchange waits until the kernel has written them back.")
    }
    update(owner) { $0.segments[0].edit { $0.apply(change) } }
    if context.isActive(volume.id), !reloads.contains(name) { reloads.append(name) }
  }
}

extension ConfigSection {
  fileprivate mutating func apply(_ change: CacheChange) {
    let policy = change.policy ?? string("policy") ?? (change.settings.isEmpty ? nil : "smq")
    var settings = section("policy_settings") ?? ConfigSection()
    for (key, value) in change.settings {
      if let value { settings.set(key, .integer(value)) } else { settings.remove(key) }
    }
    let mode = change.mode ?? string("cache_mode")
    for key in ["cache_mode", "policy", "policy_settings"] { remove(key) }
    // They stand behind the size of chunks.
    let place = entries.firstIndex { $0.name == "chunk_size" }.map { $0 + 1 } ?? entries.count
    let behind = entries[place...]
    entries.removeSubrange(place...)
    if let mode { append("cache_mode", text: mode) }
    if let policy { append("policy", text: policy) }
    if !settings.entries.isEmpty { append("policy_settings", settings) }
    entries += behind
  }
}
