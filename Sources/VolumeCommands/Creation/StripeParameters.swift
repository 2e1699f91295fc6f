import LVMMetadata

/// Stripes, copies and sizes of a new LV after all defaults (lvm2-allocation 2.2).
struct StripeParameters: Equatable {
  /// Data stripes.
  var stripeCount = 1
  var stripeSectors: UInt64 = 0
  /// 1 for anything not mirrored.
  var copyCount = 1
  var parityCount = 0
  /// LEs of the LV for each extent of a slot.
  var multiple = 1

  /// Slots of the data.
  var areaCount: Int { stripeCount * copyCount }
}

extension GroupEdit {
  mutating func stripeParameters(
    for request: CreateRequest
  ) throws(VolumeGroupRefusal) -> StripeParameters {
    var parameters = StripeParameters()
    var isStriped = true
    var stripeCount = request.stripeCount ?? 1
    switch request.kind {
    case .striped, .thinPool, .snapshot, .cached: break
    case .thin, .thinSnapshot, .thinOver, .unmapped, .cachePool, .cachePoolOver: return parameters
    case .mirror:
      parameters.copyCount = request.copyCount ?? 2
      guard (2...8).contains(parameters.copyCount) else {
        throw VolumeGroupRefusal("Only up to 8 images in mirror supported currently.")
      }
    case .raid(let name):
      let type = RAIDType(name)
      let parityCount = type?.parityCount ?? 0
      stripeCount = request.stripeCount ?? (parityCount == 2 ? 3 : 2)
      if type?.isRAID1 == true { (isStriped, stripeCount) = (false, 1) }
      if type?.isRAID1 == true || type?.isRAID10 == true {
        parameters.copyCount = request.copyCount ?? 2
      }
      parameters.parityCount = parityCount
      try checkDevices(name, stripeCount, parameters)
    }
    parameters.stripeCount = stripeCount
    parameters.stripeSectors =
      isStriped ? try stripeSectors(request.stripeSectors, count: stripeCount) : 0
    parameters.multiple = stripeCount
    return parameters
  }

  private func checkDevices(
    _ type: String, _ stripeCount: Int, _ parameters: StripeParameters
  ) throws(VolumeGroupRefusal) {
    let least = parameters.parityCount == 2 ? 3 : 2
    let isRAID1 = type == "raid1"
    guard isRAID1 || stripeCount >= least else {
      throw VolumeGroupRefusal("Minimum of \(least) stripes required for \(type).")
    }
    let count = stripeCount * parameters.copyCount + parameters.parityCount
    guard count <= 64 else {
      throw VolumeGroupRefusal("Only up to 64 stripes in \(type) supported currently.")
    }
    guard type != "raid10" || parameters.copyCount == 2 else {
      throw VolumeGroupRefusal("RAID10 supports 2 copies only.")
    }
    guard !isRAID1 || (2...10).contains(parameters.copyCount) else {
      throw VolumeGroupRefusal("Only up to 10 mirrors in raid1 supported currently.")
    }
  }

  private mutating func stripeSectors(
    _ given: UInt64?, count: Int
  ) throws(VolumeGroupRefusal) -> UInt64 {
    guard count >= 1, count <= 128 else {
      throw VolumeGroupRefusal(
        "Number of stripes (\(count)) must be between 1 and 128.")
    }
    guard count > 1 else {
      if given != nil { print("Ignoring stripesize argument with single stripe.") }
      return 0
    }
    if given == nil {
      let size = settings.allocation.defaultStripeSizeSectors
      print("Using default stripesize \(DisplayUnit.message(sectors: size)).")
    }
    let size = given ?? settings.allocation.defaultStripeSizeSectors
    guard size >= 8, size.nonzeroBitCount == 1 else {
      throw VolumeGroupRefusal("Invalid stripe size \(DisplayUnit.message(sectors: size)).")
    }
    return size
  }

  /// A stripe is no larger than an extent.
  mutating func limitStripeSize(_ parameters: inout StripeParameters) {
    guard parameters.stripeSectors > group.extentSizeSectors else { return }
    print(
      "Reducing requested stripe size \(DisplayUnit.message(sectors: parameters.stripeSectors)) "
        + "to maximum, physical extent size "
        + "\(DisplayUnit.message(sectors: group.extentSizeSectors)).")
    parameters.stripeSectors = group.extentSizeSectors
  }
}
