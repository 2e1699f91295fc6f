import LVMMetadata

/// `lv_attr`: ten characters, in the order of lvs(8).
enum AttributeField {
  static let field = ReportField(
    "lv_attr", "Attr", .deviceInfoStatus, .string,
    "Ten characters: type, permissions, allocation policy, fixed minor, state, open, target, "
      + "zeroing, health, skip activation"
  ) { row in .text(attributes(row)) }

  private static func attributes(_ row: ReportRow) -> String {
    if row.goneVolume != nil { return "----h-----" }
    guard let index = row.index else { return "" }
    let graph = row.graph
    let status = graph.volumes[index].status
    let permission = permission(graph.volumes[index].isWritable, status, row.roles)
    let isOverridden = permission != "r" && row.status.device?.isReadOnly == true
    let (state, open) = state(row)
    let letters: [10 of Unicode.Scalar] = [
      kind(row, status), isOverridden ? "R" : permission,
      allocation(graph.volumes[index].allocationPolicy, status),
      status.contains(.fixedMinor) ? "m" : "-", state, open, target(row), zero(row), health(row),
      graph.volumes[index].flags.contains(.activationSkip) ? "k" : "-",
    ]
    return String(unsafeUninitializedCapacity: letters.count) { buffer in
      for place in letters.indices { buffer[place] = UInt8(ascii: letters[place]) }
      return letters.count
    }
  }

  /// What the volume is for another one, or else what it is by itself.
  private static func kind(
    _ row: ReportRow, _ status: StatusWords<LogicalVolumeFlag>
  ) -> Unicode.Scalar {
    let roles = row.roles
    if roles.isSubset(of: .visible) { return "-" }
    let isUnsynced = status.contains(.notSynced)
    if roles.contains(.pvmove) { return "p" }
    if roles.contains(.converting) { return "c" }
    if roles.containsAny([.origin, .externalOrigin]) {
      return roles.contains(.mergingOrigin) ? "O" : "o"
    }
    if roles.containsAny([.metadataSpare, .raidMetadata, .integrityMetadata])
      || roles.containsAny(.poolMetadata)
    {
      return "e"
    }
    if roles.containsAny(.anyCache) || roles.contains(.writecache) { return "C" }
    if roles.contains(.integrity) { return "g" }
    if roles.contains(.raid) { return isUnsynced ? "R" : "r" }
    if roles.contains(.mirror) { return isUnsynced ? "M" : "m" }
    if roles.contains(.thinVolume) {
      return roles.contains(.mergingOrigin) ? "O" : roles.contains(.merging) ? "S" : "V"
    }
    if roles.contains(.vdoPool) { return "d" }
    if roles.contains(.vdoPoolData) { return "D" }
    if roles.contains(.virtual) { return "v" }
    if roles.contains(.thinPool) { return "t" }
    if roles.contains(.thinPoolData) { return "T" }
    if roles.contains(.mirrorImage) { return row.isImageInSync ? "i" : "I" }
    if roles.contains(.raidImage) {
      return !roles.contains(.visible) && row.isImageInSync ? "i" : "I"
    }
    if roles.contains(.mirrorLog) { return "l" }
    if roles.contains(.cow) { return roles.contains(.merging) ? "S" : "s" }
    return roles.containsAny([.cacheOrigin, .writecacheOrigin]) ? "o" : "-"
  }

  private static func permission(
    _ isWritable: Bool, _ status: StatusWords<LogicalVolumeFlag>, _ roles: VolumeRoles
  ) -> Unicode.Scalar {
    if roles.contains(.pvmove) { return "-" }
    if isWritable { return "w" }
    return status.contains(.read) ? "r" : "-"
  }

  private static func allocation(
    _ policy: AllocationPolicy?, _ status: StatusWords<LogicalVolumeFlag>
  ) -> Unicode.Scalar {
    let isLocked = status.contains(.locked)
    guard let policy else { return isLocked ? "I" : "i" }
    return isLocked ? policy.letter.capital : policy.letter
  }

