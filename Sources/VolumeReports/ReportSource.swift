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
    /// Its contents are going back into the origin; then it is hidden.
    let isMerging: Bool
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
        guard segment.baseType == "snapshot", let origin = segment.text("origin"),
          let store = segment.text("cow_store") ?? segment.text("merging_store")
        else { continue }
        snapshots[store] = Snapshot(
          origin: origin, isMerging: segment.text("merging_store") != nil)
      }
    }
    self.snapshots = snapshots
    logicalVolumes = byName
    self.users = users
  }

  var freeExtents: Int { group.extentCount - usedExtents.reduce(0, +) }

  func bytes(extents: Int) -> UInt64 { group.sectors(extents: extents) * 512 }

  /// The metadata areas on the PVs that can be reached.
  var areas: [ScannedArea] {
    scanned.members.compactMap(\.scanned).flatMap(\.areas).filter(\.isCounted)
  }

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
    return isVisible(volume) ? name : "[\(name)]"
  }
}

extension ScannedArea {
  /// Free bytes for text, in whole sectors, as LVM counts them: a change writes the new text beside
  /// the old one, so half of the buffer counts; a sector is kept for what rounding may take.
  var freeBytes: UInt64 {
    guard let header, isInUse else { return 0 }
    let half = (header.size - 512) / 2
    let used = (header.committed?.size ?? 0) + 512
    return used >= half ? 0 : (half - used) / 512 * 512
  }

  var sizeBytes: UInt64 { header?.size ?? area.size }

  /// LVM does not count areas that it cannot read.
  var isCounted: Bool {
    switch state {
    case .unusable, .damaged: false
    case .ignored, .empty, .text: true
    }
  }

  var isInUse: Bool {
    switch state {
    case .ignored, .unusable, .damaged: false
    case .empty, .text: true
    }
  }
}
