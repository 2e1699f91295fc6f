import LVMMetadata

// After a crash: making the live mappings those of the committed metadata (dm-activation 11).

/// What recovery found and did for one active volume, or for one device that belongs to none.
public struct VolumeRecovery: Hashable, Sendable {
  public enum Outcome: Hashable, Sendable {
    /// As the metadata says already.
    case unchanged
    /// Leftovers were put away: an inactive table that was not committed, a suspend, an old name.
    case cleaned
    /// The device now runs on the committed table; sizes in sectors.
    case reloaded(oldSize: UInt64, newSize: UInt64)
    /// Devices whose activation never came to its end were removed.
    case removed
    /// Not touched, because this version cannot tell what the device must look like.
    case leftAlone(ActivationRefusal, isSuspended: Bool)
    /// Devices may be suspended still.
    case failed(ActivationError)
  }

  /// `VG/LV`; for a device unknown to the metadata its name.
  public let volume: String
  public let outcome: Outcome
}

extension DeviceMapping {
  /// Brings every active volume of a group onto the committed metadata, whatever an interrupted
  /// change left behind.
  ///
  /// No device is left suspended whose table is known. An inactive table is put into service only
  /// if it is the committed one. A volume that is active without write permission stays so.
  public mutating func recover(
    _ planner: ActivationPlanner
  ) throws(ActivationError) -> [VolumeRecovery] {
    let group = planner.volumeGroup
    let found = try attempt(group.name) { () throws(DeviceMapperError) in try devices() }
      .filter { $0.uuid.volumeGroup == group.id }
    var volumes: [RecoveringVolume] = []
    for (name, top) in planner.volumes(withDevicesAmong: found.map(\.uuid)) {
      let state = try attempt(group.name) { () throws(DeviceMapperError) in try self.state(of: top)
      }
      if let state {
        volumes.append(RecoveringVolume(named: name, state, planner, on: &self))
      }
    }
    // Loads before suspends before resumes, as in every change.
    for index in volumes.indices { volumes[index].load(on: &self) }
    for index in volumes.indices { volumes[index].suspend(on: &self) }
    for index in volumes.indices { volumes[index].resume(on: &self) }
    let known = volumes.reduce(into: Set()) { $0.formUnion($1.devices) }
    var recoveries = volumes.map(\.recovery)
    for device in found where !known.contains(device.uuid) {
      if let recovery = recover(stranger: device, planner) { recoveries.append(recovery) }
    }
    try settleNodes()
    return recoveries
  }

  /// A device that no active volume of the metadata needs. If nothing uses it, and it never served
  /// I/O or is only a layer, a crash has left it and it goes. Nil when nobody need hear of it.
  private mutating func recover(
    stranger device: MappedDevice, _ planner: ActivationPlanner
  ) -> VolumeRecovery? {
    do {
      guard let state = try state(of: device.uuid) else { return nil }
      if state.openCount == 0, !state.hasLiveTable || device.isLayer {
        try remove(device.uuid)
        return VolumeRecovery(volume: device.name, outcome: .removed)
      }
      let isKnown = planner.volumeGroup.logicalVolume(id: device.uuid.logicalVolume) != nil
      guard state.isSuspended || !isKnown else { return nil }
      return VolumeRecovery(
        volume: device.name,
        outcome: .leftAlone(
          ActivationRefusal(device.name, .unknownVolume), isSuspended: state.isSuspended))
    } catch {
      return VolumeRecovery(
        volume: device.name, outcome: .failed(.deviceMapper(error, volume: device.name)))
    }
  }
}

extension ActivationPlanner {
  /// The volumes, as users activate them, whose own devices are among these, with that device.
  public func volumes(
    withDevicesAmong devices: [MappedDeviceUUID]
  ) -> [(name: String, top: MappedDeviceUUID)] {
    let active = Set(devices)
    return volumeNames.compactMap { name in
      topDevices(ofVolumeNamed: name)?.first { active.contains($0) }.map { (name, $0) }
    }
  }
}
