/// One mapped device of a `MappingChange`: how far it has come.
struct ChangedDevice: Sendable {
  /// What has become of the planned table.
  enum Table: Sendable {
    /// It was in service before.
    case unchanged
    /// It waits in the inactive slot.
    case loaded
    /// It is in service while the tables above wait; the one before, if there was one, is known.
    case early(previous: DeviceTable?)
    /// It is in service for good.
    case swapped
  }

  /// What may be found on a device before it is changed.
  enum Leftovers: Sendable {
    /// Nothing is in order: a suspended device belongs to a change that somebody has not finished.
    case refused
    /// A crash may have left anything.
    case accepted
  }

  let plan: PlannedDevice
  /// The size of the live table in sectors before the change.
  let oldSize: UInt64
  let number: DeviceNumber
  /// Made by this change.
  let isNew: Bool
  private(set) var table = Table.unchanged
  private(set) var isSuspended: Bool
  private(set) var isMisnamed: Bool
  /// Whether the thin pool has been told what its text says.
  private(set) var isTold = false
  private(set) var wasRenamed = false
  /// A leftover was put away.
  private(set) var wasCleaned = false

  /// Makes the device if it is not there, and loads the planned table if the live one differs.
  ///
  /// - Parameter numbers: of the devices below.
  init(
    loading plan: PlannedDevice, numbers: DeviceNumbers, leftovers: Leftovers,
    on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    let volume = plan.volume
    let state = try attempt(volume) { () throws(DeviceMapperError) in
      try mapper.state(of: plan.uuid)
    }
    if case .refused = leftovers, let state, state.isSuspended, state.hasLiveTable {
      throw .suspended(volume: volume)
    }
    let target = try plan.table.resolved { reference throws(ActivationError) in
      try numbers.number(of: reference, for: volume)
    }
    self.plan = plan
    if let state {
      number = state.device.number
      isNew = false
      isSuspended = state.isSuspended
      isMisnamed = state.device.name != plan.name.text
    } else {
      number = try attempt(volume) { () throws(DeviceMapperError) in
        try mapper.create(plan.uuid, name: plan.name, minor: plan.fixedMinor)
      }
      isNew = true
      isSuspended = false
      isMisnamed = false
    }
    do {
      let live = state?.hasLiveTable == true ? try mapper.table(.live, of: plan.uuid) : .empty
      oldSize = live.sectorCount
      let isServed =
        !live.isEmpty && live.serves(target) && state?.isReadOnly == plan.isReadOnly
      try place(target, isServed: isServed, state, on: &mapper)
    } catch {
      let first = ActivationError.deviceMapper(error, volume: volume)
      throw isNew ? first.afterUndo(leaving: Self.removing(plan, on: &mapper)) : first
    }
  }

  /// Brings the inactive slot to what is planned.
  private mutating func place(
    _ target: DeviceTable, isServed: Bool, _ state: MappedDeviceState?,
    on mapper: inout some DeviceMapping
  ) throws(DeviceMapperError) {
    let hasInactive = state?.hasInactiveTable == true
    if hasInactive {
      if !isServed, try mapper.table(.inactive, of: plan.uuid).serves(target) {
        table = .loaded
        return
      }
      try mapper.clear(plan.uuid)
      wasCleaned = true
    }
    guard !isServed else { return }
    try mapper.load(
      target, into: plan.uuid, readOnly: plan.isReadOnly, isSecret: plan.isSecret)
    table = .loaded
  }

  private static func removing(
    _ plan: PlannedDevice, on mapper: inout some DeviceMapping
  ) -> [VolumeFailure] {
    do {
      try mapper.remove(plan.uuid)
      return []
    } catch {
      return [VolumeFailure(volume: plan.volume, error: error)]
    }
  }

  /// The device is larger than before, as soon as its table goes into service.
  var hasGrown: Bool { isLoaded && plan.table.sectorCount > oldSize }

  var isLoaded: Bool {
    if case .loaded = table { true } else { false }
  }

  var isSwapped: Bool {
    if case .swapped = table { true } else { false }
  }

  // MARK: - Steps

