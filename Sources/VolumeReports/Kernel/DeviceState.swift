import LVMMetadata
import VolumeActivation

/// What the kernel says about a mapped device.
public struct DeviceState: Sendable, Equatable {
  /// One line of the device's status.
  public struct Target: Sendable, Equatable {
    /// First sector of the device that the target serves.
    public var start: UInt64
    /// Sectors.
    public var length: UInt64
    /// "linear", "raid" …
    public var type: String
    /// As the target prints them.
    public var parameters: String

    public init(start: UInt64, length: UInt64, type: String, parameters: String) {
      self.start = start
      self.length = length
      self.type = type
      self.parameters = parameters
    }
  }

  public var major: UInt32
  public var minor: UInt32
  public var isSuspended: Bool
  public var hasLiveTable: Bool
  public var hasInactiveTable: Bool
  /// How often the device is open.
  public var openCount: Int
  public var isOpen: Bool { openCount > 0 }
  public var isReadOnly: Bool
  public var readAheadSectors: UInt32
  public var targets: [Target]

  public init(
    major: UInt32, minor: UInt32, isSuspended: Bool = false, hasLiveTable: Bool = true,
    hasInactiveTable: Bool = false, openCount: Int = 0, isReadOnly: Bool = false,
    readAheadSectors: UInt32 = 0, targets: [Target] = []
  ) {
    self.major = major
    self.minor = minor
    self.isSuspended = isSuspended
    self.hasLiveTable = hasLiveTable
    self.hasInactiveTable = hasInactiveTable
    self.openCount = openCount
    self.isReadOnly = isReadOnly
    self.readAheadSectors = readAheadSectors
    self.targets = targets
  }
}

/// Where the mapped devices of logical volumes can be looked up.
public enum DeviceStates {
  /// There is no device-mapper, or this user may not ask it.
  case unknown
  /// Answers for one device; nil when it does not exist.
  case known((MappedDeviceUUID) -> DeviceState?)
}

extension GroupFacts {
  /// Which of the devices of a volume is meant.
  enum DeviceLayer {
    /// The one that carries the volume's name.
    case top
    /// The one below it that does the work, where there are two.
    case inner
  }

  /// The kernel's answer about a device of the volume (dm-activation 1).
  func device(
    _ index: Int, _ layer: DeviceLayer, _ lookup: (MappedDeviceUUID) -> DeviceState?
  ) -> DeviceState? {
    let id = graph.volumes[index].id
    var suffix: String?
    if layer == .inner { suffix = innerSuffix(index) }
    let isTop = suffix == nil
    suffix = suffix ?? topSuffix(index)
    if let suffix {
      let named = MappedDeviceUUID(volumeGroup: group.id, logicalVolume: id, suffix: suffix)
      if let state = named.flatMap(lookup) { return state }
      // Systems that run since before LVM marked internal devices have them without suffix.
      guard isTop, suffix != "real" else { return nil }
    }
    return lookup(MappedDeviceUUID(volumeGroup: group.id, logicalVolume: id))
  }

  private func topSuffix(_ index: Int) -> String? {
    let roles = graph.roles[index]
    if roles.containsAny([.cacheOrigin, .writecacheOrigin]) { return "real" }
    if roles.contains(.cache), roles.contains(.pendingDelete) { return "real" }
    if roles.contains(.cachePoolData) { return "cdata" }
    if roles.contains(.cachePoolMetadata) { return "cmeta" }
    if roles.contains(.cacheVolume) { return "cvol" }
    if roles.containsAny([.thinPool, .vdoPool]) { return "pool" }
    if roles.contains(.thinPoolData) { return "tdata" }
    if roles.contains(.thinPoolMetadata) { return "tmeta" }
    if roles.contains(.vdoPoolData) { return "vdata" }
    return nil
  }

  private func innerSuffix(_ index: Int) -> String? {
    let roles = graph.roles[index]
    if roles.contains(.thinPool) { return "tpool" }
    if roles.contains(.vdoPool) { return "vpool" }
    if roles.containsAny([.origin, .externalOrigin, .writecacheOrigin]) { return "real" }
    return nil
  }
}
