import LVMMetadata

// Making volumes active and inactive on this machine (dm-activation, sections 5 and 10).

extension DeviceMapping {
  /// Makes a volume active: creates the devices of its stack, loads their tables, resumes them, the
  /// lower ones first.
  ///
  /// The plan is of committed metadata. A volume that is active already gets the planned tables
  /// where its own differ. On failure devices that serve no I/O yet are removed again, and all
  /// others are as they were.
  public mutating func activate(
    _ plan: PlannedVolume
  ) throws(ActivationError) -> VolumeOutcome {
    let state = try attempt(plan.volume) { () throws(DeviceMapperError) in
      try self.state(of: plan.uuid)
    }
    if let state, state.hasLiveTable {
      guard let outcome = try refresh([plan]).first else { throw .vanished(volume: plan.volume) }
      return outcome
    }
    var change = try MappingChange([plan], .committed, leftovers: .refused, on: &self)
    let outcomes: [VolumeOutcome]
    do {
      outcomes = try change.finish(on: &self)
    } catch {
      guard case .incomplete(let failures) = error, let first = failures.first else { throw error }
      throw ActivationError.deviceMapper(first.error, volume: first.volume)
        .afterUndo(leaving: removeUnserved(plan))
    }
    guard let outcome = outcomes.first else { throw .vanished(volume: plan.volume) }
    return outcome
  }

  /// Removes the devices of an activation that failed at its end, the upper ones first.
  private mutating func removeUnserved(_ plan: PlannedVolume) -> [VolumeFailure] {
    var failures: [VolumeFailure] = []
    for device in plan.devices.reversed() {
      do {
        guard let state = try self.state(of: device.uuid), state.openCount == 0 else { continue }
        try remove(device.uuid)
      } catch {
        failures.append(VolumeFailure(volume: device.volume, error: error))
      }
    }
    return failures
  }

  /// Makes a volume inactive: removes its own devices, and those below that nobody else uses.
  ///
  /// This needs no metadata beyond the names of the upper devices, which
  /// `ActivationPlanner.topDevices` knows.
  ///
  /// - Parameters:
  ///   - devices: the volume's own device first, then those of its snapshots.
  ///   - volume: `VG/LV`, for messages.
  /// - Throws: `inUse` when somebody has one of the devices open.
  public mutating func deactivate(
    _ devices: [MappedDeviceUUID], volume: String
  ) throws(ActivationError) -> VolumeOutcome {
    var found: [MappedDeviceState] = []
    for device in devices {
      let state = try attempt(volume) { () throws(DeviceMapperError) in try self.state(of: device) }
      guard let state else { continue }
      guard !state.isSuspended || !state.hasLiveTable else { throw .suspended(volume: volume) }
      guard state.openCount == 0 else { throw .inUse(volume: volume, openCount: state.openCount) }
      found.append(state)
    }
    guard !found.isEmpty, let group = devices.first?.volumeGroup else {
      return VolumeOutcome(volume: volume, change: .unchanged, oldSize: 0, newSize: 0)
    }
    var size: UInt64 = 0
    var below: Set<DeviceNumber> = []
    try attempt(volume) { () throws(DeviceMapperError) in
      for state in found {
        let uuid = state.device.uuid
        if uuid == devices.first { size = try table(.live, of: uuid).sectorCount }
        below.formUnion(try dependencies(of: uuid))
        try remove(uuid)
      }
      try removeUnused(below, of: group) { _ in true }
    }
    try settleNodes()
    return VolumeOutcome(volume: volume, change: .deactivated, oldSize: size, newSize: 0)
  }

  /// Removes, of the mapped devices with these numbers, those of the volume group that nobody has
  /// open, and goes on with what lay below them. One that is in use by others stays, silently.
  mutating func removeUnused(
    _ numbers: Set<DeviceNumber>, of group: LVMIdentifier,
    where mayGo: (MappedDevice) -> Bool
  ) throws(DeviceMapperError) {
    var pending = numbers
    var known: [DeviceNumber: MappedDevice] = [:]
    for device in try devices() where device.uuid.volumeGroup == group {
      known[device.number] = device
    }
    var hasRemoved = true
    // A device below two others goes when both are gone.
    while hasRemoved, !pending.isEmpty {
      hasRemoved = false
      for number in pending {
        guard let device = known[number], mayGo(device), let state = try state(of: device.uuid)
        else {
          pending.remove(number)
          continue
        }
        guard state.openCount == 0 else { continue }
        let below = try dependencies(of: device.uuid)
        try remove(device.uuid)
        pending.remove(number)
        pending.formUnion(below)
        hasRemoved = true
      }
    }
  }

  mutating func settleNodes() throws(ActivationError) {
    do {
      try settle()
    } catch {
      throw .nodesUnsettled(error)
    }
  }
}

/// Runs `body` so that its error names the volume.
func attempt<Result>(
  _ volume: String, _ body: () throws(DeviceMapperError) -> Result
) throws(ActivationError) -> Result {
  do {
    return try body()
  } catch {
    throw .deviceMapper(error, volume: volume)
  }
}
