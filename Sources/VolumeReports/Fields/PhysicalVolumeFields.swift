import LVMMetadata

/// The columns about what a physical volume's label and device say.
enum LabelFields {
  static let all: [ReportField] = [
    field("pv_fmt", "Fmt", "Type of metadata") { volume, _ in
      .text(volume.scanned == nil && volume.described == nil ? "" : "lvm2")
    },
    field("pv_uuid", "PV UUID", width: 38, "Unique identifier") { volume, _ in
      .text(volume.id?.dashed ?? "")
    },
    field("dev_size", "DevSize", .size, "Size of the device") { volume, _ in
      let bytes = volume.otherDevice?.sizeBytes ?? volume.scanned?.device.sizeBytes ?? 0
      return .sectors(bytes / 512)
    },
    field("pv_name", "PV", width: 10, "Device") { volume, _ in .text(volume.name) },
    field("pv_major", "Maj", "Major number of the device") { volume, row in
      .signed(row.source.deviceNumbers[volume.name].map { Int64($0.major) } ?? -1)
    },
    field("pv_minor", "Min", "Minor number of the device") { volume, row in
      .signed(row.source.deviceNumbers[volume.name].map { Int64($0.minor) } ?? -1)
    },
    field("pv_mda_free", "PMdaFree", .size, width: 9, "Free space for metadata") { volume, _ in
      .sectors(volume.areas.map(\.freeSectors).min() ?? 0)
    },
    field("pv_mda_size", "PMdaSize", .size, width: 9, "Size of the smallest metadata area") {
      volume, _ in .sectors(volume.areas.map(\.sizeSectors).min() ?? 0)
    },
    field("pv_ext_vsn", "PExtVsn", .number, "Version of the extended header") { volume, _ in
      volume.scanned.map { .number(UInt64($0.label.extensionVersion)) } ?? .undefined
    },
  ]

  private static func field(
    _ name: String, _ heading: String, width: Int = 0, _ summary: String,
    value: @escaping @Sendable (ReportedPhysicalVolume, ReportRow) -> ReportValue
  ) -> ReportField {
    field(name, heading, .string, width: width, summary, value: value)
  }

  private static func field(
    _ name: String, _ heading: String, _ type: ReportFieldType, width: Int = 0,
    _ summary: String,
    value: @escaping @Sendable (ReportedPhysicalVolume, ReportRow) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .label, type, width: width, summary) { row in
      row.physicalVolume.map { value($0, row) } ?? .text("")
    }
  }
}

/// The columns about physical volumes as members of a group.
enum PhysicalVolumeFields {
  static let all: [ReportField] =
    space + [
      field(
        "pv_attr", "Attr", "Three characters: duplicate, allocatable or used; exported; missing"
      ) { volume, row in .text(volume.attributes(row)) },
      flag("pv_allocatable", "Allocatable", "allocatable", "Set if new extents may lie here") {
        volume, _ in volume.described?.isAllocatable ?? false
      },
      flag("pv_exported", "Exported", "exported", width: 10, "Set if the group is exported") {
        volume, _ in volume.isExported
      },
      flag("pv_missing", "Missing", "missing", width: 10, "Set if the device is missing") {
        volume, _ in volume.isMissing
      },
      field("pv_pe_count", "PE", .number, width: 3, "Number of extents") { volume, _ in
        .count(volume.described?.extentCount ?? 0)
      },
      field("pv_pe_alloc_count", "Alloc", .number, "Number of extents in use") { volume, row in
        .count(volume.usedExtents(row))
      },
      field("pv_tags", "PV Tags", .stringList, "Tags") { volume, _ in
        .list((volume.described?.tags ?? []).sorted())
      },
      field("pv_mda_count", "#PMda", .number, "Number of metadata areas") { volume, _ in
        .count(volume.areas.count)
      },
      field("pv_mda_used_count", "#PMdaUse", .number, "Number of metadata areas in use") {
        volume, _ in .count(volume.areas.count { $0.isInUse })
      },
      field("pv_ba_start", "BA Start", .size, "Where the bootloader area begins") { volume, _ in
        .sectors(volume.bootloaderArea.start)
      },
      field("pv_ba_size", "BA Size", .size, "Size of the bootloader area") { volume, _ in
        .sectors(volume.bootloaderArea.size)
      },
      flag("pv_in_use", "PInUse", "used", "Set if a group uses the device") { volume, _ in
        volume.described != nil || volume.scanned?.label.isUsed ?? false
      },
      flag(
        "pv_duplicate", "Duplicate", "duplicate",
        "Set if another device with the same id is used"
      ) { volume, _ in volume.isUnusedDuplicate },
      field("pv_device_id", "DeviceID", "What identifies the device") { volume, _ in
        .optional(volume.described?.deviceID)
      },
      field("pv_device_id_type", "DeviceIDType", "What kind of identification that is") {
        volume, _ in .optional(volume.described?.deviceIDType)
      },
    ]

