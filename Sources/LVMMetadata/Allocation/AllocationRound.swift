/// One round of an allocation: at most one area for each slot (lvm2-allocation 6 and 7).
struct AllocationRound {
  /// What makes an area acceptable in a pass.
  struct Rules {
    let policy: AllocationPolicy
    /// Must continue the LV's last extents.
    let isContiguousToPrevious: Bool
    /// Must be on a PV of the LV.
    let clingsToPrevious: Bool
    /// Must be on a PV found earlier in this request.
    var clingsToFound: Bool
    /// Each stripe must get the area that fits it; otherwise the largest areas are dealt out.
    var isPositional: Bool
    /// The LV's last segment has as many areas as are wanted.
    let matchesPrevious: Bool
    /// PVs chosen together should not share a listed tag.
    let partitionsByTags: Bool

    /// - Parameter isIncomplete: data is still missing, not only the log.
    init(policy: AllocationPolicy, request: AllocationRequest, isIncomplete: Bool) {
      self.policy = policy
      let matches = request.layout?.areaCount == request.slotCount
      let clings = policy == .cling || policy == .clingByTags
      matchesPrevious = matches
      isContiguousToPrevious = policy == .contiguous && matches
      clingsToPrevious = clings && matches
      clingsToFound =
        (clings && !matches)
        || (policy == .normal && request.settings.maximisesCling && isIncomplete)
      isPositional = isContiguousToPrevious || clings
      partitionsByTags =
        policy == .contiguous && !matches && !request.settings.clingTags.isEmpty
    }

    /// After a round that found nothing: the next weaker rules of the same pass, if there are any.
    mutating func loosen(_ settings: AllocationSettings) -> Bool {
      if settings.maximisesCling, clingsToPrevious, isPositional {
        isPositional = false
        return true
      }
      if policy == .normal, clingsToFound {
        clingsToFound = false
        return true
      }
      return false
    }
  }

  /// The areas of `map` that were chosen, by slot.
  struct Choice {
    var areas: [Int]
    var extentCountPerArea: Int
    var logArea: Int?
  }

  private struct Candidate {
    var area: Int
    var used: Int
  }

  private enum Verdict {
    case take
    case takeFor(slot: Int)
    case nextArea
    case nextVolume
  }

  private(set) var map: FreeExtentMap
  private let request: AllocationRequest
  private let rules: Rules
  private let extentCountWanted: Int
  private let avoidedVolumes: Set<LVMIdentifier>
  private let foundVolumes: [Set<Int>]
  private let needsLog: Bool
  /// Positional choices, one place per slot; empty when the round is not positional.
  private var places: [Candidate?]
  private var candidates: [Candidate] = []
  /// Looking on PVs with data for a place that the log may have.
  private var isLogIteration = false

  init(
    map: FreeExtentMap, request: AllocationRequest, rules: Rules, extentCountWanted: Int,
    avoidedVolumes: Set<LVMIdentifier>, foundVolumes: [Set<Int>], needsLog: Bool
  ) {
    self.map = map
    self.request = request
    self.rules = rules
    self.extentCountWanted = extentCountWanted
    self.avoidedVolumes = avoidedVolumes
    self.foundVolumes = foundVolumes
    self.needsLog = needsLog
    let placeCount =
      rules.clingsToFound ? request.areaCount : request.layout?.positionCount ?? 0
    places = Array(repeating: nil, count: rules.isPositional ? placeCount : 0)
  }

  private var slotCount: Int { request.slotCount }
  private var neededCount: Int { slotCount + (needsLog ? 1 : 0) }
  private var wantedPerArea: Int { extentCountWanted / request.multiple }
  private var filledCount: Int { places.count { $0 != nil } }
  /// The log or the RAID metadata: no area is tried with less.
  private var leastPerArea: Int { max(request.logExtentCount, request.metadataExtentCount) }

  /// Nil when no set of areas fits the rules.
  mutating func choose() -> Choice? {
    var again: Bool
    repeat {
      let countBefore = candidates.count
      scan()
      if rules.policy == .anywhere {
        again = candidates.count > countBefore && candidates.count < neededCount
      } else {
        let count = candidates.count + filledCount
        again =
          rules.policy == .normal && !isLogIteration && filledCount == places.count
          && !request.needsSeparateLog && count >= slotCount && count < neededCount
        if again { isLogIteration = true }
      }
    } while again
    return decide()
  }

