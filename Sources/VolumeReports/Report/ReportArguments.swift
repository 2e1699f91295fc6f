import LVMMetadata

/// What a report is to be about, from its command line.
public struct ReportArguments: Sendable {
  /// Device names; only for reports about physical volumes.
  public var devices: [String] = []
  /// Volume groups, by name.
  public var volumeGroups: [String] = [] {
    didSet { noteGroups(volumeGroups) }
  }
  public var logicalVolumes: [(group: String, volume: String)] = [] {
    didSet { noteGroups(logicalVolumes.map(\.group)) }
  }
  /// The groups above in the order in which they were named first.
  private var groupOrder: [String] = []
  /// Without their `@`.
  public var tags: [String] = []
  /// `-a`: also volumes that LVM made for itself, and devices that are no physical volumes.
  public var showsAll = false
  /// `-H`: also volumes that are gone.
  public var showsHistory = false
  /// `--foreign`: also groups that another host owns.
  public var showsForeign = false
  /// Nil when this host has none: then every group with one is foreign.
  public var hostSystemID: String?
  /// `lvs` leaves exported groups out; the others do not.
  public var leavesOutExported = false

  public init() {}

  /// Nothing is named: everything is meant.
  var isEmpty: Bool {
    devices.isEmpty && volumeGroups.isEmpty && logicalVolumes.isEmpty && tags.isEmpty
  }

  /// Groups are named, or volumes in them.
  var namesGroups: Bool { !volumeGroups.isEmpty || !logicalVolumes.isEmpty }

  private mutating func noteGroups(_ names: [String]) {
    for name in names where !groupOrder.contains(name) { groupOrder.append(name) }
  }

  /// As LVM goes through groups: as they are named, but for tags, which may be anywhere.
  func inOrder(_ groups: [ScannedVolumeGroup]) -> [ScannedVolumeGroup] {
    guard namesGroups, tags.isEmpty else { return groups }
    let places = Dictionary(
      zip(groupOrder, groupOrder.indices), uniquingKeysWith: { first, _ in first })
    func place(_ group: ScannedVolumeGroup) -> Int {
      places[group.volumeGroup.name] ?? places.count
    }
    return groups.enumerated().sorted {
      (place($0.element), $0.offset) < (place($1.element), $1.offset)
    }.map(\.element)
  }
}
