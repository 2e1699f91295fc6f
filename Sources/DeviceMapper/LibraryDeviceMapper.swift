import CDeviceMapper
import Glibc
import VolumeActivation

/// The kernel's device-mapper through libdevmapper.
///
/// Where udev runs it makes the device nodes and `settle` waits for it; elsewhere the library
/// makes `/dev/mapper/NAME` and this type `/dev/VG/LV` (dm-activation 9). Both happen in `settle`
/// only, so that nothing waits for udev or writes to /dev while devices are suspended.
public struct LibraryDeviceMapper: DeviceMapping {
  /// The udev cookie of all operations since the last `settle`; 0 when there is none.
  private var cookie: UInt32 = 0
  private var links = VolumeLinks()
  /// Whether nothing was done since the last `settle` that concerns nodes.
  private var isSettled = true

  /// How long `settle` waits for udev, in milliseconds.
  private static let settleLimitMilliseconds = 30_000
  private static let settlePauseMilliseconds = 5

  public init() {}

  public mutating func devices() throws(DeviceMapperError) -> [MappedDevice] {
    try Library.exclusively { () throws(DeviceMapperError) in
      let list = try DeviceMapperTask(DM_DEVICE_LIST, .list, nil)
      try list.run()
      var devices: [MappedDevice] = []
      for name in list.names {
        let task = try DeviceMapperTask(DM_DEVICE_INFO, .list, name)
        try task.setName(name)
        try task.run()
        let info = try task.info()
        // A device may vanish between the two calls, and strangers' devices have other UUIDs.
        guard info.exists != 0, let uuid = task.uuid.flatMap({ MappedDeviceUUID($0) }) else {
          continue
        }
        devices.append(
          MappedDevice(
            name: name, uuid: uuid, number: DeviceNumber(major: info.major, minor: info.minor)))
      }
      return devices
    }
  }