  /// State and open count of the device.
  private static func state(_ row: ReportRow) -> (state: Unicode.Scalar, open: Unicode.Scalar) {
    let status = row.status
    guard status.isKnown else { return ("X", "X") }
    if case .unknown = status.target { return ("X", "X") }
    guard let device = status.device else { return ("-", "-") }
    var letter: Unicode.Scalar
    if device.isSuspended {
      letter = "s"
    } else if device.hasLiveTable {
      letter = "a"
    } else {
      letter = device.hasInactiveTable ? "i" : "d"
    }
    switch status.target {
    case .snapshot(let snapshot) where device.hasLiveTable:
      if snapshot.isInvalid {
        letter = device.isSuspended ? "S" : "I"
      } else if snapshot.hasMergeFailed {
        letter = device.isSuspended ? "M" : "m"
      }
    case .thinPool(let pool) where pool.needsCheck && row.roles.contains(.thinPool):
      letter = device.isSuspended ? "C" : "c"
    case .cache(let cache) where cache.needsCheck && row.roles.contains(.cache):
      letter = device.isSuspended ? "C" : "c"
    default: break
    }
    return (letter, device.isOpen ? "o" : "-")
  }

  /// The kind of target that serves the volume.
  private static func target(_ row: ReportRow) -> Unicode.Scalar {
    let roles = row.roles
    if roles.isSubset(of: .visible) { return "-" }
    if roles.containsAny([.thinPool, .thinVolume]) { return "t" }
    if roles.containsAny([
      .cachePool, .cacheVolume, .cache, .cacheOrigin, .writecache, .writecacheOrigin,
    ]) {
      return "C"
    }
    if roles.containsAny(.anyRAID) { return "r" }
    if roles.containsAny(.anyMirror) || roles.contains(.pvmove) { return "m" }
    if roles.containsAny([.cow, .origin]) { return "s" }
    if roles.contains(.unknownSegments) { return "u" }
    return roles.contains(.virtual) ? "v" : "-"
  }

  /// Whether the pool clears blocks before it hands them out.
  private static func zero(_ row: ReportRow) -> Unicode.Scalar {
    let pool: Int?
    if row.roles.contains(.thinVolume) {
      pool = row.pool
    } else {
      pool = row.roles.contains(.thinPool) ? row.index : nil
    }
    guard let pool, let segment = row.graph.volumes[pool].segments.first else { return "-" }
    return segment.number32("zero_new_blocks") != 0 ? "z" : "-"
  }

  private static func health(_ row: ReportRow) -> Unicode.Scalar {
    if row.isPartial { return "p" }
    if row.roles.containsAny(.anyRAID) { return raidHealth(row) }
    switch row.status.target {
    case .cache(let status): return status.hasFailed ? "F" : status.isReadOnly ? "M" : "-"
    case .thinPool(let status):
      if status.hasFailed { return "F" }
      return status.isOutOfDataSpace ? "D" : status.isReadOnly ? "M" : "-"
    case .thin(let status): return status.hasFailed ? "F" : "-"
    case .writecache(let status): return status.errorCount > 0 ? "E" : "-"
    case .unknown: return "X"
    case .none, .raid, .snapshot, .integrity, .vdoPool: return "-"
    }
  }

  private static func raidHealth(_ row: ReportRow) -> Unicode.Scalar {
    guard row.source.states.isKnown else { return "X" }
    if !row.isRAIDHealthy { return "r" }
    if row.roles.contains(.raid) {
      let status = row.raidStatus
      if let status, status.mismatchCount > 0 { return "m" }
      if status?.syncAction == "reshape" { return "s" }
      return row.hasImagesToRemove ? "R" : "-"
    }
    if row.logicalVolume?.status.contains(.writeMostly) == true { return "w" }
    return row.logicalVolume?.isToBeRemoved == true ? "R" : "-"
  }
}

extension ReportRow {
  /// A reshape has freed images.
  fileprivate var hasImagesToRemove: Bool {
    guard let segment = firstSegment, let kind = firstKind else { return false }
    return graph.parts(segment, kind).dropFirst().contains { part in
      guard case .logical(let image, _) = part else { return false }
      return graph.volumes[image].isToBeRemoved
    }
  }
}

extension LogicalVolume {
  /// A reshape has freed this image. The word stands in the type of the segments.
  var isToBeRemoved: Bool {
    status.contains(.removeAfterReshape)
      || segments.contains { SegmentType($0.typeName).flags.contains("REMOVE_AFTER_RESHAPE") }
  }
}

extension AllocationPolicy {
  /// The letter in attributes, small.
  var letter: Unicode.Scalar {
    switch self {
    case .contiguous: "c"
    case .cling, .clingByTags: "l"
    case .normal: "n"
    case .anywhere: "a"
    }
  }
}

extension Unicode.Scalar {
  /// Of an ASCII letter.
  fileprivate var capital: Unicode.Scalar { Unicode.Scalar(UInt8(ascii: self) & 0xDF) }
}
