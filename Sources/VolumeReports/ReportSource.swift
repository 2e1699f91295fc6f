import LVMMetadata

/// What the kernel says about a logical volume's device.
public struct DeviceState: Sendable, Equatable {
  public var major: UInt32
  public var minor: UInt32
  public var isSuspended: Bool
  public var hasLiveTable: Bool
  public var hasInactiveTable: Bool
  public var isOpen: Bool

  public init(
    major: UInt32, minor: UInt32, isSuspended: Bool, hasLiveTable: Bool, hasInactiveTable: Bool,
    isOpen: Bool
  ) {
    self.major = major
    self.minor = minor
    self.isSuspended = isSuspended
    self.hasLiveTable = hasLiveTable
    self.hasInactiveTable = hasInactiveTable
    self.isOpen = isOpen
  }
}

/// Where the devices of logical volumes can be looked up.
public enum DeviceStates: Sendable {
  /// There is no device-mapper, or this user may not ask it.
  case unknown
  /// By the logical volume's id; a volume that is missing here has no device.
  case known([LVMIdentifier: DeviceState])
}

/// Everything a report is made from.
public struct ReportSource {
  public var scan: MetadataScan
  public var states: DeviceStates
  /// Major and minor numbers of block devices, by name.
  public var deviceNumbers: [String: (major: UInt32, minor: UInt32)]
  /// Turns seconds since 1970 into "2024-01-31 12:00:00 +0100".
  public var formatTime: (UInt64) -> String

  public init(
    scan: MetadataScan, states: DeviceStates = .unknown,
    deviceNumbers: [String: (major: UInt32, minor: UInt32)] = [:],
    formatTime: @escaping (UInt64) -> String
  ) {
    self.scan = scan
    self.states = states
    self.deviceNumbers = deviceNumbers
    self.formatTime = formatTime
  }
}

/// A volume group with what its rows ask for again and again.
final class GroupFacts {
  let scanned: ScannedVolumeGroup
  let group: VolumeGroup
  /// For each PV, in order, the extents in use.
  let usedExtents: [Int]
  let missing: Set<LVMIdentifier>
  let partial: Set<String>
  /// By the name of the COW store: the snapshot that `snapshotN` describes.
  let snapshots: [String: Snapshot]
  let logicalVolumes: [String: LogicalVolume]
  /// By name: the LVs that are made of it.
  let users: [String: [LogicalVolume]]

  struct Snapshot {
    let origin: String
    let chunkSectors: UInt64
  }

  init(_ scanned: ScannedVolumeGroup) {
    self.scanned = scanned
    group = scanned.volumeGroup
    usedExtents = group.usedAreasByPhysicalVolume().map { areas in
      areas.reduce(0) { $0 + $1.extents.count }
    }
    missing = scanned.missingPhysicalVolumes
    partial = scanned.partialLogicalVolumes
    var snapshots: [String: Snapshot] = [:]
    var byName: [String: LogicalVolume] = [:]
    var users: [String: [LogicalVolume]] = [:]
    for volume in group.logicalVolumes {
      byName[volume.name] = volume
      for name in group.logicalVolumesBelow(volume) { users[name, default: []].append(volume) }
      for segment in volume.segments {
        guard case .other("snapshot", let section) = segment.kind,
          let cow = section.string("cow_store") ?? section.string("merging_store"),
          let origin = section.string("origin")
        else { continue }
        snapshots[cow] = Snapshot(
          origin: origin, chunkSectors: UInt64(clamping: section.integer("chunk_size") ?? 0))
      }
    }
    self.snapshots = snapshots
    logicalVolumes = byName
    self.users = users
  }

  var freeExtents: Int { group.extentCount - usedExtents.reduce(0, +) }

  func bytes(extents: Int) -> UInt64 { group.sectors(extents: extents) * 512 }

  /// The metadata areas on the PVs that can be reached.
  var areas: [ScannedArea] { scanned.members.compactMap(\.scanned).flatMap(\.areas) }

  /// How a PV is called: its device, or that there is none.
  func deviceName(of id: LVMIdentifier) -> String {
    scanned.members.first { $0.id == id }?.scanned?.device.name ?? "[unknown]"
  }

  func index(of id: LVMIdentifier) -> Int? {
    group.physicalVolumes.firstIndex { $0.id == id }
  }

  /// LVs that LVM made for itself stand in brackets.
  func displayName(_ name: String) -> String {
    guard let volume = logicalVolumes[name] else { return name }
    return volume.isVisible ? name : "[\(name)]"
  }
}

extension ScannedArea {
  /// Free bytes for text, in whole sectors. A change writes the new text beside the old one, so
  /// half of the buffer counts.
  var freeBytes: UInt64 {
    let header: MetadataAreaHeader
    var used: UInt64 = 0
    switch state {
    case .unusable: return 0
    case .text(let found, _, let location):
      header = found
      used = (location.size + 511) / 512 * 512
    case .ignored(let found), .empty(let found), .damaged(let found, _):
      header = found
      used = ((found.committed?.size ?? 0) + 511) / 512 * 512
    }
    let buffer = header.size - 512
    return used * 2 >= buffer ? 0 : (buffer - 2 * used) / 2 / 512 * 512
  }

  var sizeBytes: UInt64 { header?.size ?? area.size }

  var isInUse: Bool {
    switch state {
    case .ignored: false
    case .unusable, .empty, .damaged, .text: true
    }
  }
}
