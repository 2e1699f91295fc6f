import LVMMetadata

/// How large a new LV is to be (lvm2-allocation 2.1).
struct CreateSize: Equatable {
  var extentCount: Int
  var isApproximate: Bool
}

extension GroupEdit {
  mutating func createSize(
    for request: CreateRequest, _ parameters: inout StripeParameters,
    _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) -> CreateSize {
    guard let size = request.size else {
      throw VolumeGroupRefusal("Please specify either size or extents.")
    }
    var result = CreateSize(extentCount: 0, isApproximate: false)
    switch size.amount {
    case .extents(let count): result.extentCount = count
    case .sectors(let sectors): result.extentCount = try wholeExtents(sectors)
    case .percentage(let percent, let base):
      result = CreateSize(
        extentCount: try extentCount(percent, base, request, parameters, extents),
        isApproximate: true)
    }
    let isEmpty = result.extentCount == 0
    limitStripeSize(&parameters)
    result.extentCount = try roundedToStripes(result, parameters)
    if case .snapshot(let origin) = request.kind {
      result.extentCount = try limitedToCOWSize(result.extentCount, origin, request)
    }
    guard result.extentCount > 0 else {
      throw VolumeGroupRefusal(
        "\(isEmpty ? "Calculated" : "Adjusted") size of logical volume is 0 extents. Needs to be "
          + "larger.")
    }
    return result
  }

  private mutating func wholeExtents(_ sectors: UInt64) throws(VolumeGroupRefusal) -> Int {
    let (whole, rest) = sectors.quotientAndRemainder(dividingBy: group.extentSizeSectors)
    guard whole < UInt32.max else {
      throw VolumeGroupRefusal("Size exceeds the \(UInt32.max) extents that LVM can number.")
    }
    let count = Int(whole) + (rest > 0 ? 1 : 0)
    if rest > 0 { print("Rounding up size to full physical extent \(size(extents: count))") }
    return count
  }

  /// The request with its size in extents, if it is no percentage: LVM says what it makes of it
  /// before it looks at PVs.
  mutating func inExtents(_ request: CreateRequest) throws(VolumeGroupRefusal) -> CreateRequest {
    guard case .sectors(let sectors)? = request.size?.amount else { return request }
    var request = request
    request.size?.amount = .extents(try wholeExtents(sectors))
    return request
  }

  private mutating func extentCount(
    _ percent: Int, _ base: SizeArgument.Base, _ request: CreateRequest,
    _ parameters: StripeParameters, _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) -> Int {
    let free = group.freeExtentCount
    var count: Int
    switch base {
    case .volumeGroup:
      count = percentage(percent, of: group.extentCount, roundingUp: false)
      if count > free {
        print("Reducing \(percent)%VG to remaining free space \(size(extents: free)) in VG.")
        count = free
      }
    case .free: count = percentage(percent, of: free, roundingUp: false)
    case .physicalVolumes:
      let total = request.physicalVolumes == nil ? group.extentCount : extents.freeExtentCount
      count = percentage(percent, of: total, roundingUp: false)
    case .origin:
      guard case .snapshot(let name) = request.kind,
        let origin = group.logicalVolume(named: name)
      else { throw VolumeGroupRefusal("Please express size as %FREE, %PVS or %VG.") }
      let most = maximumCOWExtentCount(
        of: origin, chunkSectors: request.chunkSectors ?? Self.defaultCOWChunkSectors)
      return most - origin.extentCount
        + percentage(percent, of: origin.extentCount, roundingUp: true)
    case .logicalVolume:
      throw VolumeGroupRefusal("Please express size as %FREE, %PVS or %VG.")
    }
    if base != .volumeGroup {
      // Metadata and spare.
      count = max(count - 2 * (try poolMetadataExtentCount(request, dataExtentCount: count)), 0)
    }
    if count > 0, parameters.copyCount > 1 { count = max(count / parameters.copyCount, 1) }
    return count
  }

  private mutating func roundedToStripes(
    _ size: CreateSize, _ parameters: StripeParameters
  ) throws(VolumeGroupRefusal) -> Int {
    let count = size.extentCount
    guard parameters.stripeCount > 1, count > 0 else { return count }
    if size.isApproximate {
      let unit =
        parameters.stripeCount * Int(max(1, parameters.stripeSectors / group.extentSizeSectors))
      let rest = count % unit
      if rest > 0, group.freeExtentCount < count - rest + unit {
        print(
          "Rounding size (\(count) extents) down to stripe boundary size "
            + "(\(count - rest) extents)")
        return count - rest
      }
    }
    let rest = count % parameters.stripeCount
    guard rest > 0 else { return count }
    let rounded = count - rest + parameters.stripeCount
    print(
      "Rounding size \(self.size(extents: count)) (\(count) extents) up to stripe boundary size "
        + "\(self.size(extents: rounded)) (\(rounded) extents).")
    return rounded
  }

  // MARK: - COW snapshots

  static let defaultCOWChunkSectors: UInt64 = 8

  /// Extents of a COW store that has room for every chunk of its origin.
  func maximumCOWExtentCount(of origin: LogicalVolume, chunkSectors chunk: UInt64) -> Int {
    let size = group.sizeSectors(of: origin)
    let dataChunks = (size + chunk - 1) / chunk
    let exceptionsPerChunk = chunk * 512 / 16
    let sectors = (1 + dataChunks + dataChunks / exceptionsPerChunk + 1) * chunk
    return Int((sectors + group.extentSizeSectors - 1) / group.extentSizeSectors)
  }

  func checkStoreSize(_ count: Int, chunkSectors chunk: UInt64) throws(VolumeGroupRefusal) {
    guard count * Int(group.extentSizeSectors) >= 3 * Int(chunk) else {
      throw VolumeGroupRefusal(
        "Snapshot volume cannot be smaller than 3 chunks "
          + "(\((3 * chunk + group.extentSizeSectors - 1) / group.extentSizeSectors) extents, "
          + "\(DisplayUnit.message(sectors: 3 * chunk))).")
    }
  }

  private mutating func limitedToCOWSize(
    _ count: Int, _ originName: String, _ request: CreateRequest
  ) throws(VolumeGroupRefusal) -> Int {
    guard let origin = group.logicalVolume(named: originName) else { return count }
    let chunk = request.chunkSectors ?? Self.defaultCOWChunkSectors
    let most = maximumCOWExtentCount(of: origin, chunkSectors: chunk)
    try checkStoreSize(count, chunkSectors: chunk)
    guard count > most else { return count }
    print(
      "Reducing COW size \(size(extents: count)) down to maximum usable size "
        + "\(size(extents: most)).")
    return most
  }
}

/// `percent` of `count`, up or down to a whole number; beyond all extents when it is absurd.
func percentage(_ percent: Int, of count: Int, roundingUp: Bool) -> Int {
  let (product, overflow) = percent.multipliedReportingOverflow(by: count)
  guard !overflow else { return Int(UInt32.max) + 1 }
  let (whole, rest) = product.quotientAndRemainder(dividingBy: 100)
  return whole + (roundingUp && rest > 0 ? 1 : 0)
}
