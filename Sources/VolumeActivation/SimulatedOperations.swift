// The operations of the simulated device-mapper.

/// Linux's error numbers that the simulated kernel answers with.
private enum SystemError {
  static let noSuchDevice: Int32 = 6
  static let busy: Int32 = 16
  static let invalid: Int32 = 22
}

extension SimulatedDeviceMapper {
  public mutating func devices() throws(DeviceMapperError) -> [MappedDevice] {
    try note(.list, nil)
    return mapped.map { MappedDevice(name: $1.name, uuid: $0, number: $1.number) }
      .sorted { $0.number < $1.number }
  }

  public mutating func state(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> MappedDeviceState? {
    try note(.state, device)
    guard let found = mapped[device] else { return nil }
    return MappedDeviceState(
      device: MappedDevice(name: found.name, uuid: device, number: found.number),
      isSuspended: found.isSuspended, hasLiveTable: found.live != nil,
      hasInactiveTable: found.inactive != nil, openCount: found.openCount,
      isReadOnly: found.live?.isReadOnly ?? false, eventNumber: found.eventNumber)
  }

  public mutating func create(
    _ device: MappedDeviceUUID, name: MappedDeviceName, minor: UInt32?
  ) throws(DeviceMapperError) -> DeviceNumber {
    try note(.create, device)
    let minors = Set(mapped.values.map(\.number.minor))
    guard mapped[device] == nil, !mapped.values.contains(where: { $0.name == name.text }),
      minor.map({ !minors.contains($0) }) ?? true
    else { throw error(.create, device, SystemError.busy, "the name, UUID or number is taken") }
    let free = minor ?? (0...).lazy.map(UInt32.init).first { !minors.contains($0) } ?? 0
    let number = DeviceNumber(major: Self.major, minor: free)
    mapped[device] = Device(name: name.text, number: number)
    return number
  }

  public mutating func load(
    _ table: DeviceTable, into device: MappedDeviceUUID, readOnly: Bool
  ) throws(DeviceMapperError) {
    try note(.load, device)
    if !suspendedDevices.isEmpty { unsafeLoads.append(device) }
    guard mapped[device] != nil else { throw absent(.load, device) }
    for line in table.lines {
      let areas = line.target.areas
      for area in areas {
        guard let size = sizeSectors(of: area.device) else {
          throw error(.load, device, SystemError.noSuchDevice, "no device \(area.device)")
        }
        let needed = line.length / UInt64(areas.count)
        guard area.offset <= size, size - area.offset >= needed else {
          throw error(.load, device, SystemError.invalid, "device \(area.device) is too small")
        }
      }
    }
    mapped[device]?.inactive = Slot(table: table, isReadOnly: readOnly)
  }

  /// The size of a block device, or of a mapped one that a table is stacked on.
  private func sizeSectors(of device: DeviceNumber) -> UInt64? {
    blockDevices[device]
      ?? mapped.values.first { $0.number == device }.map { $0.live?.table.sectorCount ?? 0 }
  }

  public mutating func clear(_ device: MappedDeviceUUID) throws(DeviceMapperError) {
    try note(.clear, device)
    guard mapped[device] != nil else { throw absent(.clear, device) }
    mapped[device]?.inactive = nil
  }

  public mutating func suspend(
    _ device: MappedDeviceUUID, _ mode: SuspendMode
  ) throws(DeviceMapperError) {
    try note(.suspend, device)
    guard mapped[device] != nil else { throw absent(.suspend, device) }
    mapped[device]?.isSuspended = true
  }

  public mutating func resume(
    _ device: MappedDeviceUUID, readAhead: ReadAhead?
  ) throws(DeviceMapperError) {
    try note(.resume, device)
    guard var found = mapped[device] else { throw absent(.resume, device) }
    if let next = found.inactive {
      found.live = next
      found.inactive = nil
    }
    guard found.live != nil else {
      throw error(.resume, device, SystemError.invalid, "the device has no table")
    }
    found.isSuspended = false
    mapped[device] = found
  }

  public mutating func remove(_ device: MappedDeviceUUID) throws(DeviceMapperError) {
    try note(.remove, device)
    guard let found = mapped[device] else { throw absent(.remove, device) }
    guard found.openCount == 0 else {
      throw error(.remove, device, SystemError.busy, "the device is open")
    }
    mapped[device] = nil
  }

  public mutating func rename(
    _ device: MappedDeviceUUID, to name: MappedDeviceName
  ) throws(DeviceMapperError) {
    try note(.rename, device)
    guard mapped[device] != nil else { throw absent(.rename, device) }
    guard !mapped.values.contains(where: { $0.name == name.text }) else {
      throw error(.rename, device, SystemError.busy, "the name \(name) is taken")
    }
    mapped[device]?.name = name.text
  }

  public mutating func table(
    _ slot: TableSlot, of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> DeviceTable {
    try note(.table, device)
    guard let found = mapped[device] else { throw absent(.table, device) }
    let content =
      switch slot {
      case .live: found.live
      case .inactive: found.inactive
      }
    return content?.table ?? .empty
  }

  public mutating func dependencies(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> [DeviceNumber] {
    try note(.dependencies, device)
    guard let found = mapped[device] else { throw absent(.dependencies, device) }
    return found.live?.table.devices ?? []
  }

  public mutating func settle() throws(DeviceMapperError) {
    try note(.settle, nil)
  }

  /// Records the operation and fails it if it is to fail.
  private mutating func note(
    _ operation: DeviceMapperOperation, _ device: MappedDeviceUUID?
  ) throws(DeviceMapperError) {
    journal.append(
      JournalEntry(
        operation: operation,
        device: device.map { mapped[$0]?.name ?? $0.text } ?? ""))
    for index in failures.indices
    where failures[index].operation == operation
      && (failures[index].device == nil || failures[index].device == device)
    {
      guard failures[index].skipCount == 0 else {
        failures[index].skipCount -= 1
        continue
      }
      let failure = failures.remove(at: index)
      throw error(operation, device, failure.code, "injected")
    }
  }

  private func absent(
    _ operation: DeviceMapperOperation, _ device: MappedDeviceUUID
  ) -> DeviceMapperError {
    error(operation, device, SystemError.noSuchDevice, "no such device")
  }

  private func error(
    _ operation: DeviceMapperOperation, _ device: MappedDeviceUUID?, _ code: Int32,
    _ detail: String
  ) -> DeviceMapperError {
    DeviceMapperError(
      operation: operation, device: device.map { mapped[$0]?.name ?? $0.text }, code: code,
      detail: detail)
  }
}
