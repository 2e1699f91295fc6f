/// What the mapped device of an active logical volume must look like.
public struct PlannedVolume: Hashable, Sendable {
  /// The volume in LVM's own notation, `VG/LV`, for messages.
  public let volume: String
  public let uuid: MappedDeviceUUID
  public let name: MappedDeviceName
  public let table: DeviceTable
  public let isReadOnly: Bool
  public let readAhead: ReadAhead
  /// The minor number that the metadata asks for; nil lets the kernel choose.
  public let fixedMinor: UInt32?

  public init(
    volume: String, uuid: MappedDeviceUUID, name: MappedDeviceName, table: DeviceTable,
    isReadOnly: Bool = false, readAhead: ReadAhead = .atLeast(0), fixedMinor: UInt32? = nil
  ) {
    self.volume = volume
    self.uuid = uuid
    self.name = name
    self.table = table
    self.isReadOnly = isReadOnly
    self.readAhead = readAhead
    self.fixedMinor = fixedMinor
  }
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
