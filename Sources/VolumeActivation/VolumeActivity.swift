// Making volumes active and inactive on this machine (dm-activation 5 and 10).

extension DeviceMapping {
  /// Makes a volume active: creates its device, loads its table, resumes it.
  ///
  /// A volume that is active already gets the planned table if its own differs. On failure a
  /// device that serves no I/O yet is removed again.
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
    do {
      if state == nil { _ = try create(plan.uuid, name: plan.name, minor: plan.fixedMinor) }
      try load(plan.table, into: plan.uuid, readOnly: plan.isReadOnly)
      try resume(plan.uuid, readAhead: plan.readAhead)
    } catch {
      throw ActivationError.deviceMapper(error, volume: plan.volume)
        .afterUndo(leaving: removeIfUnserved(plan))
    }
    try settleNodes()
    return VolumeOutcome(
      volume: plan.volume, change: .activated, oldSize: 0, newSize: plan.table.sectorCount)
  }

  /// Removes a device whose activation failed before it served any I/O.
  private mutating func removeIfUnserved(_ plan: PlannedVolume) -> [VolumeFailure] {
    do {
      guard let state = try self.state(of: plan.uuid), !state.hasLiveTable else { return [] }
      try remove(plan.uuid)
      return []
    } catch {
      return [VolumeFailure(volume: plan.volume, error: error)]
    }
  }

  /// Makes a volume inactive. This needs no metadata: the device is found by its UUID.
  ///
  /// - Parameter volume: `VG/LV`, for messages.
  /// - Throws: `inUse` when somebody has the device open; `foreignTable` when removing the device
  ///   might leave internal devices below it behind.
  public mutating func deactivate(
    _ device: MappedDeviceUUID, volume: String
  ) throws(ActivationError) -> VolumeOutcome {
    let state = try attempt(volume) { () throws(DeviceMapperError) in try self.state(of: device) }
    guard let state else {
      return VolumeOutcome(volume: volume, change: .unchanged, oldSize: 0, newSize: 0)
    }
    guard !state.isSuspended || !state.hasLiveTable else { throw .suspended(volume: volume) }
    guard state.openCount == 0 else { throw .inUse(volume: volume, openCount: state.openCount) }
    let live = try attempt(volume) { () throws(DeviceMapperError) in
      try table(.live, of: device)
    }
    for case .opaque(let target, _) in live.lines.map(\.target) {
      throw .foreignTable(volume: volume, target: target)
    }
    try attempt(volume) { () throws(DeviceMapperError) in try remove(device) }
    try settleNodes()
    return VolumeOutcome(
      volume: volume, change: .deactivated, oldSize: live.sectorCount, newSize: 0)
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
