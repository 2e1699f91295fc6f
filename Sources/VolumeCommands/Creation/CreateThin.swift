import ConfigText
import LVMMetadata

/// Thin pools and what is made in them (lvm2-metadata 7.5, lvm2-allocation 10).
extension GroupEdit {
  /// Bounds of a pool's metadata and chunks, in sectors.
  private enum PoolLimit {
    static let metadataMinimum: UInt64 = 2 << 11
    /// 15.875 GiB, what LVM uses unless it may crop.
    static let metadataMaximum: UInt64 = 33_292_288
    /// Larger metadata makes the default chunk grow.
    static let metadataOptimum: UInt64 = 128 << 11
    static let chunkMinimum: UInt64 = 128
    static let chunkMaximum: UInt64 = 1 << 21
    /// Larger ones take long to be zeroed.
    static let chunkSlow: UInt64 = 1024
    /// Bytes of metadata for each chunk.
    static let bytesPerChunk: UInt64 = 64
  }

  struct PoolParameters {
    var chunkSectors: UInt64
    var metadataExtentCount: Int
  }

  mutating func poolParameters(
    _ request: CreateRequest, dataExtentCount: Int, announces: Bool
  ) throws(VolumeGroupRefusal) -> PoolParameters {
    let data = group.sectors(extents: dataExtentCount)
    var metadata: UInt64
    var chunk: UInt64
    if let given = request.pool.metadataSectors {
      metadata =
        (given + group.extentSizeSectors - 1) / group.extentSizeSectors
        * group.extentSizeSectors
      if metadata != given, announces {
        print(
          "Rounding up size to full physical extent \(DisplayUnit.message(sectors: metadata))")
      }
      let suggested = suggestedChunk(data: data, metadata: metadata)
      chunk = request.pool.chunkSectors ?? suggested
      if chunk < suggested, announces {
        warn(
          "WARNING: Chunk size is smaller then suggested minimum size "
            + "\(DisplayUnit.message(sectors: suggested)).")
      }
    } else {
      chunk = request.pool.chunkSectors ?? PoolLimit.chunkMinimum
      try checkChunk(chunk)
      metadata = data / (chunk * 8)
      if request.pool.chunkSectors == nil {
        while metadata > PoolLimit.metadataOptimum, chunk < PoolLimit.chunkMaximum {
          chunk *= 2
          metadata /= 2
        }
      }
    }
    try checkChunk(chunk)
    let most = PoolLimit.metadataMaximum
    if metadata > most {
      if request.pool.metadataSectors != nil, announces {
        warn(
          "WARNING: Maximum supported pool metadata size is "
            + "\(DisplayUnit.message(sectors: most)).")
      }
      metadata = most
    } else if metadata < PoolLimit.metadataMinimum {
      if request.pool.metadataSectors != nil, announces {
        warn(
          "WARNING: Minimum supported pool metadata size is "
            + "\(DisplayUnit.message(sectors: PoolLimit.metadataMinimum)).")
      }
      metadata = PoolLimit.metadataMinimum
    }
    let addressable = most * chunk * 512 / PoolLimit.bytesPerChunk
    guard addressable >= data else {
      throw VolumeGroupRefusal(
        "Selected chunk size \(DisplayUnit.message(sectors: chunk)) cannot address more then "
          + "\(DisplayUnit.message(sectors: addressable)) of thin pool data space.")
    }
    if announces {
      print(
        "Thin pool volume with chunk size \(DisplayUnit.message(sectors: chunk)) can address at "
          + "most \(DisplayUnit.message(sectors: addressable)) of data.")
    }
    guard chunk <= data || !announces else {
      throw VolumeGroupRefusal(
        "Size of thin-pool data volume cannot be smaller than chunk size "
          + "\(DisplayUnit.message(sectors: chunk)).")
    }
    if announces, request.pool.zeroesNewBlocks, chunk >= PoolLimit.chunkSlow {
      warn(
        "WARNING: Pool zeroing and \(DisplayUnit.message(sectors: chunk)) large chunk size slows "
          + "down thin provisioning.")
      warn(
        "WARNING: Consider disabling zeroing (-Zn) or using smaller chunk size "
          + "(<\(DisplayUnit.message(sectors: PoolLimit.chunkSlow))).")
    }
    return PoolParameters(
      chunkSectors: chunk,
      metadataExtentCount: Int(
        (metadata + group.extentSizeSectors - 1) / group.extentSizeSectors))
  }

