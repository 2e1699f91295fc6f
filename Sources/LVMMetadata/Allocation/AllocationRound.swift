/// One round of an allocation: at most one area for each stripe (lvm2-allocation 6 and 7).
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

    init(policy: AllocationPolicy, request: ExtentAllocator.Request) {
      self.policy = policy
      let matches =
        request.segments.last?.stripedLayout?.areas.count == request.stripeCount
      let clings = policy == .cling || policy == .clingByTags
      matchesPrevious = matches
      isContiguousToPrevious = policy == .contiguous && matches
      clingsToPrevious = clings && matches
      clingsToFound =
        (clings && !matches) || (policy == .normal && request.settings.maximisesCling)
      isPositional = isContiguousToPrevious || clings
      partitionsByTags =
        policy == .contiguous && !matches && !request.settings.clingTags.isEmpty
    }

    /// After a round that found nothing: the next weaker rules of the same pass, if there are any.
    mutating func loosen(_ settings: AllocationSettings) -> Bool {
      if policy == .cling, settings.maximisesCling, clingsToPrevious, isPositional {
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

  /// The areas of `map` that were chosen, by stripe.
  struct Choice {
    var areas: [Int]
    var extentCountPerArea: Int
  }

  private struct Candidate {
    var area: Int
    var used: Int
  }

  private enum Verdict {
    case take
    case takeFor(stripe: Int)
    case nextArea
    case nextVolume
  }

  private(set) var map: FreeExtentMap
  private let request: ExtentAllocator.Request
  private let rules: Rules
  private let extentCountWanted: Int
  private let foundVolumes: [Set<Int>]
  /// Positional choices, one place per stripe; empty when the round is not positional.
  private var places: [Candidate?]
  private var candidates: [Candidate] = []

  init(
    map: FreeExtentMap, request: ExtentAllocator.Request, rules: Rules, extentCountWanted: Int,
    foundVolumes: [Set<Int>]
  ) {
    self.map = map
    self.request = request
    self.rules = rules
    self.extentCountWanted = extentCountWanted
    self.foundVolumes = foundVolumes
    places = rules.isPositional ? Array(repeating: nil, count: request.stripeCount) : []
  }

  private var wantedPerArea: Int { extentCountWanted / request.stripeCount }

  /// Nil when no set of areas fits the rules.
  mutating func choose() -> Choice? {
    var countBefore: Int
    repeat {
      countBefore = candidates.count
      scan()
    } while rules.policy == .anywhere && candidates.count > countBefore
      && candidates.count < request.stripeCount
    return decide()
  }

  private mutating func scan() {
    for volume in map.volumes.indices where !map.volumes[volume].order.isEmpty {
      scan(volume)
      if rules.policy == .anywhere, candidates.count >= request.stripeCount { return }
      if !places.isEmpty, places.allSatisfy({ $0 != nil }) { return }
    }
  }

  private mutating func scan(_ volume: Int) {
    var place = 0
    var hasCandidate = false
    while place < map.volumes[volume].order.count {
      let area = map.volumes[volume].order[place]
      switch verdict(on: area, of: volume, hasCandidate: hasCandidate) {
      case .nextArea: break
      case .nextVolume: return
      case .takeFor(let stripe):
        places[stripe] = Candidate(area: area, used: map.reserveAll(of: area))
        return
      case .take:
        let (used, newPlace) = map.reserve(wantedPerArea, of: area, at: place)
        if hasCandidate, rules.policy != .anywhere { candidates.removeLast() }
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
    guard rules.isContiguousToPrevious || rules.clingsToPrevious || rules.clingsToFound else {
      guard area.unreserved * request.stripeCount < extentCountWanted else { return .take }
      if !canSplit || (hasCandidate && rules.policy != .anywhere) { return .nextVolume }
      return .take
    }
    let triesPrevious = request.settings.maximisesCling && rules.matchesPrevious
    if rules.isContiguousToPrevious || triesPrevious,
      let stripe = stripe(where: { continues($0, area) }, in: request.segments.last)
    {
      return rules.isPositional ? .takeFor(stripe: stripe) : .take
    }
    if rules.isContiguousToPrevious { return .nextArea }
    if rules.clingsToPrevious || triesPrevious,
      let stripe = stripe(where: { $0.volume == map.volumes[volume].id }, in: clingSegment)
    {
      return rules.isPositional ? .takeFor(stripe: stripe) : .take
    }
    if rules.clingsToFound, let verdict = verdictOnFound({ $0 == volume }) { return verdict }
    if rules.policy == .clingByTags {
      if rules.matchesPrevious,
        let stripe = stripe(where: { sharesTag($0.volume, volume) }, in: clingSegment)
      {
        return rules.isPositional ? .takeFor(stripe: stripe) : .take
      }
      if !rules.matchesPrevious,
        let verdict = verdictOnFound({ sharesTag(map.volumes[$0].id, volume) })
      {
        return verdict
      }
    }
    return .nextVolume
  }

  private var canSplit: Bool { request.policy != .contiguous }

  /// An area accepted because a PV found earlier fits; nil when none does.
  private func verdictOnFound(_ fits: (Int) -> Bool) -> Verdict? {
    for (stripe, volumes) in foundVolumes.enumerated() where volumes.contains(where: fits) {
      if !rules.isPositional { return .take }
      if places[stripe] == nil { return .takeFor(stripe: stripe) }
    }
    return nil
  }

  // MARK: - What the LV has already

  /// Where a stripe of a segment lies and ends.
  private struct Leg {
    let volume: LVMIdentifier
    let end: Int
  }

  /// With `maximise_cling` LVM looks at the first segment only, without at the last.
  private var clingSegment: Segment? {
    request.settings.maximisesCling ? request.segments.first : request.segments.last
  }

  private func continues(_ leg: Leg, _ area: FreeExtentMap.Area) -> Bool {
    leg.volume == map.volumes[area.volume].id && leg.end == area.start
  }

  /// The first stripe of `segment` that fits and, in a positional round, is still free.
  private func stripe(where fits: (Leg) -> Bool, in segment: Segment?) -> Int? {
    guard let segment, let layout = segment.stripedLayout else { return nil }
    for (stripe, area) in layout.areas.enumerated() {
      guard let volume = area.physicalVolume else { continue }
      if rules.isPositional, stripe >= places.count || places[stripe] != nil { continue }
      let end = area.firstExtent + segment.extentCountPerArea
      if fits(Leg(volume: volume, end: end)) { return stripe }
    }
    return nil
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
    let stripeCount = request.stripeCount
    let filledCount = places.count { $0 != nil }
    if filledCount < places.count, !rules.clingsToFound, candidates.isEmpty { return nil }
    guard candidates.count + filledCount >= stripeCount else { return nil }
    var sorted = largestFirst()
    if rules.partitionsByTags { sorted = partitionedByTags(sorted) }
    var chosen: [Candidate] = []
    if filledCount > 0 {
      for place in places {
        if let place {
          chosen.append(place)
        } else if !sorted.isEmpty {
          chosen.append(sorted.removeFirst())
        }
      }
    } else {
      chosen = Array(sorted.prefix(stripeCount))
    }
    guard chosen.count == stripeCount else { return nil }
    let count = chosen.reduce(wantedPerArea) { min($0, $1.used) }
    guard count > 0 else { return nil }
    return Choice(areas: chosen.map(\.area), extentCountPerArea: count)
  }

  /// Stable: equal ones stay in the order of their PVs.
  private func largestFirst() -> [Candidate] {
    candidates.enumerated().sorted { left, right in
      left.element.used != right.element.used
        ? left.element.used > right.element.used : left.offset < right.offset
    }.map(\.element)
  }

  /// Drops candidates whose PV shares a listed tag with one kept before.
  private func partitionedByTags(_ candidates: [Candidate]) -> [Candidate] {
    var kept: [Candidate] = []
    for candidate in candidates {
      let volume = map.areas[candidate.area].volume
      let clashes = kept.contains { other in
        sharesTag(map.volumes[map.areas[other.area].volume].id, volume)
      }
      if !clashes { kept.append(candidate) }
    }
    return kept
  }
}
