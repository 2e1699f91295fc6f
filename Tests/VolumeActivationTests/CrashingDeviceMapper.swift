import VolumeActivation

/// A device-mapper whose caller dies after a number of operations: everything later fails and
/// changes nothing, so that the kernel's state stays as the crash left it.
struct CrashingDeviceMapper: DeviceMapping {
  var kernel: SimulatedDeviceMapper
  var operationsLeft: Int

  private mutating func step<Result>(
    _ operation: DeviceMapperOperation,
    _ body: (inout SimulatedDeviceMapper) throws(DeviceMapperError) -> Result
  ) throws(DeviceMapperError) -> Result {
    guard operationsLeft > 0 else {
      throw DeviceMapperError(operation: operation, device: nil, code: 0, detail: "crashed")
    }
    operationsLeft -= 1
    return try body(&kernel)
  }

  mutating func devices() throws(DeviceMapperError) -> [MappedDevice] {
    try step(.list) { kernel throws(DeviceMapperError) in try kernel.devices() }
  }
  mutating func state(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> MappedDeviceState? {
    try step(.state) { kernel throws(DeviceMapperError) in try kernel.state(of: device) }
  }
  mutating func create(
    _ device: MappedDeviceUUID, name: MappedDeviceName, minor: UInt32?
  ) throws(DeviceMapperError) -> DeviceNumber {
    try step(.create) { kernel throws(DeviceMapperError) in
      try kernel.create(device, name: name, minor: minor)
    }
  }
  mutating func load(
    _ table: DeviceTable, into device: MappedDeviceUUID, readOnly: Bool, isSecret: Bool
  ) throws(DeviceMapperError) {
    try step(.load) { kernel throws(DeviceMapperError) in
      try kernel.load(table, into: device, readOnly: readOnly, isSecret: isSecret)
    }
  }
  mutating func clear(_ device: MappedDeviceUUID) throws(DeviceMapperError) {
    try step(.clear) { kernel throws(DeviceMapperError) in try kernel.clear(device) }
  }
  mutating func suspend(
    _ device: MappedDeviceUUID, _ mode: SuspendMode
  ) throws(DeviceMapperError) {
    try step(.suspend) { kernel throws(DeviceMapperError) in try kernel.suspend(device, mode) }
  }
  mutating func resume(
    _ device: MappedDeviceUUID, readAhead: ReadAhead?, _ rules: UdevRules
  ) throws(DeviceMapperError) {
    try step(.resume) { kernel throws(DeviceMapperError) in
      try kernel.resume(device, readAhead: readAhead, rules)
    }
  }
  mutating func remove(_ device: MappedDeviceUUID) throws(DeviceMapperError) {
    try step(.remove) { kernel throws(DeviceMapperError) in try kernel.remove(device) }
  }
  mutating func rename(
    _ device: MappedDeviceUUID, to name: MappedDeviceName, _ rules: UdevRules
  ) throws(DeviceMapperError) {
    try step(.rename) { kernel throws(DeviceMapperError) in
      try kernel.rename(device, to: name, rules)
    }
  }
  mutating func table(
    _ slot: TableSlot, of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> DeviceTable {
    try step(.table) { kernel throws(DeviceMapperError) in try kernel.table(slot, of: device) }
  }
  mutating func dependencies(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> [DeviceNumber] {
    try step(.dependencies) { kernel throws(DeviceMapperError) in
      try kernel.dependencies(of: device)
    }
  }
  mutating func status(of device: MappedDeviceUUID) throws(DeviceMapperError) -> [TableLine] {
    try step(.status) { kernel throws(DeviceMapperError) in try kernel.status(of: device) }
  }
  mutating func send(
    _ message: String, to device: MappedDeviceUUID
  ) throws(DeviceMapperError) {
    try step(.message) { kernel throws(DeviceMapperError) in
      try kernel.send(message, to: device)
    }
  }
  mutating func check(_ check: MetadataCheck) throws(DeviceMapperError) {
    try step(.check) { kernel throws(DeviceMapperError) in try kernel.check(check) }
  }
  mutating func settle() throws(DeviceMapperError) {
    try step(.settle) { kernel throws(DeviceMapperError) in try kernel.settle() }
  }
}