  private func suggestedChunk(data: UInt64, metadata: UInt64) -> UInt64 {
    var chunk = PoolLimit.chunkMinimum
    while chunk < data / (metadata * 8), chunk < PoolLimit.chunkMaximum { chunk *= 2 }
    return chunk
  }

  private func checkChunk(_ chunk: UInt64) throws(VolumeGroupRefusal) {
    let problems = Self.problems(ofPoolChunk: chunk)
    guard problems.isEmpty else {
      var refusal = VolumeGroupRefusal(problems[0])
      refusal.messages = problems
      throw refusal
    }
  }

  /// What LVM says against a pool's chunk size, in sectors.
  static func problems(ofPoolChunk chunk: UInt64) -> [String] {
    let range = PoolLimit.chunkMinimum...PoolLimit.chunkMaximum
    let size = DisplayUnit.message(sectors: chunk)
    var problems: [String] = []
    if !range.contains(chunk) {
      problems.append(
        "Thin pool chunk size \(size) is not in the range "
          + "\(DisplayUnit.message(sectors: range.lowerBound)) to "
          + "\(DisplayUnit.message(sectors: range.upperBound)).")
    }
    if !chunk.isMultiple(of: range.lowerBound) {
      problems.append(
        "Thin pool chunk size \(size) must be a multiple of "
          + "\(DisplayUnit.message(sectors: range.lowerBound)).")
    }
    return problems
  }

  /// What a pool with so much data would get for its metadata; 0 for what is no pool.
  mutating func poolMetadataExtentCount(
    _ request: CreateRequest, dataExtentCount count: Int
  ) throws(VolumeGroupRefusal) -> Int {
    switch request.kind {
    case .thinPool:
      try poolParameters(request, dataExtentCount: count, announces: false).metadataExtentCount
    case .cachePool, .cachePoolOver:
      try cachePoolParameters(request.cache, dataExtentCount: count, announces: false)
        .metadataExtentCount
    default: 0
    }
  }

  // MARK: - Pools

  mutating func createThinPool(
    _ request: CreateRequest, name: String?, _ stripes: StripeParameters, _ size: CreateSize
  ) throws(VolumeGroupRefusal) -> String {
    let parameters = try poolParameters(
      request, dataExtentCount: size.extentCount, announces: true)
    try provideSpare(request, extentCount: parameters.metadataExtentCount)
    let extents = try allocatableExtents(request.physicalVolumes, warns: false)
    try checkStripes(request, stripes, extents)
    try checkFreeSpace(size)
    let name = name ?? generatedName("lvol")
    var allocation = AllocationRequest(
      extentCount: size.extentCount, areaCount: stripes.stripeCount, multiple: stripes.stripeCount,
      policy: request.allocation?.policy ?? group.allocationPolicy, settings: settings.allocation)
    allocation.volumeName = name
    allocation.logExtentCount = parameters.metadataExtentCount
    allocation.needsSeparateLog = settings.allocation.separatesPoolMetadata
    allocation.isApproximate = size.isApproximate
    let found = try group.allocate(allocation, from: extents)
    guard let metadataArea = found.log else {
      throw VolumeGroupRefusal("No extents were found for the metadata of \(group.name)/\(name).")
    }

    var pool = topVolume(request, name: name)
    if !request.isWritable { pool.becomeWritable(in: group) }
    if request.pool.failsWhenFull { pool.flags.insert(.errorWhenFull) }
    pool.segments = [
      thinPoolSegment(
        name, request, chunk: parameters.chunkSectors,
        extentCount: found.extentCountPerSlot * stripes.stripeCount)
    ]
    add(pool)
    var metadata = makeVolume("\(name)_tmeta", isVisible: false)
    metadata.append(metadataArea, extentCount: parameters.metadataExtentCount)
    wipeStart(of: metadata)
    add(metadata)
    var data = makeVolume("\(name)_tdata", isVisible: false)
    data.append(
      found.parts, slots: 0..<stripes.stripeCount, stripeSectors: stripes.stripeSectors)
    add(data)
    return name
  }

