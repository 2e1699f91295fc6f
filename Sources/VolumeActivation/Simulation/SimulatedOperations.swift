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
      hasInactiveTable: found.inactive != nil, openCount: openCount(of: found),
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
    mapped[device] = Device(
      name: name.text, number: number, transactionID: initialTransactionID)
    return number
  }

  public mutating func load(
    _ table: DeviceTable, into device: MappedDeviceUUID, readOnly: Bool, isSecret: Bool
  ) throws(DeviceMapperError) {
    try note(.load, device)
    if !suspendedDevices.isEmpty { unsafeLoads.append(device) }
    guard mapped[device] != nil else { throw absent(.load, device) }
    for line in table.lines { try check(line, for: device) }
    mapped[device]?.inactive = Slot(table: table, isReadOnly: readOnly)
  }

  /// Devices must be there, and reach to the end of their areas. Those of other targets must have a
  /// table; as the kernel, this one does not look at the size of a device that has none yet.
  private func check(
    _ line: TableLine, for device: MappedDeviceUUID
  ) throws(DeviceMapperError) {
    let areas = line.target.areas
    for area in areas {
      guard let size = sizeSectors(of: area.device) else {
        throw error(.load, device, SystemError.noSuchDevice, "no device \(area.device)")
      }
      let needed = line.length / UInt64(areas.count)
      guard size == 0 || area.offset <= size && size - area.offset >= needed else {
        throw error(.load, device, SystemError.invalid, "device \(area.device) is too small")
      }
    }
    for number in line.target.numbers where areas.isEmpty {
      guard let size = sizeSectors(of: number) else {
        throw error(.load, device, SystemError.noSuchDevice, "no device \(number)")
      }
      // A mirror leg or RAID1 image must hold all that the volume holds.
      let needsWhole =
        line.target.type == "raid" && line.target.parameters.hasPrefix("raid1 ")
        && !(mapped.values.first { $0.number == number }?.name.contains("_rmeta_") ?? false)
      guard !needsWhole || size == 0 || size >= line.length else {
        throw error(.load, device, SystemError.invalid, "device \(number) is too small")
      }
    }
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
    suspendModes.append(mode)
  }

  public mutating func resume(
    _ device: MappedDeviceUUID, readAhead: ReadAhead?, _ rules: UdevRules
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
    guard openCount(of: found) == 0 else {
      throw error(.remove, device, SystemError.busy, "the device is open")
    }
    mapped[device] = nil
  }

  public mutating func rename(
    _ device: MappedDeviceUUID, to name: MappedDeviceName, _ rules: UdevRules
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
    return found.live?.table.lines.flatMap { $0.target.numbers } ?? []
  }

  public mutating func status(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> [TableLine] {
    try note(.status, device)
    guard let found = mapped[device] else { throw absent(.status, device) }
    return (found.live?.table.lines ?? []).map { line in
      let text = line.target.type == "thin-pool" ? "\(found.transactionID) 0/1 0/1 - rw" : ""
      return TableLine(
        start: line.start, length: line.length,
        target: TableTarget(type: line.target.type, parameters: text))
    }
  }

  public mutating func send(
    _ message: String, to device: MappedDeviceUUID
  ) throws(DeviceMapperError) {
    try note(.message, device)
    guard let found = mapped[device] else { throw absent(.message, device) }
    mapped[device]?.messages.append(message)
    let words = message.split(separator: " ")
    if words.first == "set_transaction_id", words.count == 3 {
      guard UInt64(words[1]) == found.transactionID, let next = UInt64(words[2]) else {
        throw error(.message, device, SystemError.invalid, "another transaction_id")
      }
      mapped[device]?.transactionID = next
    }
  }

  public mutating func check(_ check: MetadataCheck) throws(DeviceMapperError) {
    try note(.check, check.device)
    guard mapped[check.device]?.live != nil else { throw absent(.check, check.device) }
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
