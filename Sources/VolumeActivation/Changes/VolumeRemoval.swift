/// Taking a volume that leaves the metadata out of service, in the steps of a change that the whole
/// cluster takes: its extents may be somebody else's as soon as the metadata is committed, so no
/// node may lead I/O to them from then on, not even for whoever has the device open against all
/// checks.
///
///     var removal = try VolumeRemoval(preparing: devices, volume: "vg/lv", on: &mapper)
///     try removal.suspend(on: &mapper)     // I/O is held
///     // … the metadata is committed …
///     try removal.resume(on: &mapper)      // all I/O fails, then the devices go
///
/// `abandon(on:)` instead of `resume(on:)` lets I/O through on the old tables.
public struct VolumeRemoval: Sendable {
  private let volume: String
  /// The volume's own device first, then those of its snapshots.
  private let devices: [MappedDeviceUUID]
  private var failing: FailingDevices
  /// What lay directly below.
  private let below: Set<DeviceNumber>

  /// Loads tables on which all I/O fails into the inactive slots.
  ///
  /// - Parameters:
  ///   - devices: as `ActivationPlanner.topDevices` names them; those that are not there are left
  ///     out.
  ///   - volume: `VG/LV`, for messages.
  /// - Throws: `inUse` when somebody has one of them open.
  public init(
    preparing devices: [MappedDeviceUUID], volume: String, on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    self.volume = volume
    var found: [MappedDeviceUUID] = []
    var below: Set<DeviceNumber> = []
    for device in devices {
      let state = try attempt(volume) { () throws(DeviceMapperError) in try mapper.state(of: device)
      }
      guard let state else { continue }
      guard !state.isSuspended else { throw .suspended(volume: volume) }
      guard state.openCount == 0 else { throw .inUse(volume: volume, openCount: state.openCount) }
      found.append(device)
      try attempt(volume) { () throws(DeviceMapperError) in
        below.formUnion(try mapper.dependencies(of: device))
      }
    }
    self.devices = found
    self.below = below
    failing = try FailingDevices(loading: found, volume: volume, on: &mapper)
  }

  /// Whether a device is there at all.
  public var isEmpty: Bool { devices.isEmpty }

  /// Holds I/O; takes it back when somebody has opened a device since it was prepared.
  public mutating func suspend(on mapper: inout some DeviceMapping) throws(ActivationError) {
    try failing.suspend(on: &mapper)
    for device in devices {
      let state = try attempt(volume) { () throws(DeviceMapperError) in try mapper.state(of: device)
      }
      if let state, state.openCount > 0 {
        throw ActivationError.inUse(volume: volume, openCount: state.openCount)
          .afterUndo(leaving: failing.undo(on: &mapper))
      }
    }
  }

  /// Lets all I/O fail and removes the devices, with those below that nobody else uses. May be
  /// repeated after an error.
  public mutating func resume(on mapper: inout some DeviceMapping) throws(ActivationError) {
    try failing.resume(on: &mapper)
    guard let group = devices.first?.volumeGroup else { return }
    try attempt(volume) { () throws(DeviceMapperError) in
      for device in devices where try mapper.state(of: device) != nil { try mapper.remove(device) }
      try mapper.removeUnused(below, of: group) { _ in true }
    }
    try mapper.settleNodes()
  }

  /// Drops the failing tables and lets I/O through.
  public mutating func abandon(on mapper: inout some DeviceMapping) throws(ActivationError) {
    let failures = undo(on: &mapper)
    guard failures.isEmpty else { throw .incomplete(failures) }
  }

  /// What could not be abandoned; the next call tries that again.
  mutating func undo(on mapper: inout some DeviceMapping) -> [VolumeFailure] {
    failing.undo(on: &mapper)
  }
}

/// Devices on which all I/O is to fail.
struct FailingDevices: Sendable {
  private let volume: String
  /// Those whose failing table is not in service yet.
  private var waiting: [MappedDevice] = []
  private var suspended: Set<MappedDeviceUUID> = []

  /// Loads the tables; on failure none is left.
  init(
    loading devices: [MappedDeviceUUID], volume: String, on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    self.volume = volume
    do throws(DeviceMapperError) {
      for device in devices {
        guard let state = try mapper.state(of: device), state.hasLiveTable else { continue }
        let size = try mapper.table(.live, of: device).sectorCount
        try mapper.load(
          .failing(sectorCount: size), into: device, readOnly: state.isReadOnly, isSecret: false)
        waiting.append(state.device)
      }
    } catch {
      let first = ActivationError.deviceMapper(error, volume: volume)
      throw first.afterUndo(leaving: undo(on: &mapper))
    }
  }

  /// On failure I/O goes on as before.
  mutating func suspend(
    _ mode: SuspendMode = .flush, on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    for device in waiting {
      suspended.insert(device.uuid)
      do {
        try mapper.suspend(device.uuid, mode)
      } catch {
        let first = ActivationError.deviceMapper(error, volume: volume)
        throw first.afterUndo(leaving: undo(on: &mapper))
      }
    }
  }

  /// May be repeated after an error.
  mutating func resume(on mapper: inout some DeviceMapping) throws(ActivationError) {
    while let device = waiting.last {
      try attempt(volume) { () throws(DeviceMapperError) in
        try mapper.resume(device.uuid, readAhead: nil, UdevRules(of: device))
      }
      waiting.removeLast()
    }
    suspended = []
  }

  /// Drops the tables and lets I/O through. A device whose table cannot be dropped stays suspended
  /// and is tried again with the next call.
  mutating func undo(on mapper: inout some DeviceMapping) -> [VolumeFailure] {
    var failures: [VolumeFailure] = []
    var left: [MappedDevice] = []
    for device in waiting {
      do throws(DeviceMapperError) {
        try mapper.clear(device.uuid)
        if suspended.contains(device.uuid) {
          try mapper.resume(device.uuid, readAhead: nil, UdevRules(of: device))
        }
      } catch {
        left.append(device)
        failures.append(VolumeFailure(volume: volume, error: error))
      }
    }
    waiting = left
    return failures
  }
}

extension DeviceTable {
  /// All I/O fails.
  static func failing(sectorCount: UInt64) -> DeviceTable {
    DeviceTable(
      contiguous: [
        TableLine(
          start: 0, length: sectorCount, target: TableTarget(type: "error", parameters: ""))
      ], sectorCount: sectorCount)
  }

  /// Whether no I/O leads anywhere.
  public var isFailing: Bool { !isEmpty && lines.allSatisfy { $0.target.type == "error" } }
}

extension DeviceMapping {
  /// Lets all I/O on active devices fail: their mapping is over and the right one cannot be loaded.
  ///
  /// A device that cannot get such a table is left suspended.
  /// - Parameter volume: `VG/LV`, for messages.
  public mutating func failAllIO(
    on devices: [MappedDeviceUUID], volume: String
  ) throws(ActivationError) {
    var failing: FailingDevices
    do {
      failing = try FailingDevices(loading: devices, volume: volume, on: &self)
      // Without waiting for I/O: what it waits for may be the reason.
      try failing.suspend(.withoutFlush, on: &self)
    } catch {
      for device in devices {
        try attempt(volume) { () throws(DeviceMapperError) in
          if try state(of: device) != nil { try suspend(device, .withoutFlush) }
        }
      }
      throw error
    }
    try failing.resume(on: &self)
  }
}