  /// Puts the table into service before the tables above are loaded, which are checked against its
  /// size.
  mutating func resumeEarly(on mapper: inout some DeviceMapping) throws(DeviceMapperError) {
    let previous = oldSize > 0 ? try mapper.table(.live, of: plan.uuid) : nil
    try mapper.resume(plan.uuid, readAhead: plan.readAhead, plan.udevRules)
    table = .early(previous: previous)
    if isSuspended { wasCleaned = true }
    isSuspended = false
  }

  mutating func suspend(
    _ mode: SuspendMode, on mapper: inout some DeviceMapping
  ) throws(DeviceMapperError) {
    guard !isNew, oldSize > 0, !isSuspended else { return }
    // Set first: a device whose suspend failed half-way must not be left out of an undo.
    isSuspended = true
    try mapper.suspend(plan.uuid, mode)
  }

  /// Puts the new table and name into service. The table goes first: I/O matters more than names.
  mutating func resume(on mapper: inout some DeviceMapping) throws(DeviceMapperError) {
    if isLoaded || isSuspended {
      try mapper.resume(
        plan.uuid, readAhead: isLoaded ? plan.readAhead : nil, plan.udevRules)
      if isLoaded { table = .swapped } else { wasCleaned = true }
      isSuspended = false
    }
    if case .early = table { table = .swapped }
    if isMisnamed {
      try mapper.rename(plan.uuid, to: plan.name, plan.udevRules)
      isMisnamed = false
      wasRenamed = true
    }
    try tell(on: &mapper)
  }

  /// Sends a thin pool's messages, if the kernel does not know them yet.
  mutating func tell(on mapper: inout some DeviceMapping) throws(DeviceMapperError) {
    guard let pool = plan.thinPool, !isTold else { return }
    try mapper.tell(pool, to: plan.uuid)
    isTold = true
  }

  var hasUntoldMessages: Bool { plan.thinPool?.messages.isEmpty == false && !isTold }

  // MARK: - Undo

  /// Drops the new table from the inactive slot.
  mutating func clear(on mapper: inout some DeviceMapping) throws(DeviceMapperError) {
    guard isLoaded else { return }
    try mapper.clear(plan.uuid)
    table = .unchanged
  }

  /// Lets I/O through again, on the table that serves.
  ///
  /// A device whose new table could not be dropped stays suspended, because a resume would put that
  /// table into service although the old metadata is in force.
  mutating func release(on mapper: inout some DeviceMapping) throws(DeviceMapperError) {
    guard isSuspended, !isLoaded else { return }
    try mapper.resume(plan.uuid, readAhead: nil, plan.udevRules)
    isSuspended = false
  }

  /// Puts the table from before an early resume into service again.
  mutating func restore(on mapper: inout some DeviceMapping) throws(DeviceMapperError) {
    guard !isNew, case .early(let previous?) = table else { return }
    try mapper.load(
      previous, into: plan.uuid, readOnly: plan.isReadOnly, isSecret: plan.isSecret)
    try mapper.resume(plan.uuid, readAhead: nil, plan.udevRules)
    table = .unchanged
  }

  /// Removes a device that this change made.
  mutating func remove(on mapper: inout some DeviceMapping) throws(DeviceMapperError) {
    guard isNew else { return }
    if try mapper.state(of: plan.uuid) != nil { try mapper.remove(plan.uuid) }
    table = .unchanged
  }
}

/// The numbers of the mapped devices that tables of one change refer to.
struct DeviceNumbers: Sendable {
  private var mapped: [MappedDeviceUUID: DeviceNumber] = [:]

  mutating func set(_ number: DeviceNumber, of device: MappedDeviceUUID) {
    mapped[device] = number
  }

  func number(
    of reference: DeviceReference, for volume: String
  ) throws(ActivationError) -> DeviceNumber {
    switch reference {
    case .physicalVolume(_, let number?): return number
    case .physicalVolume(_, nil): throw .imageFile(volume: volume)
    case .mapped(let device):
      guard let number = mapped[device] else {
        preconditionFailure("\(volume) is loaded before \(device), which lies below it")
      }
      return number
    }
  }
}
