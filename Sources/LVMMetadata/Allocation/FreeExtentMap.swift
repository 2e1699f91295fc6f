/// The free extents an allocation may use: per PV a list of areas, largest first
/// (lvm2-allocation 3).
struct FreeExtentMap {
  /// A run of free extents. `unreserved` is what the present round has not set aside.
  struct Area {
    let volume: Int
    var start: Int
    var count: Int
    var unreserved: Int
  }

  struct Volume {
    let id: LVMIdentifier
    let tags: [String]
    /// Indices into `areas`, in list order.
    var order: [Int] = []
  }

  private(set) var volumes: [Volume] = []
  private(set) var areas: [Area] = []

  var freeExtentCount: Int {
    volumes.reduce(0) { sum, volume in sum + volume.order.reduce(0) { $0 + areas[$1].count } }
  }

  /// Adds a PV with its free runs, cut by `ranges` in the order given; nil stands for all.
  mutating func add(_ volume: PhysicalVolume, used: [UsedArea], ranges: [Range<Int>]?) {
    let index = volumes.count
    volumes.append(Volume(id: volume.id, tags: volume.tags))
    for range in ranges ?? [0..<volume.extentCount] {
      var start = range.lowerBound
      for area in used where area.extents.overlaps(range) {
        addArea(start..<max(start, area.extents.lowerBound), to: index)
        start = max(start, area.extents.upperBound)
      }
      addArea(start..<max(start, range.upperBound), to: index)
    }
  }

  private mutating func addArea(_ extents: Range<Int>, to volume: Int) {
    guard !extents.isEmpty else { return }
    areas.append(
      Area(
        volume: volume, start: extents.lowerBound, count: extents.count, unreserved: extents.count))
    insert(areas.count - 1, rankedBy: extents.count)
  }

  /// Puts an area before the first one that is smaller than `count`; returns its place.
  @discardableResult
  private mutating func insert(_ area: Int, rankedBy count: Int) -> Int {
    let volume = areas[area].volume
    let place =
      volumes[volume].order.firstIndex { areas[$0].count < count } ?? volumes[volume].order.endIndex
    volumes[volume].order.insert(area, at: place)
    return place
  }

  private mutating func remove(_ area: Int) {
    volumes[areas[area].volume].order.removeAll { $0 == area }
  }

  /// Begins a round: nothing is set aside. An area of which something was goes behind its equals.
  mutating func resetReservations() {
    for volume in volumes.indices {
      var place = 0
      while place < volumes[volume].order.count {
        let area = volumes[volume].order[place]
        if areas[area].unreserved != areas[area].count {
          areas[area].unreserved = areas[area].count
          remove(area)
          place = insert(area, rankedBy: areas[area].count)
        }
        place += 1
      }
    }
  }

  /// Sets aside up to `wanted` extents of an area; returns how many, and the area's new place,
  /// where it stands by what is left of it.
  mutating func reserve(_ wanted: Int, of area: Int, at place: Int) -> (used: Int, place: Int) {
    guard wanted < areas[area].unreserved else {
      let used = areas[area].unreserved
      areas[area].unreserved = 0
      return (used, place)
    }
    areas[area].unreserved -= wanted
    remove(area)
    return (wanted, insert(area, rankedBy: areas[area].unreserved))
  }

  /// Takes extents from the start of an area for good; returns the first.
  mutating func take(_ count: Int, of area: Int) -> Int {
    let first = areas[area].start
    remove(area)
    areas[area].start += count
    areas[area].count -= count
    areas[area].unreserved = areas[area].count
    if areas[area].count > 0 { insert(area, rankedBy: areas[area].count) }
    return first
  }
}
