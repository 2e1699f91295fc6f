import LVMMetadata

/// Conversions of RAID volumes, in which the kernel tells what is in sync, and copies.
enum RAIDConversion: Sendable, Equatable {
  /// Other images, or another type.
  case reshape(type: String?)
  /// In sectors.
  case regionSize(UInt64)
  case repair
  case replace
  case split(tracksChanges: Bool)

  /// As the command line names it.
  fileprivate var option: String {
    switch self {
    case .reshape(let type): type.map { "--type \($0)" } ?? "-m"
    case .regionSize: "-R"
    case .repair: "--repair"
    case .replace: "--replace"
    case .split: "--splitmirrors"
    }
  }
}

extension GroupEdit {
  /// LVM does these to active volumes only, with the kernel's word on what is in sync; clvm does none of
  /// them, and says of inactive ones what LVM says.
  mutating func refuse(
    _ conversion: RAIDConversion, of name: String
  ) throws(VolumeGroupRefusal) {
    let path = "\(group.name)/\(name)"
    guard let volume = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(path)\"")
    }
    let type = volume.segments.first?.baseType ?? ""
    guard !context.isActive(volume.id) else {
      throw VolumeGroupRefusal(
        "clvm lvconvert does not do \(conversion.option) to the active volume \(path), which takes "
          + "the kernel's word on what is in sync: use LVM's own lvconvert.")
    }
    let isRAID = volume.segments.first?.raidType != nil
    switch conversion {
    case .reshape(let target):
      guard isRAID || volume.isLinearOrStriped || type == "mirror" else {
        throw notPermitted(volume)
      }
      if let raid = target.flatMap({ RAIDType($0) }), raid.isStriped {
        print(
          "Using default stripesize "
            + "\(DisplayUnit.message(sectors: settings.allocation.defaultStripeSizeSectors)).")
      }
    case .regionSize(let sectors):
      guard isRAID, case .other(_, let section)? = volume.segments.first?.kind else {
        throw notPermitted(volume)
      }
      let old = section.integer("region_size").flatMap { UInt64(exactly: $0) } ?? 0
      let question =
        "Do you really want to change the region_size \(DisplayUnit.message(sectors: old)) of LV "
        + "\(path) to \(DisplayUnit.message(sectors: sectors))? [y/n]: "
      guard context.confirm(question) else {
        throw VolumeGroupRefusal("Logical volume \(path) NOT converted.")
      }
      throw VolumeGroupRefusal(
        "Unable to determine sync status of \(path).",
        "Unable to change region size on \(type) LV \(path) while it is not in-sync.")
    case .repair, .replace:
      guard isRAID else {
        throw VolumeGroupRefusal(
          "clvm lvconvert does not do \(conversion.option) to \(path) of type \(volume.typeWord): use "
            + "LVM's own lvconvert.")
      }
    case .split(let tracksChanges):
      if type == "mirror" {
        throw VolumeGroupRefusal(
          "Unable to determine mirror sync status of \(path).",
          "Unable to split mirror \(path) that is not in-sync.")
      }
      guard type == "raid1" else { throw notPermitted(volume) }
      throw VolumeGroupRefusal(
        "Unable to determine sync status of \(path).",
        tracksChanges
          ? "Unable to split image from \(path) while not in-sync."
          : "Unable to split \(path) while it is not in-sync.")
    }
    throw VolumeGroupRefusal("\(path) must be active to perform this operation.")
  }
}