  func thinPoolSegment(
    _ name: String, _ request: CreateRequest, chunk: UInt64, extentCount: Int
  ) -> Segment {
    var section = ConfigSection()
    section.append("metadata", text: "\(name)_tmeta")
    section.append("pool", text: "\(name)_tdata")
    section.append("transaction_id", number: 0)
    section.append("chunk_size", number: chunk)
    section.append("discards", text: request.pool.discards)
    if request.pool.zeroesNewBlocks { section.append("zero_new_blocks", number: 1) }
    return .whole("thin-pool", extentCount: extentCount, section)
  }

  /// The LV that stands ready to replace a pool's damaged metadata: made, or made large enough.
  mutating func provideSpare(
    extentCount: Int, _ physicalVolumes: [PhysicalVolumeArgument]?
  ) throws(VolumeGroupRefusal) {
    let existing = group.logicalVolumes.first { $0.isPoolSpare }
    let missing = extentCount - (existing?.extentCount ?? 0)
    guard missing > 0 else { return }
    if existing == nil {
      try checkFreeSpace(CreateSize(extentCount: missing, isApproximate: false))
    }
    var spare =
      existing ?? makeVolume(generatedName("lvol", suffix: "_pmspare"), isVisible: false)
    var allocation = AllocationRequest(
      extentCount: missing, areaCount: 1, multiple: 1, policy: group.allocationPolicy,
      settings: settings.allocation)
    allocation.volumeName = spare.name
    allocation.layout = existing.flatMap { group.existingLayout(of: $0) }
    let found = try group.allocate(
      allocation, from: try allocatableExtents(physicalVolumes, warns: false))
    spare.append(found.parts, slots: 0..<1, stripeSectors: 0)
    if existing == nil {
      wipeStart(of: spare)
      add(spare)
    } else {
      update(spare.name) { $0 = spare }
    }
  }

  // MARK: - Thin volumes

  mutating func createThin(
    _ request: CreateRequest, name: String, pool: String
  ) throws(VolumeGroupRefusal) {
    guard let sectors = request.virtualSectors else {
      throw VolumeGroupRefusal("Please specify the virtual size of a thin volume (-V).")
    }
    let count = Int((sectors + group.extentSizeSectors - 1) / group.extentSizeSectors)
    guard count > 0, count < UInt32.max else {
      throw VolumeGroupRefusal("Unable to create thin volume \(name) of this size.")
    }
    if sectors % group.extentSizeSectors != 0 {
      print("Rounding up size to full physical extent \(size(extents: count))")
    }
    try addThin(request, name: name, pool: pool, extentCount: count)
    warnOfOvercommitment(pool)
  }

  mutating func createThinSnapshot(
    _ request: CreateRequest, name: String, origin: String
  ) throws(VolumeGroupRefusal) {
    guard let volume = group.logicalVolume(named: origin),
      let pool = volume.segments.first?.volumeName("thin_pool")
    else {
      throw VolumeGroupRefusal("Failed to find thin volume \"\(group.name)/\(origin)\".")
    }
    var request = request
    request.skipsActivation = request.skipsActivation ?? true
    request.activates = request.activates && request.skipsActivation == false
    try addThin(
      request, name: name, pool: pool, origin: origin,
      externalOrigin: volume.segments.first?.volumeName("external_origin"),
      extentCount: volume.extentCount)
    warnOfOvercommitment(pool)
  }