  private static let space: [ReportField] = [
    field("pe_start", "1st PE", .number, width: 7, "Where the first extent begins") { volume, _ in
      .sectors(
        volume.described?.extentStartSectors
          ?? (volume.scanned?.label.dataAreas.first?.offset ?? 0) / 512)
    },
    field("pv_size", "PSize", .size, "Size") { volume, row in
      guard let described = volume.described, described.extentCount > 0 else {
        return .sectors(volume.wholeSectors)
      }
      return row.sectors(extents: described.extentCount)
    },
    field("pv_free", "PFree", .size, "Free space") { volume, row in
      guard let described = volume.described else {
        return .sectors(volume.scanned?.label.isUsed == true ? 0 : volume.wholeSectors)
      }
      return row.sectors(extents: described.extentCount - volume.usedExtents(row))
    },
    field("pv_used", "Used", .size, "Space in use") { volume, row in
      row.sectors(extents: volume.usedExtents(row))
    },
  ]

  private static func field(
    _ name: String, _ heading: String, width: Int = 0, _ summary: String,
    value: @escaping @Sendable (ReportedPhysicalVolume, ReportRow) -> ReportValue
  ) -> ReportField {
    field(name, heading, .string, width: width, summary, value: value)
  }

  private static func field(
    _ name: String, _ heading: String, _ type: ReportFieldType, width: Int = 0,
    _ summary: String,
    value: @escaping @Sendable (ReportedPhysicalVolume, ReportRow) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .physicalVolume, type, width: width, summary) { row in
      row.physicalVolume.map { value($0, row) } ?? .text("")
    }
  }

  private static func flag(
    _ name: String, _ heading: String, _ word: String, width: Int = 0, _ summary: String,
    holds: @escaping @Sendable (ReportedPhysicalVolume, ReportRow) -> Bool
  ) -> ReportField {
    field(name, heading, .number, width: width, summary) { .flag(holds($0, $1), word) }
  }
}

extension ReportedPhysicalVolume {
  var id: LVMIdentifier? { described?.id ?? scanned?.label.id }

  var name: String { otherDevice?.name ?? scanned?.device.name ?? "[unknown]" }

  var areas: [ScannedArea] { (scanned?.areas ?? []).filter(\.isCounted) }

  /// Sectors of a volume that has no extents.
  var wholeSectors: UInt64 {
    described?.deviceSizeSectors ?? (scanned?.label.deviceSizeBytes ?? 0) / 512
  }

  fileprivate func usedExtents(_ row: ReportRow) -> Int {
    guard described != nil, let index else { return 0 }
    return row.facts.usedExtents[index]
  }

  /// In sectors.
  fileprivate var bootloaderArea: (start: UInt64, size: UInt64) {
    if let area = scanned?.label.bootloaderAreas.first {
      return (area.offset / 512, area.size / 512)
    }
    return (
      described?.bootloaderAreaStartSectors ?? 0, described?.bootloaderAreaSizeSectors ?? 0
    )
  }

  /// What the PV itself says; LVM marks all PVs of an exported group.
  fileprivate var isExported: Bool {
    described?.status.contains(.exported) ?? false
  }

  fileprivate func attributes(_ row: ReportRow) -> String {
    let first: String
    if isUnusedDuplicate {
      first = "d"
    } else if described?.isAllocatable ?? false {
      first = "a"
    } else {
      first = described != nil || scanned?.label.isUsed ?? false ? "u" : "-"
    }
    return first + (isExported ? "x" : "-") + (isMissing ? "m" : "-")
  }
}
