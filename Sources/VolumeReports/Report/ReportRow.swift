import LVMMetadata
import VolumeActivation

/// Everything a report is made from. All its rows point to it.
public final class ReportSource {
  public var scan: MetadataScan
  public var states: DeviceStates
  /// Major and minor numbers of block devices, by name.
  public var deviceNumbers: [String: (major: UInt32, minor: UInt32)]
  /// Devices without a label that `pvs -a` shows: name and size in bytes.
  public var otherDevices: [(name: String, sizeBytes: UInt64)]
  /// Turns seconds since 1970 into "2024-01-31 12:00:00 +0100".
  public var formatTime: (UInt64) -> String

  public init(
    scan: MetadataScan, states: DeviceStates = .unknown,
    deviceNumbers: [String: (major: UInt32, minor: UInt32)] = [:],
    otherDevices: [(name: String, sizeBytes: UInt64)] = [],
    formatTime: @escaping (UInt64) -> String
  ) {
    self.scan = scan
    self.states = states
    self.deviceNumbers = deviceNumbers
    self.otherDevices = otherDevices
    self.formatTime = formatTime
  }
}

/// What one row of a report is about.
final class ReportRow {
  /// A logical volume that is there, that was, or that stands for free extents.
  enum Volume {
    case none
    /// Index among the group's logical volumes.
    case live(Int)
    /// Index among the volumes the group remembers.
    case gone(Int)
    /// Of a physical volume whose extents no volume has.
    case free
  }

  let source: ReportSource
  let facts: GroupFacts
  /// The group's, when rows about its volumes have made it: asked for in every cell.
  let knownGraph: VolumeGraph?
  var physicalVolume: ReportedPhysicalVolume?
  var volume = Volume.none {
    didSet {
      roles =
        switch volume {
        case .live(let index): graph.roles[index]
        case .gone: [.visible, .historical]
        case .free: .visible
        case .none: []
        }
    }
  }
  /// What the volume is; asked for many times in a row.
  private(set) var roles: VolumeRoles = []
  /// Index of the segment among those of the volume.
  var segment = 0
  var physicalSegment: PhysicalSegment?
  /// The report shows volumes that are gone.
  var showsHistory = false

  init(source: ReportSource, facts: GroupFacts, graph: VolumeGraph? = nil) {
    self.source = source
    self.facts = facts
    knownGraph = graph
  }

  /// What the target of the volume's device tells.
  var target: TargetStatus { source.states.isKnown ? status.target : .none }

  /// The kernel's answers, asked for once per row.
  private(set) lazy var status: VolumeStatus = {
    guard case .live(let index) = volume else {
      return VolumeStatus(isKnown: source.states.isKnown)
    }
    return facts.status(index, segment: segment, source.states)
  }()

  /// Whether the volume's own device exists; nil when nobody can tell.
  private(set) lazy var isActive: Bool? = {
    guard case .known(let lookup) = source.states else { return nil }
    guard case .live(let index) = volume else { return false }
    return facts.isActive(index, lookup)
  }()
}

extension DeviceStates {
  var isKnown: Bool {
    switch self {
    case .unknown: false
    case .known: true
    }
  }
}

/// A physical volume as its device shows it, as its group's text describes it, or both.
final class ReportedPhysicalVolume {
  let scanned: ScannedPhysicalVolume?
  var described: PhysicalVolume?
  /// Index among the group's physical volumes.
  var index: Int?
  let isMissing: Bool
  /// Another device with the same id is used in its place.
  let isUnusedDuplicate: Bool
  /// A device that is no physical volume: name and size in bytes.
  let otherDevice: (name: String, sizeBytes: UInt64)?

  init(
    scanned: ScannedPhysicalVolume? = nil, described: PhysicalVolume? = nil, index: Int? = nil,
    isMissing: Bool = false, isUnusedDuplicate: Bool = false,
    otherDevice: (name: String, sizeBytes: UInt64)? = nil
  ) {
    self.scanned = scanned
    self.described = described
    self.index = index
    self.isMissing = isMissing
    self.isUnusedDuplicate = isUnusedDuplicate
    self.otherDevice = otherDevice
  }
}
