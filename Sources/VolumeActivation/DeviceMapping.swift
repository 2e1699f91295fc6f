/// The device-mapper, as activation needs it: synchronous, one ioctl or query per call.
///
/// Devices are addressed by UUID, because their names may lag behind a rename or be taken by
/// strangers. `SimulatedDeviceMapper` is the pure twin; the real one is in the module DeviceMapper.
public protocol DeviceMapping {
  /// Every mapped device that LVM made: those whose UUID has LVM's form.
  mutating func devices() throws(DeviceMapperError) -> [MappedDevice]

  /// The state of a device; nil when no device has that UUID.
  mutating func state(of device: MappedDeviceUUID) throws(DeviceMapperError) -> MappedDeviceState?

  /// Makes a device without a table.
  ///
  /// `minor` asks for a fixed minor number; the kernel chooses one when it is nil.
  mutating func create(
    _ device: MappedDeviceUUID, name: MappedDeviceName, minor: UInt32?
  ) throws(DeviceMapperError) -> DeviceNumber

  /// Puts `table` into the inactive slot; nothing changes for I/O before `resume`.
  ///
  /// - Parameter isSecret: the kernel wipes what it was given once it has taken it over.
  mutating func load(
    _ table: DeviceTable, into device: MappedDeviceUUID, readOnly: Bool, isSecret: Bool
  ) throws(DeviceMapperError)

  /// Drops the inactive table, if there is one.
  mutating func clear(_ device: MappedDeviceUUID) throws(DeviceMapperError)

  /// Holds all I/O from now on. Does nothing to a suspended device.
  mutating func suspend(
    _ device: MappedDeviceUUID, _ mode: SuspendMode
  ) throws(DeviceMapperError)

  /// Makes the inactive table the live one, if there is one, and lets I/O through.
  ///
  /// `readAhead` nil leaves the device's read-ahead as it is.
  mutating func resume(
    _ device: MappedDeviceUUID, readAhead: ReadAhead?, _ rules: UdevRules
  ) throws(DeviceMapperError)

  /// Removes a device that nobody has open.
  mutating func remove(_ device: MappedDeviceUUID) throws(DeviceMapperError)

  mutating func rename(
    _ device: MappedDeviceUUID, to name: MappedDeviceName, _ rules: UdevRules
  ) throws(DeviceMapperError)

  /// The table in a slot; empty when there is none.
  mutating func table(
    _ slot: TableSlot, of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> DeviceTable

  /// The devices that the live table refers to.
  mutating func dependencies(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> [DeviceNumber]

  /// What the live targets say of themselves, a line each; the parameters of a line are the status.
  mutating func status(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> [TableLine]

  /// Sends a message to the target of a device that has only one.
  mutating func send(
    _ message: String, to device: MappedDeviceUUID
  ) throws(DeviceMapperError)

  /// Has a program check a pool's metadata before the kernel trusts it. Where the program is not
  /// installed nothing is checked, as with LVM.
  mutating func check(_ check: MetadataCheck) throws(DeviceMapperError)

  /// Waits until device nodes and links agree with everything done so far.
  ///
  /// To be called only while nothing is suspended by the caller: who makes the nodes may need to
  /// read from a volume.
  mutating func settle() throws(DeviceMapperError)
}

/// Which of a device's two tables is meant.
public enum TableSlot: Hashable, Sendable {
  /// The table that serves I/O.
  case live
  /// The table that was loaded for the next resume.
  case inactive
}

/// What a suspend does besides holding new I/O (dm-activation 6), the more careful the later. LVM
/// never freezes without flushing.
public enum SuspendMode: Hashable, Comparable, Sendable {
  /// Does not wait: only for targets that can queue I/O on failing devices.
  case withoutFlush
  /// Waits for outstanding I/O: the rule.
  case flush
  /// Freezes the file system first, so that its image on disk is consistent.
  case freezeAndFlush
}

/// How far the kernel reads ahead on a device, in sectors.
public enum ReadAhead: Hashable, Sendable {
  case none
  case exactly(UInt32)
  /// The kernel's own value, raised to this if it is lower.
  case atLeast(UInt32)
}

/// A mapped device as the kernel lists it.
public struct MappedDevice: Hashable, Sendable {
  public let name: String
  public let uuid: MappedDeviceUUID
  public let number: DeviceNumber

  public init(name: String, uuid: MappedDeviceUUID, number: DeviceNumber) {
    self.name = name
    self.uuid = uuid
    self.number = number
  }

  /// Made for another device and not to be active alone: the name tells (dm-activation 1).
  var isLayer: Bool { MappedDeviceName(name)?.layer != nil }
}

/// The kernel's view of one mapped device.
public struct MappedDeviceState: Hashable, Sendable {
  public var device: MappedDevice
  public var isSuspended: Bool
  public var hasLiveTable: Bool
  public var hasInactiveTable: Bool
  /// How many times the device is open, parents among mapped devices and mounts included.
  public var openCount: Int
  public var isReadOnly: Bool
  /// Counts the device's events; the kernel's number, which wraps.
  public var eventNumber: UInt32

  public init(
    device: MappedDevice, isSuspended: Bool, hasLiveTable: Bool, hasInactiveTable: Bool,
    openCount: Int, isReadOnly: Bool, eventNumber: UInt32
  ) {
    self.device = device
    self.isSuspended = isSuspended
    self.hasLiveTable = hasLiveTable
    self.hasInactiveTable = hasInactiveTable
    self.openCount = openCount
    self.isReadOnly = isReadOnly
    self.eventNumber = eventNumber
  }
}