  private mutating func scan() {
    for volume in map.volumes.indices where !map.volumes[volume].order.isEmpty {
      if rules.policy == .anywhere || !isAvoided(volume) { scan(volume) }
      if rules.policy == .anywhere, candidates.count + places.count >= neededCount { return }
      if filledCount == places.count, places.count == neededCount { return }
    }
  }

  /// PVs of parallel areas, and when looking for the log only, PVs that offer one already.
  private func isAvoided(_ volume: Int) -> Bool {
    if isLogIteration {
      return candidates.dropFirst(max(slotCount - places.count, 0))
        .contains { map.areas[$0.area].volume == volume }
    }
    return avoidedVolumes.contains(map.volumes[volume].id)
      || avoidedVolumes.contains { sharesTag($0, volume) }
  }

  private mutating func scan(_ volume: Int) {
    var place = 0
    var hasCandidate = false
    while place < map.volumes[volume].order.count {
      let area = map.volumes[volume].order[place]
      switch verdict(on: area, of: volume, hasCandidate: hasCandidate) {
      case .nextArea: break
      case .nextVolume: return
      case .takeFor(let slot):
        // A place gets all of the area, which nothing is set aside of: the order of areas stays.
        places[slot] = Candidate(area: area, used: map.areas[area].count)
        return
      case .take:
        if hasCandidate, rules.policy != .anywhere { candidates.removeLast() }
        let wanted =
          if rules.policy != .anywhere {
            max(wantedPerArea, leastPerArea)
          } else if places.count + candidates.count >= slotCount {
            leastPerArea
          } else {
            wantedPerArea
          }
        let (used, newPlace) = map.reserve(wanted, of: area, at: place)
        candidates.append(Candidate(area: area, used: used))
        hasCandidate = true
        place = newPlace
      }
      place += 1
    }
  }

  private func verdict(on index: Int, of volume: Int, hasCandidate: Bool) -> Verdict {
    let area = map.areas[index]
    guard area.unreserved > 0 else { return .nextArea }
    let restricts = rules.isContiguousToPrevious || rules.clingsToPrevious || rules.clingsToFound
    guard restricts, !isLogIteration else {
      guard area.unreserved * request.multiple < extentCountWanted else { return .take }
      let mustFit = request.policy == .contiguous && request.logExtentCount == 0
      return mustFit || (hasCandidate && rules.policy != .anywhere) ? .nextVolume : .take
    }
    let triesPrevious = request.settings.maximisesCling && rules.matchesPrevious
    if rules.isContiguousToPrevious || triesPrevious,
      let slot = slot(where: { continues($0, area) }, in: request.layout?.lastLegs)
    {
      return rules.isPositional ? .takeFor(slot: slot) : .take
    }
    if rules.isContiguousToPrevious { return .nextArea }
    if rules.clingsToPrevious || triesPrevious,
      let slot = slot(where: { $0.volume == map.volumes[volume].id }, in: clingLegs)
    {
      return rules.isPositional ? .takeFor(slot: slot) : .take
    }
    if rules.clingsToFound, let verdict = verdictOnFound({ $0 == volume }) { return verdict }
    if rules.policy == .clingByTags {
      if rules.matchesPrevious,
        let slot = slot(where: { sharesTag($0.volume, volume) }, in: clingLegs)
      {
        return rules.isPositional ? .takeFor(slot: slot) : .take
      }
      if !rules.matchesPrevious,
        let verdict = verdictOnFound({ sharesTag(map.volumes[$0].id, volume) })
      {
        return verdict
      }
    }
    return .nextVolume
  }

  /// An area accepted because a PV found earlier fits; nil when none does. LVM does not look at
  /// parity here, nor at anything before the log has a place.
  private func verdictOnFound(_ fits: (Int) -> Bool) -> Verdict? {
    guard !needsLog else { return nil }
    for (slot, volumes) in foundVolumes.prefix(request.areaCount).enumerated()
    where volumes.contains(where: fits) {
      if !rules.isPositional { return .take }
      if places[slot] == nil { return .takeFor(slot: slot) }
    }
    return nil
  }