  public func state(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> MappedDeviceState? {
    try Library.exclusively { () throws(DeviceMapperError) in
      try Self.state(of: device, for: .state)
    }
  }

  private static func state(
    of device: MappedDeviceUUID, for operation: DeviceMapperOperation
  ) throws(DeviceMapperError) -> MappedDeviceState? {
    let task = try DeviceMapperTask(DM_DEVICE_INFO, operation, device.text)
    try task.setUUID(device)
    try task.run()
    let info = try task.info()
    guard info.exists != 0, let name = task.name else { return nil }
    return MappedDeviceState(
      device: MappedDevice(
        name: name, uuid: device, number: DeviceNumber(major: info.major, minor: info.minor)),
      isSuspended: info.suspended != 0, hasLiveTable: info.live_table != 0,
      hasInactiveTable: info.inactive_table != 0, openCount: Int(info.open_count),
      isReadOnly: info.read_only != 0, eventNumber: info.event_nr)
  }

  /// The device as listed; the library needs its name to care for the node.
  private static func existing(
    _ device: MappedDeviceUUID, for operation: DeviceMapperOperation
  ) throws(DeviceMapperError) -> MappedDevice {
    guard let state = try state(of: device, for: operation) else {
      throw DeviceMapperError(
        operation: operation, device: device.text, code: ENXIO, detail: "no such device")
    }
    return state.device
  }

  public func create(
    _ device: MappedDeviceUUID, name: MappedDeviceName, minor: UInt32?
  ) throws(DeviceMapperError) -> DeviceNumber {
    try Library.exclusively { () throws(DeviceMapperError) in
      let task = try DeviceMapperTask(DM_DEVICE_CREATE, .create, name.text)
      try task.setName(name.text)
      try task.setUUID(device)
      // The library puts the device-mapper's own major number in the place of this one.
      if let minor { try task.setNumber(DeviceNumber(major: 1, minor: minor)) }
      try task.run()
      let info = try task.info()
      return DeviceNumber(major: info.major, minor: info.minor)
    }
  }

  public func load(
    _ table: DeviceTable, into device: MappedDeviceUUID, readOnly: Bool, isSecret: Bool
  ) throws(DeviceMapperError) {
    try Library.exclusively { () throws(DeviceMapperError) in
      let task = try DeviceMapperTask(DM_DEVICE_RELOAD, .load, device.text)
      try task.setUUID(device)
      for line in table.lines { try task.addLine(line) }
      if readOnly { try task.setReadOnly() }
      if isSecret { try task.secureData() }
      try task.run()
    }
  }

  public func clear(_ device: MappedDeviceUUID) throws(DeviceMapperError) {
    try Library.exclusively { () throws(DeviceMapperError) in
      let task = try DeviceMapperTask(DM_DEVICE_CLEAR, .clear, device.text)
      try task.setUUID(device)
      try task.run()
    }
  }

  public func suspend(
    _ device: MappedDeviceUUID, _ mode: SuspendMode
  ) throws(DeviceMapperError) {
    try Library.exclusively { () throws(DeviceMapperError) in
      let task = try DeviceMapperTask(DM_DEVICE_SUSPEND, .suspend, device.text)
      try task.setUUID(device)
      switch mode {
      case .flush:
        try task.skipLockingFileSystem()
      case .freezeAndFlush:
        break
      case .withoutFlush:
        try task.skipLockingFileSystem()
        try task.skipFlush()
      }
      try task.run()
    }
  }

  public mutating func resume(
    _ device: MappedDeviceUUID, readAhead: ReadAhead?, _ rules: UdevRules
  ) throws(DeviceMapperError) {
    var cookie = cookie
    isSettled = false
    defer { self.cookie = cookie }
    let found = try Library.exclusively { () throws(DeviceMapperError) in
      let found = try Self.existing(device, for: .resume)
      let task = try DeviceMapperTask(DM_DEVICE_RESUME, .resume, found.name)
      try task.setName(found.name)
      try task.setNumber(found.number)
      if let readAhead { try task.setReadAhead(readAhead) }
      try Self.setCookie(&cookie, rules, of: task)
      try task.run()
      return found
    }
    if !rules.contains(.noSubsystem) { links.add(found) }
  }

  public mutating func remove(_ device: MappedDeviceUUID) throws(DeviceMapperError) {
    var cookie = cookie
    isSettled = false
    defer { self.cookie = cookie }
    let found = try Library.exclusively { () throws(DeviceMapperError) in
      let found = try Self.existing(device, for: .remove)
      let task = try DeviceMapperTask(DM_DEVICE_REMOVE, .remove, found.name)
      try task.setName(found.name)
      try task.retryRemoval()
      try Self.setCookie(&cookie, UdevRules(of: found), of: task)
      try task.run()
      return found
    }
    links.remove(found)
  }

  public mutating func rename(
    _ device: MappedDeviceUUID, to name: MappedDeviceName, _ rules: UdevRules
  ) throws(DeviceMapperError) {
    var cookie = cookie
    isSettled = false
    defer { self.cookie = cookie }
    let found = try Library.exclusively { () throws(DeviceMapperError) in
      let found = try Self.existing(device, for: .rename)
      let task = try DeviceMapperTask(DM_DEVICE_RENAME, .rename, found.name)
      try task.setName(found.name)
      try task.setNewName(name.text)
      try Self.setCookie(&cookie, rules, of: task)
      try task.run()
      return found
    }
    links.remove(found)
    if !rules.contains(.noSubsystem) {
      links.add(MappedDevice(name: name.text, uuid: device, number: found.number))
    }
  }

  public func table(
    _ slot: TableSlot, of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> DeviceTable {
    try Library.exclusively { () throws(DeviceMapperError) in
      let task = try DeviceMapperTask(DM_DEVICE_TABLE, .table, device.text)
      try task.setUUID(device)
      switch slot {
      case .live: break
      case .inactive: try task.queryInactiveTable()
      }
      try task.run()
      guard try task.info().exists != 0 else {
        throw DeviceMapperError(
          operation: .table, device: device.text, code: ENXIO, detail: "no such device")
      }
      do throws(TableError) {
        return try DeviceTable(task.lines)
      } catch {
        throw DeviceMapperError(
          operation: .table, device: device.text, code: 0, detail: error.description)
      }
    }
  }

  public func dependencies(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> [DeviceNumber] {
    try Library.exclusively { () throws(DeviceMapperError) in
      let task = try DeviceMapperTask(DM_DEVICE_DEPS, .dependencies, device.text)
      try task.setUUID(device)
      try task.run()
      return task.dependencies
    }
  }

  public func status(of device: MappedDeviceUUID) throws(DeviceMapperError) -> [TableLine] {
    try Library.exclusively { () throws(DeviceMapperError) in
      let task = try DeviceMapperTask(DM_DEVICE_STATUS, .status, device.text)
      try task.setUUID(device)
      // A thin pool would write its metadata first.
      try task.skipFlush()
      try task.run()
      return task.lines
    }
  }

  public func send(
    _ message: String, to device: MappedDeviceUUID
  ) throws(DeviceMapperError) {
    try Library.exclusively { () throws(DeviceMapperError) in
      let task = try DeviceMapperTask(DM_DEVICE_TARGET_MSG, .message, device.text)
      try task.setUUID(device)
      try task.setMessage(message)
      try task.run()
    }
  }

  public func check(_ check: MetadataCheck) throws(DeviceMapperError) {
    let device = try Library.exclusively { () throws(DeviceMapperError) in
      try Self.existing(check.device, for: .check)
    }
    try PoolCheck.run(check.kind, on: device)
  }

  // MARK: - Nodes

  /// Whether udev makes the nodes.
  private static var isServedByUdev: Bool { dm_udev_get_sync_support() != 0 }

  /// With udev the library is told to leave the nodes to it; without, udev's rules are told to keep
  /// out, should it start meanwhile.
  private static func setCookie(
    _ cookie: inout UInt32, _ rules: UdevRules, of task: borrowing DeviceMapperTask
  ) throws(DeviceMapperError) {
    let flags =
      isServedByUdev
      ? DM_UDEV_DISABLE_LIBRARY_FALLBACK
      : DM_UDEV_DISABLE_DM_RULES_FLAG | DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG
    try task.setCookie(&cookie, flags: UInt16(flags) | rules.rawValue)
  }

  /// - Throws: an error with ETIMEDOUT when udev has not come to the end; to be repeated then.
  public mutating func settle() throws(DeviceMapperError) {
    // The library must not be asked anything before the kernel's driver was found.
    guard !isSettled else { return }
    try waitForUdev()
    let makesLinks = try Library.exclusively { () throws(DeviceMapperError) in
      dm_task_update_nodes()
      return !Self.isServedByUdev
    }
    isSettled = true
    if makesLinks { try links.carryOut() } else { links.forget() }
  }

  private mutating func waitForUdev() throws(DeviceMapperError) {
    let cookie = cookie
    guard cookie != 0 else { return }
    for _ in 0..<(Self.settleLimitMilliseconds / Self.settlePauseMilliseconds) {
      let isReady = try Library.exclusively { () throws(DeviceMapperError) in
        var ready: Int32 = 0
        guard dm_udev_wait_immediate(cookie, &ready) != 0 else {
          throw DeviceMapperError(
            operation: .settle, device: nil, code: 0,
            detail: LibraryLog.take().joined(separator: "; "))
        }
        return ready != 0
      }
      if isReady {
        self.cookie = 0
        return
      }
      usleep(UInt32(Self.settlePauseMilliseconds) * 1000)
    }
    throw DeviceMapperError(
      operation: .settle, device: nil, code: ETIMEDOUT,
      detail: "udev has not processed the events of mapped devices")
  }
}
