import LVMMetadata

/// Percentages and health, as LVM computes them from the kernel's status lines.
extension ReportRow {
  var vdoStatus: VDOPoolStatus? {
    guard roles.containsAny([.vdo, .vdoPool]), case .vdoPool(let status) = target else {
      return nil
    }
    return status
  }

  var dataPercent: Percent? {
    switch target {
    case .cache(let status):
      return status.hasFailed ? nil : Percent(status.blocks.used, of: status.blocks.total)
    case .writecache(let status):
      return Percent(status.totalBlocks &- status.freeBlocks, of: status.totalBlocks)
    case .snapshot(let status):
      if status.hasMergeFailed { return nil }
      if status.isInvalid { return .hundred }
      if status.metadataSectors == status.usedSectors { return .zero }
      return Percent(status.usedSectors, of: status.totalSectors)
    case .thinPool(let status):
      return status.hasFailed ? nil : Percent(status.data.used, of: status.data.total)
    case .thin(let status): return thinPercent(status)
    case .vdoPool(let status): return Percent(status.usedBlocks, of: status.totalBlocks)
    case .none, .unknown, .raid, .integrity: return nil
    }
  }

  /// The pool hands out whole chunks, so the size counts rounded up to them.
  private func thinPercent(_ status: ThinStatus) -> Percent? {
    guard !status.hasFailed, let volume = logicalVolume, let pool else { return nil }
    let chunk = UInt64(graph.volumes[pool].segments.first?.number32("chunk_size") ?? 0)
    let size = facts.sectors(extents: volume.extentCount)
    let whole = chunk > 0 ? (size + chunk - 1) / chunk * chunk : size
    return status.mappedSectors <= whole ? Percent(status.mappedSectors, of: whole) : .hundred
  }

  var metadataPercent: Percent? {
    switch target {
    case .cache(let status):
      status.hasFailed ? nil : Percent(status.metadata.used, of: status.metadata.total)
    case .thinPool(let status):
      status.hasFailed ? nil : Percent(status.metadata.used, of: status.metadata.total)
    default: nil
    }
  }

  var copyPercent: Percent? {
    guard let index else { return nil }
    let isRAID = roles.contains(.raid) && firstKind?.raid?.level != 0
    let isUsedPool = roles.contains(.cachePool) && graph.uses[index] != nil
    if roles.containsAny([.integrity, .cache]) || isUsedPool
      || isRAID && !roles.contains(.mergingOrigin)
    {
      return dirtyPercent
    }
    if isRAID {
      return raidStatus.map { Percent($0.regionsInSync, of: $0.regionCount) }
    }
    return roles.contains(.mirror) ? facts.mirrorPercent(index, source.states) : nil
  }

  private var dirtyPercent: Percent? {
    switch target {
    case .integrity(let status):
      status.recalculatedSectors.flatMap { $0 == 0 ? nil : Percent($0, of: status.dataSectors) }
    case .cache(let status):
      status.hasFailed
        ? nil
        : status.blocks.used == 0 ? .zero : Percent(status.dirtyBlocks, of: status.blocks.used)
    case .raid(let status): Percent(status.regionsInSync, of: status.regionCount)
    case .snapshot(let status):
      status.isInvalid ? .hundred : Percent(status.usedSectors, of: status.totalSectors)
    default: nil
    }
  }

  var isPartial: Bool { index.map { facts.isPartial(graph.volumes[$0].name) } ?? false }

  var healthText: String {
    if isPartial { return "partial" }
    if roles.containsAny(.anyRAID) {
      if !source.states.isKnown { return "unknown" }
      if !isRAIDHealthy { return "refresh needed" }
      if roles.contains(.raid) {
        return (raidStatus?.mismatchCount ?? 0) > 0 ? "mismatches exist" : ""
      }
      return logicalVolume?.status.contains(.writeMostly) == true ? "writemostly" : ""
    }
    switch target {
    case .cache(let status) where roles.contains(.cache):
      return status.hasFailed ? "failed" : status.isReadOnly ? "metadata_read_only" : ""
    case .writecache(let status) where roles.contains(.writecache):
      return status.errorCount > 0 ? "error" : ""
    case .thinPool(let status) where roles.contains(.thinPool):
      if status.hasFailed { return "failed" }
      if status.isOutOfDataSpace { return "out_of_data" }
      return status.isReadOnly ? "metadata_read_only" : ""
    default: return ""
    }
  }
}
