/// Chooses extents exactly as LVM 2.03 does (lvm2-allocation 4 to 8).
///
/// LVM tries one policy after the other, from contiguous up to the one allowed, and keeps what an
/// earlier one found. Each policy runs rounds; a round chooses one area for each slot: a stripe, a
/// mirror leg, a RAID image.
struct ExtentAllocator {
  private var map: FreeExtentMap
  private let request: AllocationRequest
  private var found = FoundExtents()
  /// Logical extents of the LV so far, RAID metadata counted as LVM counts it.
  private var allocated: Int
  /// `allocated` when all is found.
  private let total: Int
  private var loosest: AllocationPolicy
  /// PVs found so far, by slot.
  private var foundVolumes: [Set<Int>]

  init(map: FreeExtentMap, request: AllocationRequest) {
    self.map = map
    self.request = request
    allocated = request.layout?.extentCount ?? 0
    total =
      allocated + request.extentCount
      + request.metadataExtentCount * (request.isRAID1 ? 1 : request.multiple)
    // LVM lets "cling" go on by tags.
    loosest = request.policy == .cling ? .clingByTags : request.policy
    foundVolumes = Array(repeating: [], count: request.slotCount)
  }

  private var canSplit: Bool { request.policy != .contiguous }
  private var needsLog: Bool { request.logExtentCount > 0 && found.log == nil }
  private var needsMetadata: Bool { request.metadataExtentCount > 0 && found.metadata.isEmpty }

  mutating func allocate() throws(VolumeGroupRefusal) -> FoundExtents {
    try checkRequest()
    for policy in AllocationPolicy.allCases where policy <= loosest {
      if policy == .clingByTags, request.settings.clingTags.isEmpty { continue }
      if !request.isApproximate { try checkFreeExtents() }
      let before = allocated
      try runPass(policy)
      if allocated == total, needsLog, loosest < .normal {
        loosest = .normal
        continue
      }
      if allocated == total && !needsLog || !canSplit && allocated != before { break }
    }
    let kind = canSplit ? "" : "contiguous "
    guard allocated == total || request.isApproximate else {
      throw VolumeGroupRefusal(
        "Insufficient suitable \(kind)allocatable extents for logical volume "
          + "\(request.volumeName): "
          + "\((total - allocated) * request.areaCount / request.multiple) more required")
    }
    guard allocated > 0 || total == 0 else {
      throw VolumeGroupRefusal(
        "Insufficient suitable \(kind)allocatable extents found for logical volume "
          + "\(request.volumeName).")
    }
    guard !needsLog else {
      throw VolumeGroupRefusal(
        "Insufficient free space for log allocation for logical volume \(request.volumeName).")
    }
    return found
  }

  private func checkRequest() throws(VolumeGroupRefusal) {
    let wanted = total - allocated
    guard wanted % request.multiple == 0 else {
      throw VolumeGroupRefusal(
        "Number of extents requested (\(wanted)) needs to be divisible by \(request.multiple).")
    }
    let logCount = request.logExtentCount > 0 ? 1 : 0
    guard
      !request.needsSeparateLog || request.policy == .anywhere || map.volumes.isEmpty
        || map.volumes.count >= request.slotCount + logCount
    else {
      throw VolumeGroupRefusal(
        "Not enough PVs with free space available for parallel allocation.",
        "Consider --alloc anywhere if desperate.")
    }
  }

  private func checkFreeExtents() throws(VolumeGroupRefusal) {
    let perSlot = (total - allocated) / request.multiple
    var needed = perSlot * request.areaCount + perSlot * request.parityCount
    if needsLog { needed += request.logExtentCount }
    let available = map.freeExtentCount
    guard needed <= available else {
      throw VolumeGroupRefusal(
        "Insufficient free space: \(needed) extents needed, but only \(available) available")
    }
  }

  private mutating func runPass(_ policy: AllocationPolicy) throws(VolumeGroupRefusal) {
    var rules = AllocationRound.Rules(
      policy: policy, request: request, isIncomplete: allocated != total)
    repeat {
      let (wanted, avoided) = limits()
      map.resetReservations()
      var round = AllocationRound(
        map: map, request: request, rules: rules, extentCountWanted: wanted,
        avoidedVolumes: avoided, foundVolumes: foundVolumes, needsLog: needsLog)
      let choice = round.choose()
      map = round.map
      let before = allocated
      if let choice { try accept(choice) }
      if allocated == before {
        guard rules.loosen(request.settings) else { return }
      } else if policy == .normal, request.settings.maximisesCling {
        rules.clingsToFound = true
      }
    } while policy != .contiguous && allocated != total && canSplit
      && (!request.isApproximate || map.freeExtentCount > 0)
  }

  /// What the next round may look for: with parallel areas to avoid, no further than to the end of
  /// the first of them that is not passed yet.
  private func limits() -> (wanted: Int, avoided: Set<LVMIdentifier>) {
    let wanted = total - allocated
    let next = allocated / request.multiple + (request.layout?.extentCount ?? 0)
    guard let area = request.parallelAreas.first(where: { next < $0.extents.upperBound }) else {
      return (wanted, [])
    }
    let end = area.extents.upperBound * request.multiple
    let split = needsMetadata ? request.metadataExtentCount : 0
    return (total - split > end ? end - allocated + split : wanted, area.avoided)
  }

  private mutating func accept(
    _ choice: AllocationRound.Choice
  ) throws(VolumeGroupRefusal) {
    let split = needsMetadata ? request.metadataExtentCount : 0
    guard choice.extentCountPerArea >= split else {
      throw VolumeGroupRefusal("Metadata does not fit on a single PV.")
    }
    let count = choice.extentCountPerArea - split
    var areas: [SegmentArea] = []
    for (slot, area) in choice.areas.enumerated() {
      if split > 0 { found.metadata.append(take(split, of: area)) }
      if count > 0 {
        foundVolumes[slot].insert(map.areas[area].volume)
        areas.append(take(count, of: area))
      }
    }
    if !areas.isEmpty { found.parts.append(.init(extentCountPerArea: count, areas: areas)) }
    if let log = choice.logArea { found.log = take(request.logExtentCount, of: log) }
    allocated += choice.extentCountPerArea * request.multiple
  }

  private mutating func take(_ count: Int, of area: Int) -> SegmentArea {
    let id = map.volumes[map.areas[area].volume].id
    return .physicalVolume(id, firstExtent: map.take(count, of: area))
  }
}

/// What an allocation found.
package struct FoundExtents: Equatable {
  /// One round's choice: so many extents on each area, in the order of the slots.
  package struct Part: Equatable {
    package var extentCountPerArea: Int
    package var areas: [SegmentArea]
  }

  package var parts: [Part] = []
  /// Where the metadata of each RAID image begins; empty when none was wanted.
  package var metadata: [SegmentArea] = []
  /// Where the mirror log or the pool metadata begins.
  package var log: SegmentArea?
}
