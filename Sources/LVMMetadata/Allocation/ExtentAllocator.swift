/// Chooses extents for a linear or striped LV exactly as LVM 2.03 does (lvm2-allocation 4 to 8).
///
/// LVM tries one policy after the other, from contiguous up to the one allowed, and keeps what an
/// earlier one found. Each policy runs rounds; a round chooses one area per stripe.
struct ExtentAllocator {
  struct Request {
    /// For messages.
    var volumeName: String
    /// The LV's segments; empty for a new one.
    var segments: [Segment]
    /// Extents to add; a multiple of `stripeCount`.
    var extentCount: Int
    var stripeCount: Int
    /// The loosest policy allowed.
    var policy: AllocationPolicy
    /// Fewer extents will do.
    var isApproximate: Bool
    var settings: AllocationSettings
    /// Tags of all PVs of the VG.
    var tagsByVolume: [LVMIdentifier: [String]]
  }

  /// One round's choice: `extentCount` extents on each area.
  struct Found: Equatable {
    var extentCountPerArea: Int
    var areas: [SegmentArea]
  }

  private var map: FreeExtentMap
  private let request: Request
  private var found: [Found] = []
  private var remaining: Int
  /// PVs found so far, by stripe.
  private var foundVolumes: [Set<Int>]

  init(map: FreeExtentMap, request: Request) {
    self.map = map
    self.request = request
    remaining = request.extentCount
    foundVolumes = Array(repeating: [], count: request.stripeCount)
  }

  private var canSplit: Bool { request.policy != .contiguous }

  mutating func allocate() throws(VolumeGroupRefusal) -> [Found] {
    guard request.extentCount % request.stripeCount == 0 else {
      throw VolumeGroupRefusal(
        "Number of extents requested (\(request.extentCount)) needs to be divisible by "
          + "\(request.stripeCount).")
    }
    // LVM lets "cling" go on by tags.
    let loosest = request.policy == .cling ? .clingByTags : request.policy
    for policy in AllocationPolicy.allCases where policy <= loosest {
      if policy == .clingByTags, request.settings.clingTags.isEmpty { continue }
      let available = map.freeExtentCount
      guard request.isApproximate || remaining <= available else {
        throw VolumeGroupRefusal(
          "Insufficient free space: \(remaining) extents needed, but only \(available) available")
      }
      runPass(policy)
      if remaining == 0 || (!found.isEmpty && !canSplit) { break }
    }
    let kind = canSplit ? "suitable" : "suitable contiguous"
    guard remaining == 0 || request.isApproximate else {
      throw VolumeGroupRefusal(
        "Insufficient \(kind) allocatable extents for logical volume \(request.volumeName): "
          + "\(remaining) more required")
    }
    guard !found.isEmpty else {
      throw VolumeGroupRefusal(
        "Insufficient \(kind) allocatable extents found for logical volume "
          + "\(request.volumeName).")
    }
    return found
  }

  private mutating func runPass(_ policy: AllocationPolicy) {
    var rules = AllocationRound.Rules(policy: policy, request: request)
    while true {
      map.resetReservations()
      var round = AllocationRound(
        map: map, request: request, rules: rules, extentCountWanted: remaining,
        foundVolumes: foundVolumes)
      let choice = round.choose()
      map = round.map
      if let choice {
        accept(choice)
        if policy == .normal, request.settings.maximisesCling { rules.clingsToFound = true }
      } else if !rules.loosen(request.settings) {
        return
      }
      if remaining == 0 || (choice != nil && (!canSplit || policy == .contiguous)) { return }
      if request.isApproximate, map.freeExtentCount == 0 { return }
    }
  }

  private mutating func accept(_ choice: AllocationRound.Choice) {
    var areas: [SegmentArea] = []
    for (stripe, area) in choice.areas.enumerated() {
      let volume = map.areas[area].volume
      foundVolumes[stripe].insert(volume)
      let first = map.take(choice.extentCountPerArea, of: area)
      areas.append(.physicalVolume(map.volumes[volume].id, firstExtent: first))
    }
    found.append(Found(extentCountPerArea: choice.extentCountPerArea, areas: areas))
    remaining -= choice.extentCountPerArea * request.stripeCount
  }
}

/// Settings of lvm.conf that steer allocation.
public struct AllocationSettings: Sendable {
  /// `allocation/maximise_cling`.
  public var maximisesCling: Bool
  /// `allocation/cling_tag_list` without the `@` signs; `*` stands for any common tag.
  public var clingTags: [String]
  /// `metadata/stripesize`, in sectors.
  public var defaultStripeSizeSectors: UInt64

  public init(
    maximisesCling: Bool = true, clingTags: [String] = [], defaultStripeSizeSectors: UInt64 = 128
  ) {
    self.maximisesCling = maximisesCling
    self.clingTags = clingTags
    self.defaultStripeSizeSectors = defaultStripeSizeSectors
  }
}
