import LVMMetadata
import VolumeActivation
import VolumeCoordination

// Every participant's side of a change.

extension VolumeGroupJobs {
  mutating func prepareOrUndo(_ change: VolumeChange) throws -> VolumeJobResult {
    do {
      return try prepare(change)
    } catch let error as ActivationError {
      // Whoever abandons the change must not be told that nothing is left of it.
      if case .notUndone = error { isUnsettled = true }
      throw error
    }
  }

  private mutating func prepare(_ change: VolumeChange) throws -> VolumeJobResult {
    let committed = try disks.group(id: volumeGroupID, slot: .committed, isWritable: false)
    guard committed.volumeGroup.seqno == change.oldSeqno else {
      throw VolumeJobError(
        "VG \(change.volumeGroup) has seqno \(committed.volumeGroup.seqno) here, not "
          + "\(change.oldSeqno): does this node see the same disks?")
    }
    let group =
      change.kind.changesMetadata
      ? try disks.group(id: volumeGroupID, slot: .precommitted, isWritable: false) : committed
    guard group.volumeGroup.seqno == change.newSeqno else {
      throw VolumeJobError(
        "VG \(change.volumeGroup): the precommitted metadata with seqno \(change.newSeqno) cannot "
          + "be seen here; does this node see the same disks?")
    }
    let old = disks.planner(for: committed)
    switch change.kind {
    case .grow, .shrink, .refresh, .convert, .rename, .permission, .renameGroup:
      prepared = try prepareMapping(change, old, disks.planner(for: group))
    case .remove: prepared = try prepareRemoval(change, old, disks.planner(for: group))
    case .activate, .activateExclusively: prepared = try prepareActivation(change, old)
    case .deactivate: prepared = try prepareDeactivation(change, old)
    }
    return .done
  }

  private mutating func prepareMapping(
    _ change: VolumeChange, _ old: ActivationPlanner, _ planner: ActivationPlanner
  ) throws -> PreparedChange {
    for name in change.logicalVolumes where planner.topDevices(ofVolumeNamed: name) == nil {
      throw VolumeJobError("\(change.volumeGroup)/\(name) is not in the new metadata")
    }
    var plans: [PlannedVolume] = []
    for name in planner.volumeNames(affectedBy: change.logicalVolumes) {
      guard let top = planner.topDevices(ofVolumeNamed: name)?.first,
        let device = try mapper.state(of: top)
      else { continue }
      if change.kind == .shrink { try checkShrink(change, name, device) }
      let plan = try planner.plan(named: name, options(name, device, old))
      try checkExclusive(change, plan)
      plans.append(plan)
    }
    return PreparedChange(
      id: change.id, devices: plans.map { ($0.volume, [$0.uuid]) },
      work: .mapping(try MappingChange(preparing: plans, on: &mapper)))
  }

  /// As the volume is active now. What has lost a physical volume since it became active does not
  /// follow: part of it would fail from then on.
  ///
  /// - Parameter old: plans of the metadata that it was made active with.
  private mutating func options(
    _ name: String, _ device: MappedDeviceState, _ old: ActivationPlanner
  ) throws -> ActivationOptions {
    let before = old.volumeGroup.logicalVolume(id: device.device.uuid.logicalVolume)?.name
    var options = try mapper.options(for: before ?? name, device, old)
    options.mode = .complete
    return options
  }

  /// What may not be active on several nodes at once is changed on the node where it is active, as
  /// with LVM.
  private func checkExclusive(_ change: VolumeChange, _ plan: PlannedVolume) throws {
    guard change.id.origin.node != disks.localNode, !plan.mayBeShared else { return }
    throw VolumeJobError(
      "Logical volume \(plan.volume) is active on this node, and volumes of its type may be active "
        + "on one node only: change it from here, or deactivate it here first.")
  }

  /// A volume may lose its end only where nobody can have data there.
  private func checkShrink(
    _ change: VolumeChange, _ name: String, _ device: MappedDeviceState
  ) throws {
    let volume = "\(change.volumeGroup)/\(name)"
    guard change.id.origin.node == disks.localNode else {
      throw VolumeJobError(
        "Logical volume \(volume) is active on this node and would lose its end. "
          + "Deactivate it here first: lvchange -an \(volume)")
    }
    guard device.openCount == 0 else {
      throw VolumeJobError("Logical volume \(volume) is in use and would lose its end.")
    }
  }

