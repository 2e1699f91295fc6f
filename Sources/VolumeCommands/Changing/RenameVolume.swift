import ConfigText
import LVMMetadata

/// lvrename.
extension GroupEdit {
  public mutating func rename(_ name: String, to newName: String) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    guard group.logicalVolume(named: newName) == nil else {
      throw VolumeGroupRefusal(
        "Logical Volume \"\(newName)\" already exists in volume group \"\(group.name)\"")
    }
    guard let volume = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal(
        "Existing logical volume \"\(name)\" not found in volume group \"\(group.name)\"")
    }
    guard group.name.utf8.count + newName.utf8.count + 3 < 128 else {
      throw VolumeGroupRefusal("Logical volume name \"\(newName)\" is too long.")
    }
    guard volume.isVisible || group.snapshotBinding(ofStore: name) != nil,
      volume.segments.first?.baseType != "snapshot"
    else { throw VolumeGroupRefusal("Cannot rename internal LV \"\(name)\".") }
    guard !volume.status.contains(.locked) else {
      throw VolumeGroupRefusal("Cannot rename locked LV \(name)")
    }
    var names = [name: newName]
    collectParts(of: volume, prefix: name, newPrefix: newName, into: &names)
    apply(names)
    if context.isActive(volume.id) { reloads.append(newName) }
    print("Renamed \"\(name)\" to \"\(newName)\" in volume group \"\(group.name)\"")
  }

  /// Gives an LV and its parts other names, which nobody has.
  ///
  /// - Parameter itself: false for the parts alone.
  mutating func renameParts(of name: String, to newName: String, itself: Bool = true) {
    guard let volume = group.logicalVolume(named: name) else { return }
    var names = [name: newName]
    collectParts(of: volume, prefix: name, newPrefix: newName, into: &names)
    if !itself { names[name] = nil }
    apply(names)
  }

  /// Hidden LVs whose names begin with the name of the LV they belong to.
  private func collectParts(
    of volume: LogicalVolume, prefix: String, newPrefix: String, into names: inout [String: String]
  ) {
    for below in volume.referencedNames.sorted() where names[below] == nil {
      guard let part = group.logicalVolume(named: below), !part.isVisible,
        below.hasPrefix("\(prefix)_")
      else { continue }
      names[below] = newPrefix + below.dropFirst(prefix.count)
      collectParts(of: part, prefix: prefix, newPrefix: newPrefix, into: &names)
    }
    // A virtual origin lies under its snapshot by name only.
    let origin = "\(prefix)_vorigin"
    if group.logicalVolume(named: origin) != nil { names[origin] = "\(newPrefix)_vorigin" }
  }

  private mutating func apply(_ names: [String: String]) {
    let labels = Set(group.physicalVolumes.map(\.label))
    for index in group.logicalVolumes.indices {
      let volume = group.logicalVolumes[index]
      if let name = names[volume.name] { group.logicalVolumes[index].name = name }
      for place in volume.segments.indices {
        switch volume.segments[place].kind {
        case .striped(var layout):
          for area in layout.areas.indices {
            if case .logicalVolume(let name) = layout.areas[area].source, let new = names[name] {
              layout.areas[area].source = .logicalVolume(name: new)
            }
          }
          group.logicalVolumes[index].segments[place].kind = .striped(layout)
        case .other:
          group.logicalVolumes[index].segments[place].edit {
            Self.rename(names, in: &$0, except: labels)
          }
        }
      }
    }
    if var historical = group.historicalLogicalVolumes {
      for entry in historical.entries {
        guard case .section(var section) = entry.content else { continue }
        Self.rename(names, in: &section, except: [])
        historical.set(entry.name, section)
      }
      group.historicalLogicalVolumes = historical
    }
  }

  /// Keys whose values are names of LVs (lvm2-metadata 7).
  private static let nameKeys: Set<String> = [
    "raids", "raid0_lvs", "mirrors", "mirror_log", "origin", "cow_store", "merging_store",
    "thin_pool", "external_origin", "merge", "metadata", "pool", "data", "cache_pool", "writecache",
    "meta_dev", "vdo_pool", "create", "descendants",
  ]

  private static func rename(
    _ names: [String: String], in section: inout ConfigSection, except labels: Set<String>
  ) {
    func renamed(_ value: ConfigValue) -> ConfigValue {
      guard case .string(let name) = value, let new = names[name], !labels.contains(name) else {
        return value
      }
      return .string(new)
    }
    for index in section.entries.indices {
      switch section.entries[index].content {
      case .section(var inner):
        rename(names, in: &inner, except: labels)
        section.entries[index].content = .section(inner)
      case .value(let value):
        guard nameKeys.contains(section.entries[index].name) else { continue }
        if case .list(let items) = value {
          section.entries[index].content = .value(.list(items.map(renamed)))
        } else {
          section.entries[index].content = .value(renamed(value))
        }
      }
    }
  }
}