  /// The pool learns of it by a message, which is sent when the pool is next active.
  mutating func addThin(
    _ request: CreateRequest, name: String, pool poolName: String, origin: String? = nil,
    externalOrigin: String? = nil, extentCount: Int
  ) throws(VolumeGroupRefusal) {
    guard let pool = group.logicalVolume(named: poolName), let segment = pool.segments.first,
      segment.baseType == "thin-pool", case .other(_, let poolSection) = segment.kind
    else {
      throw VolumeGroupRefusal("Logical volume \(group.name)/\(poolName) is not a thin pool.")
    }
    let transaction = poolSection.integer("transaction_id") ?? 0
    let device = try freeThinDevice(in: poolName)
    var extentCount = extentCount
    let chunk = poolSection.integer("chunk_size").flatMap { UInt64(exactly: $0) } ?? 0
    if origin == nil, externalOrigin == nil, chunk > group.extentSizeSectors {
      let whole =
        (group.sectors(extents: extentCount) + chunk - 1) / chunk * chunk
        / group.extentSizeSectors
      if Int(whole) != extentCount {
        print(
          "Rounding size (\(extentCount) extents) up to chunk boundary size (\(whole) extents).")
        extentCount = Int(whole)
      }
    }
    var section = ConfigSection()
    section.append("thin_pool", text: poolName)
    section.append("transaction_id", number: transaction)
    section.append("device_id", number: device)
    if let externalOrigin { section.append("external_origin", text: externalOrigin) }
    if let origin { section.append("origin", text: origin) }
    var volume = topVolume(request, name: name)
    volume.segments = [.whole("thin", extentCount: extentCount, section)]
    add(volume)
    var message = ConfigSection()
    message.append("create", text: name)
    addPoolMessage(message, to: poolName)
  }

  /// Queues what the kernel's pool must be told; each raises the transaction by one.
  mutating func addPoolMessage(_ message: ConfigSection, to pool: String) {
    update(pool) { volume in
      guard !volume.segments.isEmpty else { return }
      volume.segments[0].edit { section in
        let queued = section.entries.filter { $0.name.hasPrefix("message") }.count
        if queued == 0 {
          let transaction = section.integer("transaction_id") ?? 0
          section.set("transaction_id", .integer(transaction + 1))
        }
        section.append("message\(queued + 1)", message)
      }
    }
  }

  private func freeThinDevice(in pool: String) throws(VolumeGroupRefusal) -> Int64 {
    var highest: Int64 = 0
    for volume in group.logicalVolumes {
      guard case .other("thin", let section)? = volume.segments.first?.kind,
        section.string("thin_pool") == pool
      else { continue }
      highest = max(highest, section.integer("device_id") ?? 0)
    }
    guard highest < 1 << 24 - 1 else {
      throw VolumeGroupRefusal("Cannot find free device_id in \(group.name)/\(pool).")
    }
    return highest + 1
  }

  /// LVM's words when thin volumes promise more than there is: first in the pool, then in all pools.
  mutating func warnOfOvercommitment(_ pool: String) {
    func thinCount(in pool: String) -> Int {
      group.logicalVolumes.filter { $0.segments.first?.volumeName("thin_pool") == pool }
        .reduce(0) { $0 + $1.extentCount }
    }
    guard thinCount(in: pool) > group.logicalVolume(named: pool)?.extentCount ?? 0 else { return }
    let pools = group.logicalVolumes.filter { $0.segments.first?.baseType == "thin-pool" }
    let sum = pools.reduce(0) { $0 + thinCount(in: $1.name) }
    let poolSum = pools.reduce(0) { $0 + $1.extentCount }
    guard sum > poolSum else { return }
    let free = group.freeExtentCount
    var (beyond, limit) = ("", poolSum)
    if sum > group.extentCount {
      (beyond, limit) = (" and the size of whole volume group", group.extentCount)
    } else if sum > free {
      (beyond, limit) =
        free == 0 ? ("", 0) : (" and the amount of free space in volume group", free)
    }
    let name = pools.count > 1 ? "s" : " \(group.name)/\(pool)"
    let amount = limit == 0 ? "no free space in volume group" : size(extents: limit)
    warn(
      "WARNING: Sum of all thin volume sizes (\(size(extents: sum))) exceeds the size of thin "
        + "pool\(name)\(beyond) (\(amount)).")
    print(
      "WARNING: You have not turned on protection against thin pools running out of space.")
    print(
      "WARNING: Set activation/thin_pool_autoextend_threshold below 100 to trigger automatic "
        + "extension of thin pools before they get full.")
  }
}
