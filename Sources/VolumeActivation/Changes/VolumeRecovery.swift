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
    /// Devices whose activation never came to its end, or whose volume left the metadata, were
    /// removed.
    case removed
    /// The volume left the metadata, and somebody has its device open: all I/O fails now, because
    /// its extents may be another volume's.
    case failing
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
    recoveries += recover(strangers: found.filter { !known.contains($0.uuid) }, planner)
    try settleNodes()
    return recoveries
  }

  /// Again and again, as long as one goes: those below others go after them.
  private mutating func recover(
    strangers: [MappedDevice], _ planner: ActivationPlanner
  ) -> [VolumeRecovery] {
    var last: [MappedDeviceUUID: VolumeRecovery] = [:]
    var left = strangers
    while true {
      let before = left.count
      left.removeAll { device in
        let recovery = recover(stranger: device, planner)
        last[device.uuid] = recovery
        return recovery?.outcome == .removed
      }
      if left.isEmpty || left.count == before { break }
    }
    return strangers.compactMap { last[$0.uuid] }
  }

  /// A device that no active volume of the metadata needs. If nothing uses it, and it never served
  /// I/O, is only a layer, or its volume left the metadata, it goes. Nil when nobody need hear of it.
  private mutating func recover(
    stranger device: MappedDevice, _ planner: ActivationPlanner
  ) -> VolumeRecovery? {
    let outcome: VolumeRecovery.Outcome
    do {
      guard let state = try state(of: device.uuid) else { return nil }
      let isKnown = planner.volumeGroup.logicalVolume(id: device.uuid.logicalVolume) != nil
      if state.openCount == 0, !state.hasLiveTable || device.isLayer || !isKnown {
        try remove(device.uuid)
        outcome = .removed
      } else if !isKnown {
        outcome = try fail(device, state)
      } else {
        guard state.isSuspended else { return nil }
        outcome = .leftAlone(ActivationRefusal(device.name, .unknownVolume), isSuspended: true)
      }
    } catch {
      outcome = .failed(.deviceMapper(error, volume: device.name))
    }
    return VolumeRecovery(volume: device.name, outcome: outcome)
  }

  /// A device whose volume is gone and that is still open.
  private mutating func fail(
    _ device: MappedDevice, _ state: MappedDeviceState
  ) throws(DeviceMapperError) -> VolumeRecovery.Outcome {
    // What lies below another device of the group goes after it.
    if try table(.live, of: device.uuid).isFailing, !state.isSuspended, !state.hasInactiveTable {
      return .failing
    }
    do {
      try failAllIO(on: [device.uuid], volume: device.name)
      return .failing
    } catch {
      return .failed(error)
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
