import LVMMetadata

/// The columns about physical volumes.
enum PhysicalVolumeFields {
  static let all: [ReportField] = [
    field("pv_fmt", "Fmt") { _, _ in .text("lvm2") },
    field("pv_uuid", "PV UUID", width: 38) { volume, _ in .optional(volume.id?.dashed) },
    number("dev_size", "DevSize") { volume, _ in .size(volume.scanned?.device.sizeBytes ?? 0) },
    field("pv_name", "PV", width: 10) { volume, _ in .text(volume.name) },
    field("pv_major", "Maj") { volume, row in
      .number(row.source.deviceNumbers[volume.name].map { Int64($0.major) } ?? -1)
    },
    field("pv_minor", "Min") { volume, row in
      .number(row.source.deviceNumbers[volume.name].map { Int64($0.minor) } ?? -1)
    },
    number("pv_mda_free", "PMdaFree", width: 9) { volume, _ in
      .size(volume.areas.map(\.freeBytes).min() ?? 0)
    },
    number("pv_mda_size", "PMdaSize", width: 9) { volume, _ in
      .size(volume.areas.map(\.sizeBytes).min() ?? 0)
    },
    number("pv_ext_vsn", "PExtVsn") { volume, _ in
      volume.scanned.map { .number(Int64($0.label.extensionVersion)) } ?? .absent
    },
    number("pe_start", "1st PE", width: 7) { volume, _ in
      .size(
        volume.described.map { $0.extentStartSectors * 512 }
          ?? volume.scanned?.label.dataAreas.first?.offset ?? 0)
    },
    number("pv_size", "PSize") { volume, row in .size(volume.extents(row)?.size ?? volume.whole) },
    number("pv_free", "PFree") { volume, row in .size(volume.extents(row)?.free ?? volume.whole) },
    number("pv_used", "Used") { volume, row in .size(volume.extents(row)?.used ?? 0) },
    field("pv_attr", "Attr") { volume, row in .text(volume.attributes(row)) },
    field("pv_allocatable", "Allocatable") { volume, _ in
      .word("allocatable", if: volume.described?.isAllocatable ?? false)
    },
    field("pv_exported", "Exported", width: 10) { volume, row in
      .word("exported", if: volume.isExported(row))
    },
    field("pv_missing", "Missing", width: 10) { volume, _ in
      .word("missing", if: volume.isMissing)
    },
    number("pv_pe_count", "PE", width: 3) { volume, _ in
      .number(Int64(volume.described?.extentCount ?? 0))
    },
    number("pv_pe_alloc_count", "Alloc") { volume, row in
      .number(Int64(volume.usedExtents(row)))
    },
    field("pv_tags", "PV Tags") { volume, _ in .list((volume.described?.tags ?? []).sorted()) },
    number("pv_mda_count", "#PMda") { volume, _ in .number(Int64(volume.areas.count)) },
    number("pv_mda_used_count", "#PMdaUse") { volume, _ in
      .number(Int64(volume.areas.count { $0.isInUse }))
    },
    number("pv_ba_start", "BA Start") { volume, _ in
      .size(
        volume.scanned?.label.bootloaderAreas.first?.offset
          ?? (volume.described?.bootloaderAreaStartSectors ?? 0) * 512)
    },
    number("pv_ba_size", "BA Size") { volume, _ in
      .size(
        volume.scanned?.label.bootloaderAreas.first?.size
          ?? (volume.described?.bootloaderAreaSizeSectors ?? 0) * 512)
    },
    field("pv_in_use", "PInUse") { volume, _ in
      .word("used", if: volume.described != nil || volume.scanned?.label.isUsed ?? false)
    },
    field("pv_duplicate", "Duplicate") { _, _ in .text("") },
    field("pv_device_id", "DeviceID") { volume, _ in .optional(volume.described?.deviceID) },
    field("pv_device_id_type", "DeviceIDType") { volume, _ in
      .optional(volume.described?.deviceIDType)
    },
  ]

  private static func field(
    _ name: String, _ heading: String, isNumeric: Bool = false, width: Int = 0,
    value: @escaping @Sendable (ReportedPhysicalVolume, ReportRow) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .physicalVolume, isNumeric: isNumeric, width: width) { row in
      row.physicalVolume.map { value($0, row) } ?? .absent
    }
  }

  private static func number(
    _ name: String, _ heading: String, width: Int = 0,
    value: @escaping @Sendable (ReportedPhysicalVolume, ReportRow) -> ReportValue
  ) -> ReportField {
    field(name, heading, isNumeric: true, width: width, value: value)
  }
}

extension ReportedPhysicalVolume {
  var id: LVMIdentifier? { described?.id ?? scanned?.label.id }
  var name: String { scanned?.device.name ?? "[unknown]" }
  var areas: [ScannedArea] { (scanned?.areas ?? []).filter(\.isCounted) }
  /// Bytes of a volume that belongs to no group.
  fileprivate var whole: UInt64 { scanned?.label.deviceSizeBytes ?? 0 }

  fileprivate func usedExtents(_ row: ReportRow) -> Int {
    guard let facts = row.facts, let id, let index = facts.index(of: id) else { return 0 }
    return facts.usedExtents[index]
  }

  /// Sizes in bytes of a volume in a group; nil for one that belongs to none.
  fileprivate func extents(_ row: ReportRow) -> (size: UInt64, free: UInt64, used: UInt64)? {
    guard let facts = row.facts, let described else { return nil }
    let used = usedExtents(row)
    return (
      facts.bytes(extents: described.extentCount),
      facts.bytes(extents: max(described.extentCount - used, 0)), facts.bytes(extents: used)
    )
  }

  fileprivate func isExported(_ row: ReportRow) -> Bool {
    row.facts?.group.isExported ?? false
  }

  /// Allocatable or used, exported, missing.
  fileprivate func attributes(_ row: ReportRow) -> String {
    let first: String
    if let described {
      first = described.isAllocatable ? "a" : "u"
    } else {
      first = scanned?.label.isUsed ?? false ? "u" : "-"
    }
    return first + (isExported(row) ? "x" : "-") + (isMissing ? "m" : "-")
  }
}
