import LVMMetadata
import VolumeActivation
import VolumeCoordination

// Following the disk.

extension VolumeGroupJobs {
  /// - Parameter change: the one that ends like this; nil when none is known.
  mutating func recover(after change: VolumeChange?) throws -> VolumeJobResult {
    if let change, prepared?.id == change.id, prepared?.isUndoneWithoutWord == true {
      _ = try abandon(change)
    }
    prepared = nil
    let group = try disks.group(id: volumeGroupID, slot: .committed, isWritable: false)
    let recoveries = try mapper.recover(disks.planner(for: group))
    let problems = recoveries.compactMap { recovery -> String? in
      switch recovery.outcome {
      case .unchanged, .cleaned, .reloaded, .removed, .failing, .leftAlone(_, isSuspended: false):
        nil
      case .leftAlone(let refusal, isSuspended: true): "\(recovery.volume) is suspended: \(refusal)"
      case .failed(let error): "\(recovery.volume): \(error)"
      }
    }
    guard problems.isEmpty else { throw VolumeJobError(problems.joined(separator: "; ")) }
    isUnsettled = false
    return .recovered(seqno: group.volumeGroup.seqno)
  }

  mutating func refresh() throws -> VolumeJobResult {
    let group = try disks.group(id: volumeGroupID, slot: .committed, isWritable: false)
    let planner = disks.planner(for: group)
    let devices = try mapper.devices().filter { $0.uuid.volumeGroup == group.volumeGroup.id }
    var reloads = planner.volumes(withDevicesAmong: devices.map(\.uuid)).map { name, top in
      LogicalVolumeReload(logicalVolume: name, outcome: refresh(name, top, planner))
    }
    let known = Set(group.volumeGroup.logicalVolumes.map(\.id))
    for device in devices where !known.contains(device.uuid.logicalVolume) {
      reloads.append(
        LogicalVolumeReload(
          logicalVolume: device.name,
          outcome: .failed(
            "\(device.name) is active on this node, but its logical volume was removed")))
    }
    return .refreshed(reloads, leavesSuspended: try hasSuspendedDevices(of: group.volumeGroup))
  }

  private mutating func hasSuspendedDevices(of group: VolumeGroup) throws -> Bool {
    try mapper.devices().contains { device in
      guard device.uuid.volumeGroup == group.id else { return false }
      return try mapper.state(of: device.uuid)?.isSuspended == true
    }
  }

  private mutating func refresh(
    _ name: String, _ top: MappedDeviceUUID, _ planner: ActivationPlanner
  ) -> LogicalVolumeReload.Outcome {
    do {
      guard let device = try mapper.state(of: top) else { return .unchanged }
      let options = try mapper.options(for: name, device, planner)
      let plan = try planner.plan(named: name, options)
      let outcomes = try mapper.refresh([plan])
      return outcomes.allSatisfy { $0.change == .unchanged } ? .unchanged : .reloaded
    } catch {
      return .failed("\(planner.volumeGroup.name)/\(name): \(error)")
    }
  }

  /// Every volume of the change that is active here and cannot be brought onto the committed
  /// mapping fails all I/O from now on. So does whatever else of the group the attempt to follow the disk
  /// has left suspended: nobody would resume it.
  mutating func isolate(_ change: VolumeChange) throws -> VolumeJobResult {
    if let recovered = try? recover(after: change) { return recovered }
    let planner = try disks.planner(
      for: disks.group(id: volumeGroupID, slot: .committed, isWritable: false))
    for name in planner.volumeNames(affectedBy: change.logicalVolumes) {
      guard let top = planner.topDevices(ofVolumeNamed: name)?.first,
        let state = try mapper.state(of: top), state.hasLiveTable
      else { continue }
      switch refresh(name, top, planner) {
      case .reloaded, .unchanged: break
      case .failed: try mapper.failAllIO(on: [top], volume: "\(change.volumeGroup)/\(name)")
      }
    }
    let stranded = try mapper.devices().map(\.uuid).filter {
      guard $0.volumeGroup == planner.volumeGroup.id else { return false }
      return try mapper.state(of: $0)?.isSuspended == true
    }
    try mapper.failAllIO(on: stranded, volume: change.volumeGroup)
    return .done
  }
}
