// Making volumes active and inactive on this machine (dm-activation 5 and 10).

extension DeviceMapping {
  /// Makes a volume active: creates its device, loads its table, resumes it.
  ///
  /// A volume that is active already gets the planned table if its own differs. On failure a
  /// device that was created here is removed again.
  public mutating func activate(
    _ plan: PlannedVolume
  ) throws(ActivationError) -> VolumeOutcome {
    let state = try plan.attempt { () throws(DeviceMapperError) in try state(of: plan.uuid) }
    if let state, state.hasLiveTable {
      let outcomes = try refresh([plan])
      guard let outcome = outcomes.first else { throw .vanished(volume: plan.volume) }
      return outcome
    }
    do {
      try plan.attempt { () throws(DeviceMapperError) in
        if state == nil {
          _ = try create(plan.uuid, name: plan.name, number: plan.fixedNumber)
        }
        try load(plan.table, into: plan.uuid, readOnly: plan.isReadOnly)
        try resume(plan.uuid, readAhead: plan.readAhead)
      }
    } catch {
      throw error.afterUndo(leaving: removeUnserved(plan))
    }
    try settleNodes()
    return VolumeOutcome(
      volume: plan.volume, change: .activated, oldSize: 0, newSize: plan.table.sectorCount)
  }

  /// Removes a device whose activation failed before it served any I/O.
  private mutating func removeUnserved(_ plan: PlannedVolume) -> [VolumeFailure] {
    do {
      guard let state = try state(of: plan.uuid), !state.hasLiveTable else { return [] }
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
  ///   would leave internal devices below it behind.
  public mutating func deactivate(
    _ device: MappedDeviceUUID, volume: String
  ) throws(ActivationError) -> VolumeOutcome {
    let oldSize: UInt64
    do {
      guard let state = try state(of: device) else {
        return VolumeOutcome(volume: volume, change: .unchanged, oldSize: 0, newSize: 0)
      }
      guard !state.isSuspended || !state.hasLiveTable else {
        return try refuse(.suspended(volume: volume))
      }
    }
  }
}
