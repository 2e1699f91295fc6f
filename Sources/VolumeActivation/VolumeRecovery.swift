// After a crash: making the live mappings those of the committed metadata (dm-activation 11).

/// What recovery found and did for one mapped device.
public struct VolumeRecovery: Hashable, Sendable {
  public enum Outcome: Hashable, Sendable {
    /// As the metadata says already.
    case unchanged
    /// Leftovers were put away: an inactive table that was not committed, a suspend, an old name.
    case cleaned
    /// The device now runs on the committed table; sizes in sectors.
    case reloaded(oldSize: UInt64, newSize: UInt64)
    /// A device whose activation never came to its end was removed.
    case removed
    /// Not touched, because this version cannot tell what the device must look like.
    case leftAlone(ActivationRefusal, isSuspended: Bool)
    /// The device may be suspended still.
    case failed(DeviceMapperError)
  }

  /// `VG/LV`; for a volume unknown to the metadata the device's name.
  public let volume: String
  public let device: MappedDeviceUUID
  public let outcome: Outcome
}

extension DeviceMapping {
  /// Brings every active volume of a group onto the committed metadata, whatever an interrupted
  /// change left behind.
  ///
  /// No device is left suspended whose table is known. An inactive table is put into service only
  /// if it is the committed one. Internal devices of other volume types are left alone.
  public mutating func recover(
    _ planner: ActivationPlanner
  ) throws(ActivationError) -> [VolumeRecovery] {
    let group = planner.volumeGroup
    let found = try attempt(group.name) { () throws(DeviceMapperError) in try devices() }
    var volumes = found.filter { $0.uuid.volumeGroup == group.id && $0.uuid.suffix == nil }
      .compactMap { RecoveringVolume($0, planner, on: &self) }
    // Loads before suspends before resumes, as in every change.
    for index in volumes.indices { volumes[index].load(on: &self) }
    for index in volumes.indices { volumes[index].suspend(on: &self) }
    for index in volumes.indices { volumes[index].resume(on: &self) }
    try settleNodes()
    return volumes.map(\.recovery)
  }
}