  // MARK: - What the LV has already

  /// With `maximise_cling` LVM looks at the first segment only, without at the last.
  private var clingLegs: [ExistingLayout.Leg]? {
    request.settings.maximisesCling ? request.layout?.firstLegs : request.layout?.lastLegs
  }

  private func continues(_ leg: ExistingLayout.Leg, _ area: FreeExtentMap.Area) -> Bool {
    leg.volume == map.volumes[area.volume].id && leg.end == area.start
  }

  /// The first slot that fits and, in a positional round, is still free.
  private func slot(
    where fits: (ExistingLayout.Leg) -> Bool, in legs: [ExistingLayout.Leg]?
  ) -> Int? {
    legs?.first { leg in
      if rules.isPositional, leg.slot >= places.count || places[leg.slot] != nil { return false }
      return fits(leg)
    }?.slot
  }

  /// The tags of a PV of the LV, which may not be among those of the map.
  private func sharesTag(_ id: LVMIdentifier, _ volume: Int) -> Bool {
    let other = request.tagsByVolume[id] ?? []
    return request.settings.clingTags.contains { listed in
      map.volumes[volume].tags.contains { tag in
        (listed == "*" || listed == tag) && other.contains(tag)
      }
    }
  }

  // MARK: - Decision

  private func decide() -> Choice? {
    if filledCount < places.count, !rules.clingsToFound, candidates.isEmpty { return nil }
    guard candidates.count + filledCount >= neededCount else { return nil }
    var sorted = sortedCandidates()
    var slots = places
    if filledCount > 0 {
      for slot in slots.indices where slots[slot] == nil && slot < slotCount && !sorted.isEmpty {
        slots[slot] = sorted.removeFirst()
      }
    } else {
      // Places that stay empty count for nothing when none is filled.
      slots = []
    }
    var all = slots.compactMap { $0 } + sorted
    guard logPlace(in: all) != nil || !needsLog, all.count >= slotCount else { return nil }
    if rules.partitionsByTags {
      all = partitionedByTags(all, logPlace: logPlace(in: all))
      guard all.count >= slotCount else { return nil }
    }
    var log: Int?
    if needsLog {
      guard let place = logPlace(in: all) else { return nil }
      if rules.partitionsByTags, place < slotCount { return nil }
      log = all[place].area
    }
    let chosen = all.prefix(slotCount)
    let count = chosen.reduce(wantedPerArea) { min($0, $1.used) }
    guard count > 0 || log != nil else { return nil }
    return Choice(areas: chosen.map(\.area), extentCountPerArea: count, logArea: log)
  }

  /// The log goes to the last candidate, the smallest, that is large enough.
  private func logPlace(in candidates: [Candidate]) -> Int? {
    guard needsLog else { return nil }
    let tooSmall = candidates.reversed().prefix { $0.used < request.logExtentCount }.count
    if request.needsSeparateLog, tooSmall > 0, tooSmall >= slotCount { return nil }
    return candidates.count > tooSmall ? candidates.count - tooSmall - 1 : nil
  }

  /// After an iteration for the log, what was found before keeps its order.
  private func sortedCandidates() -> [Candidate] {
    guard isLogIteration else { return Self.largestFirst(candidates) }
    return candidates.prefix(slotCount) + Self.largestFirst(candidates.dropFirst(slotCount))
  }

  /// Stable: equal ones stay in the order of their PVs.
  private static func largestFirst(_ candidates: some Sequence<Candidate>) -> [Candidate] {
    candidates.enumerated().sorted { left, right in
      left.element.used != right.element.used
        ? left.element.used > right.element.used : left.offset < right.offset
    }.map(\.element)
  }

  /// Drops candidates whose PV has a listed tag of one kept before; the log's begin anew.
  private func partitionedByTags(_ candidates: [Candidate], logPlace: Int?) -> [Candidate] {
    var kept: [Candidate] = []
    var volumes: [LVMIdentifier] = []
    for candidate in candidates {
      if kept.count == logPlace { volumes = [] }
      let volume = map.areas[candidate.area].volume
      if volumes.contains(where: { sharesTag($0, volume) }) { continue }
      kept.append(candidate)
      volumes.append(map.volumes[volume].id)
    }
    return kept
  }
}