  private mutating func prepareRemoval(
    _ change: VolumeChange, _ old: ActivationPlanner, _ planner: ActivationPlanner
  ) throws -> PreparedChange {
    var devices: [(volume: String, devices: [MappedDeviceUUID])] = []
    for name in change.logicalVolumes {
      let volume = "\(change.volumeGroup)/\(name)"
      guard let tops = old.topDevices(ofVolumeNamed: name) else {
        throw VolumeJobError("\(volume) is not in the metadata")
      }
      let id = old.volumeGroup.logicalVolume(named: name)?.id
      guard id.flatMap(planner.volumeGroup.logicalVolume(id:)) == nil else {
        throw VolumeJobError("\(volume) is still in the new metadata")
      }
      guard tops.allSatisfy({ planner.volumeGroup.logicalVolume(id: $0.logicalVolume) == nil })
      else { throw VolumeJobError("\(volume) is part of a volume that stays") }
      devices.append((volume, tops))
    }
    let removals = try VolumeRemovals(preparing: devices, on: &mapper)
    return PreparedChange(id: change.id, devices: devices, work: .removal(removals))
  }

  private func prepareActivation(
    _ change: VolumeChange, _ planner: ActivationPlanner
  ) throws -> PreparedChange {
    let plans = try change.logicalVolumes.map { try planner.plan(named: $0) }
    if change.kind == .activate, let plan = plans.first(where: { !$0.mayBeShared }) {
      throw VolumeJobError(
        "Logical volume \(plan.volume) may be active on one node only: activate it there with -aey."
      )
    }
    return PreparedChange(
      id: change.id, devices: plans.map { ($0.volume, [$0.uuid]) },
      locks: planner.volumeGroup.locks(of: change.logicalVolumes),
      work: .activation(plans, made: []))
  }

  private mutating func prepareDeactivation(
    _ change: VolumeChange, _ planner: ActivationPlanner
  ) throws -> PreparedChange {
    var volumes: [PreparedChange.Deactivation] = []
    for name in change.logicalVolumes {
      let volume = "\(change.volumeGroup)/\(name)"
      guard let tops = planner.topDevices(ofVolumeNamed: name) else {
        throw VolumeJobError("\(volume) is not in the metadata")
      }
      guard let top = tops.first, let state = try mapper.state(of: top) else { continue }
      guard state.openCount == 0 else {
        throw ActivationError.inUse(volume: volume, openCount: state.openCount)
      }
      let plan = try planner.plan(named: name, try mapper.options(for: name, state, planner))
      volumes.append(PreparedChange.Deactivation(volume: volume, devices: tops, plan: plan))
    }
    return PreparedChange(
      id: change.id, devices: volumes.map { ($0.volume, $0.devices) },
      locks: planner.volumeGroup.locks(of: change.logicalVolumes),
      work: .deactivation(volumes, done: []))
  }

  mutating func suspend(_ change: VolumeChange) throws -> VolumeJobResult {
    guard prepared?.id == change.id else {
      throw VolumeJobError("\(change) was not prepared in this life of the daemon")
    }
    try ignoringNodes { jobs in try jobs.prepared?.suspend(on: &jobs.mapper) }
    // Nobody can have opened it since then unseen: an open volume is not cut.
    if change.kind == .shrink { try checkUnused() }
    return .done
  }

  private mutating func checkUnused() throws {
    for device in prepared?.devices.flatMap(\.devices) ?? [] {
      guard let current = try mapper.state(of: device), current.openCount > 0 else { continue }
      throw VolumeJobError("Logical volume \(current.device.name) was opened meanwhile.")
    }
  }

  mutating func resume(_ change: VolumeChange) throws -> VolumeJobResult {
    guard prepared?.id == change.id else {
      _ = try recover(after: nil)
      return .done
    }
    do {
      try ignoringNodes { jobs in try jobs.prepared?.resume(on: &jobs.mapper) }
    } catch {
      // A mapping whose suspend failed has been taken back: from then on the disk is followed.
      if case .mapping(let mapping) = prepared?.work, mapping.step != .suspended { prepared = nil }
      throw error
    }
    prepared = nil
    return .done
  }

  mutating func abandon(_ change: VolumeChange) throws -> VolumeJobResult {
    guard prepared?.id == change.id else {
      if isUnsettled { _ = try recover(after: nil) }
      return .done
    }
    try ignoringNodes { jobs in try jobs.prepared?.abandon(on: &jobs.mapper) }
    prepared = nil
    return .done
  }

  /// I/O runs on the right tables; only nodes and links in /dev may be late.
  private mutating func ignoringNodes(_ body: (inout Self) throws -> Void) throws {
    do {
      try body(&self)
    } catch let error as ActivationError {
      guard case .nodesUnsettled = error else { throw error }
    }
  }
}
