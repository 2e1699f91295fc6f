import LVMMetadata

/// What one mapped device of a volume must look like.
public struct PlannedDevice: Hashable, Sendable {
  /// When a device's new table goes into service (dm-activation, section 5).
  enum Resumption: Hashable, Sendable {
    /// While the tables above are not loaded yet, because their load checks its size.
    case early
    /// Not before everything is suspended when it is new.
    case lateIfNew
    /// Not before everything is suspended when it, or what lies below it, was extended.
    case lateIfExtended
  }

  /// The volume in LVM's own notation, `VG/LV`, for messages.
  public let volume: String
  public let uuid: MappedDeviceUUID
  public let name: MappedDeviceName
  public private(set) var table: PlannedTable
  public let isReadOnly: Bool
  public let readAhead: ReadAhead
  /// The minor number that the metadata asks for; nil lets the kernel choose.
  public let fixedMinor: UInt32?
  /// What udev and the nodes in /dev are to know about the device.
  public let udevRules: UdevRules
  private(set) var resumption: Resumption
  /// The kernel must not keep the table in memory that it gives back: it may hold keys.
  let isSecret: Bool
  /// Only of the device of a thin pool.
  let thinPool: PlannedThinPool?
  /// What is checked once the devices below are there, before a new device is loaded.
  let check: MetadataCheck?

  /// The mapped devices below this one.
  public var children: [MappedDeviceUUID] {
    table.references.compactMap { reference in
      if case .mapped(let uuid) = reference { uuid } else { nil }
    }
  }

  /// The numbers of the physical volumes' devices below this one.
  var physicalNumbers: [DeviceNumber] {
    table.references.compactMap { reference in
      if case .physicalVolume(_, let number) = reference { number } else { nil }
    }
  }

  /// The device, to be resumed late when it is new.
  var delayed: PlannedDevice {
    var device = self
    device.resumption = .lateIfNew
    return device
  }

  /// The device cut to at most `sectors`.
  func truncated(to sectors: UInt64) -> PlannedDevice {
    var device = self
    device.table.truncate(to: sectors)
    return device
  }
}

/// What the kernel's thin pool must have been told (dm-activation, section 5).
struct PlannedThinPool: Hashable, Sendable {
  let transactionID: UInt64
  /// Without the one that sets the transaction id. The kernel is one transaction behind while
  /// there are any.
  let messages: [String]
}

/// A program's check of a device that holds a pool's metadata.
public struct MetadataCheck: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable {
    case thin
    case cache
  }

  public let kind: Kind
  public let device: MappedDeviceUUID
}

/// The mapped devices that make a logical volume: its own, and all that lie below it or, as the
/// snapshots of an origin, beside it.
public struct PlannedVolume: Hashable, Sendable {
  /// What decides how a change is suspended (dm-activation, section 6).
  enum Kind: Hashable, Sendable {
    case ordinary
    case mirror
    case thin
    case thinPool
    /// An origin with its snapshots.
    case origin
  }

  /// The volume in LVM's own notation, `VG/LV`, for messages.
  public let volume: String
  /// Those below before those above, in the order of resuming.
  public let devices: [PlannedDevice]
  /// The volume's own device.
  public let uuid: MappedDeviceUUID
  let kind: Kind
  private let top: Int

  /// - Parameter top: the index of the volume's own device in `devices`.
  init(volume: String, devices: [PlannedDevice], top: Int, kind: Kind) {
    self.volume = volume
    self.devices = devices
    self.top = top
    self.kind = kind
    uuid = devices[top].uuid
  }

  /// The volume's own device.
  public var device: PlannedDevice { devices[top] }

  /// Whether several nodes may have the volume active at once: no target in it keeps state of its
  /// own (dm-activation, section 13).
  public var mayBeShared: Bool {
    devices.count == 1
      && device.table.lines.allSatisfy { line in
        ["linear", "striped", "error", "zero"].contains(line.target.type)
      }
  }

  /// Of the target "mirror", which several nodes can only share with a log in the cluster.
  public var isMirror: Bool { kind == .mirror }
  public var isThinPool: Bool { kind == .thinPool }

  public var name: MappedDeviceName { device.name }
  public var table: PlannedTable { device.table }
  public var isReadOnly: Bool { device.isReadOnly }
  public var readAhead: ReadAhead { device.readAhead }
  public var fixedMinor: UInt32? { device.fixedMinor }
}

/// What an operation did to one volume.
public struct VolumeOutcome: Hashable, Sendable {
  public enum Change: Hashable, Sendable {
    case activated
    case deactivated
    case reloaded
    case renamed
    case unchanged
  }

  /// `VG/LV`.
  public let volume: String
  public let change: Change
  /// Sizes of the mapped device in sectors before and after; 0 when it did not exist.
  public let oldSize: UInt64
  public let newSize: UInt64

  public init(volume: String, change: Change, oldSize: UInt64, newSize: UInt64) {
    self.volume = volume
    self.change = change
    self.oldSize = oldSize
    self.newSize = newSize
  }
}
