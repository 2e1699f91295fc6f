import VolumeActivation

/// The device-mapper of a node as one life of its daemon reaches it.
struct SimulatedMapper: DeviceMapping {
  let node: SimulatedNode
  unowned let world: VolumeWorld
  let life: Int

  init(_ node: SimulatedNode, _ world: VolumeWorld) {
    self.node = node
    self.world = world
    life = node.life
  }

  private func failure(
    _ operation: DeviceMapperOperation, _ device: MappedDeviceUUID?, _ detail: String
  ) -> DeviceMapperError {
    DeviceMapperError(operation: operation, device: device?.text, code: 5, detail: detail)
  }

  private func look<Result>(
    _ operation: DeviceMapperOperation,
    _ body: (inout SimulatedDeviceMapper) throws(DeviceMapperError) -> Result
  ) throws(DeviceMapperError) -> Result {
    guard node.isRunning, node.life == life else { throw failure(operation, nil, "crashed") }
    return try body(&node.kernel)
  }

  /// An operation that changes a device: an effect, before and after which everything may end.
  private func change<Result>(
    _ operation: DeviceMapperOperation, _ device: MappedDeviceUUID,
    _ body: (inout SimulatedDeviceMapper) throws(DeviceMapperError) -> Result
  ) throws(DeviceMapperError) -> Result {
    guard node.isRunning, node.life == life else { throw failure(operation, device, "crashed") }
    let name = (try? node.kernel.state(of: device))??.device.name ?? device.text
    let effect = world.begin("\(operation.rawValue) \(name)", on: node)
    guard node.isRunning, node.life == life else { throw failure(operation, device, "crashed") }
    if node.refusesNext || node.refusesLoads && operation == .resume && !failsIO(device) {
      node.refusesNext = false
      world.hit(.tableRefused)
      throw failure(operation, device, "refused")
    }
    let result = try body(&node.kernel)
    world.changed(node)
    world.end(effect, on: node)
    guard node.isRunning, node.life == life else { throw failure(operation, device, "crashed") }
    return result
  }

  /// The kernel can always let I/O fail.
  private func failsIO(_ device: MappedDeviceUUID) -> Bool {
    var kernel = node.kernel
    return (try? kernel.table(.inactive, of: device))?.isFailing ?? false
  }

  func devices() throws(DeviceMapperError) -> [MappedDevice] {
    try look(.list) { kernel throws(DeviceMapperError) in try kernel.devices() }
  }

  func state(of device: MappedDeviceUUID) throws(DeviceMapperError) -> MappedDeviceState? {
    try look(.state) { kernel throws(DeviceMapperError) in try kernel.state(of: device) }
  }

  func create(
    _ device: MappedDeviceUUID, name: MappedDeviceName, minor: UInt32?
  ) throws(DeviceMapperError) -> DeviceNumber {
    try change(.create, device) { kernel throws(DeviceMapperError) in
      try kernel.create(device, name: name, minor: minor)
    }
  }

  func load(
    _ table: DeviceTable, into device: MappedDeviceUUID, readOnly: Bool, isSecret: Bool
  ) throws(DeviceMapperError) {
    try change(.load, device) { kernel throws(DeviceMapperError) in
      try kernel.load(table, into: device, readOnly: readOnly, isSecret: isSecret)
    }
  }

  func clear(_ device: MappedDeviceUUID) throws(DeviceMapperError) {
    try change(.clear, device) { kernel throws(DeviceMapperError) in try kernel.clear(device) }
  }

  func suspend(_ device: MappedDeviceUUID, _ mode: SuspendMode) throws(DeviceMapperError) {
    try change(.suspend, device) { kernel throws(DeviceMapperError) in
      try kernel.suspend(device, mode)
    }
  }

  func resume(
    _ device: MappedDeviceUUID, readAhead: ReadAhead?, _ rules: UdevRules
  ) throws(DeviceMapperError) {
    try change(.resume, device) { kernel throws(DeviceMapperError) in
      try kernel.resume(device, readAhead: readAhead, rules)
    }
  }

  func remove(_ device: MappedDeviceUUID) throws(DeviceMapperError) {
    try change(.remove, device) { kernel throws(DeviceMapperError) in try kernel.remove(device) }
  }

  func rename(
    _ device: MappedDeviceUUID, to name: MappedDeviceName, _ rules: UdevRules
  ) throws(DeviceMapperError) {
    try change(.rename, device) { kernel throws(DeviceMapperError) in
      try kernel.rename(device, to: name, rules)
    }
  }

  func table(
    _ slot: TableSlot, of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> DeviceTable {
    try look(.table) { kernel throws(DeviceMapperError) in try kernel.table(slot, of: device) }
  }

  func dependencies(of device: MappedDeviceUUID) throws(DeviceMapperError) -> [DeviceNumber] {
    try look(.dependencies) { kernel throws(DeviceMapperError) in
      try kernel.dependencies(of: device)
    }
  }

  func status(of device: MappedDeviceUUID) throws(DeviceMapperError) -> [TableLine] {
    try look(.status) { kernel throws(DeviceMapperError) in try kernel.status(of: device) }
  }

  func send(_ message: String, to device: MappedDeviceUUID) throws(DeviceMapperError) {
    try change(.message, device) { kernel throws(DeviceMapperError) in
      try kernel.send(message, to: device)
    }
  }

  func check(_ check: MetadataCheck) throws(DeviceMapperError) {
    try look(.check) { kernel throws(DeviceMapperError) in try kernel.check(check) }
  }

  func settle() throws(DeviceMapperError) {
    try look(.settle) { kernel throws(DeviceMapperError) in try kernel.settle() }
  }
}
