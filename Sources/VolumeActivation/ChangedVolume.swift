/// One volume of a `MappingChange`: how far its device has come.
struct ChangedVolume: Sendable {
  enum Progress: Sendable {
    /// The device is as planned already, or is again as it was.
    case unchanged
    /// Only the name is wrong, which needs no suspend.
    case misnamed
    /// The new table waits in the inactive slot.
    case loaded
    case suspended
    /// The new table serves I/O, still under the old name.
    case reloadedMisnamed
    case reloaded
    case renamed
  }

  let plan: PlannedVolume
  /// The size of the live table in sectors before the change.
  let oldSize: UInt64
  let isMisnamed: Bool
  private(set) var progress: Progress

  /// Loads the planned table if the live one differs; nil when the volume is not active here.
  init?(
    loading plan: PlannedVolume, on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    let state = try attempt(plan.volume) { () throws(DeviceMapperError) in
      try mapper.state(of: plan.uuid)
    }
    guard let state, state.hasLiveTable else { return nil }
    guard !state.isSuspended else { throw .suspended(volume: plan.volume) }
    if state.hasInactiveTable {
      try attempt(plan.volume) { () throws(DeviceMapperError) in try mapper.clear(plan.uuid) }
    }
    let live = try attempt(plan.volume) { () throws(DeviceMapperError) in
      try mapper.table(.live, of: plan.uuid)
    }
    self.plan = plan
    oldSize = live.sectorCount
    isMisnamed = state.device.name != plan.name.text
    if live == plan.table && state.isReadOnly == plan.isReadOnly {
      progress = isMisnamed ? .misnamed : .unchanged
    } else {
      try attempt(plan.volume) { () throws(DeviceMapperError) in
        try mapper.load(plan.table, into: plan.uuid, readOnly: plan.isReadOnly)
      }
      progress = .loaded
    }
  }

  mutating func suspend(on mapper: inout some DeviceMapping) throws(DeviceMapperError) {
    guard case .loaded = progress else { return }
    // Set first: a device whose suspend failed half-way must not be left out of an undo.
    progress = .suspended
    try mapper.suspend(plan.uuid, .flush)
  }

  /// Puts the new table and name into service. The table goes first: I/O matters more than names.
  mutating func resume(on mapper: inout some DeviceMapping) throws(DeviceMapperError) {
    switch progress {
    case .loaded, .suspended:
      try mapper.resume(plan.uuid, readAhead: plan.readAhead)
      progress = isMisnamed ? .reloadedMisnamed : .reloaded
    case .unchanged, .misnamed, .reloadedMisnamed, .reloaded, .renamed:
      break
    }
    switch progress {
    case .misnamed:
      try mapper.rename(plan.uuid, to: plan.name)
      progress = .renamed
    case .reloadedMisnamed:
      try mapper.rename(plan.uuid, to: plan.name)
      progress = .reloaded
    case .unchanged, .loaded, .suspended, .reloaded, .renamed:
      break
    }
  }

  /// Drops the new table and lets I/O through on the old one.
  ///
  /// A device whose new table cannot be dropped stays suspended, because a resume would put that
  /// table into service although the old metadata is in force.
  mutating func drop(on mapper: inout some DeviceMapping) throws(DeviceMapperError) {
    switch progress {
    case .loaded:
      try mapper.clear(plan.uuid)
    case .suspended:
      try mapper.clear(plan.uuid)
      try mapper.resume(plan.uuid, readAhead: nil)
    case .unchanged, .misnamed:
      break
    case .reloaded, .reloadedMisnamed, .renamed:
      preconditionFailure("volume \(plan.volume) is dropped after it was resumed")
    }
    progress = .unchanged
  }

  var outcome: VolumeOutcome {
    let change: VolumeOutcome.Change =
      switch progress {
      case .unchanged, .misnamed, .loaded, .suspended: .unchanged
      case .renamed: .renamed
      case .reloaded, .reloadedMisnamed: .reloaded
      }
    let newSize = change == .reloaded ? plan.table.sectorCount : oldSize
    return VolumeOutcome(volume: plan.volume, change: change, oldSize: oldSize, newSize: newSize)
  }
}
