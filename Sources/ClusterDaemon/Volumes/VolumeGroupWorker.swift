import BlockDevices
import ClusterTypes
import DeviceMapper
import LVMMetadata
import Synchronization
import VolumeActivation
import VolumeCoordination

/// Carries out the jobs of one volume group on this node's disks and devices.
///
/// Everything is read from the disk anew for each job: other nodes write to it. What must survive
/// from one step of a change to the next - which text was precommitted, which devices hold its
/// tables - is kept here, by the change's id.
final class VolumeGroupWorker: Sendable {
  private struct Coordinated {
    let id: VolumeRequestID
    var commit: MetadataCommit
  }

  private struct Prepared {
    let id: VolumeRequestID
    let devices: [MappedDeviceUUID]
    var mapping: MappingChange
  }

  private struct State {
    var mapper = LibraryDeviceMapper()
    var coordinated: Coordinated?
    var prepared: Prepared?
  }

  private let disks: SharedDisks
  private let volumeGroupID: String
  private let state = Mutex(State())
  /// The texts that this node is about to write, by the change's id.
  private let texts = Mutex<[VolumeRequestID: MetadataText]>([:])

  init(disks: SharedDisks, volumeGroupID: String) {
    self.disks = disks
    self.volumeGroupID = volumeGroupID
  }

  /// Leaves the text for the change's `writePrecommitted`.
  func plan(_ text: MetadataText, for id: VolumeRequestID) {
    texts.withLock { $0[id] = text }
  }

  func run(_ job: VolumeJob) -> VolumeJobResult {
    do {
      return try state.withLock { state in
        switch job {
        case .writePrecommitted(let change): try writePrecommitted(change, &state)
        case .prepare(let change): try prepare(change, &state)
        case .suspend(let change): try suspend(change, &state)
        case .commit(let change): try commit(change, &state)
        case .resume(let change): try resume(change, &state)
        case .abandon(let change): try abandon(change, &state)
        case .revert(let change): revert(change, &state)
        case .recover: try recover(&state)
        case .refresh: try refresh(&state)
        }
      }
    } catch {
      return .failed("\(error)")
    }
  }

  // MARK: - The coordinator's side

  private func writePrecommitted(
    _ change: VolumeChange, _ state: inout State
  ) throws -> VolumeJobResult {
    guard let text = texts.withLock({ $0.removeValue(forKey: change.id) }) else {
      throw DaemonError("the text of \(change) is unknown to this life of the daemon")
    }
    let group = try disks.group(id: volumeGroupID, slot: .committed, access: .readWrite)
    guard group.volumeGroup.seqno == change.oldSeqno else {
      throw DaemonError(
        "VG \(change.volumeGroup) was changed meanwhile: it has seqno \(group.volumeGroup.seqno), "
          + "not \(change.oldSeqno)")
    }
    var commit = try MetadataCommit(from: group, to: text)
    try commit.write()
    try commit.precommit()
    state.coordinated = Coordinated(id: change.id, commit: commit)
    return .done
  }

  private func commit(_ change: VolumeChange, _ state: inout State) throws -> VolumeJobResult {
    guard state.coordinated?.id == change.id, let outcome = state.coordinated?.commit.commit()
    else { return commitFound(change, "its outcome was unknown") }
    state.coordinated = nil
    switch outcome {
    case .everywhere: return .committed(staleAreas: [])
    case .partly(let stale): return .committed(staleAreas: stale.map(\.description))
    case .takenBack(let failures), .unknown(let failures):
      return commitFound(change, failures.map(\.description).joined(separator: "; "))
    }
  }

  /// After a commit that may have failed: what does the disk say?
  private func commitFound(_ change: VolumeChange, _ reason: String) -> VolumeJobResult {
    do {
      let group = try disks.group(id: volumeGroupID, slot: .committed, access: .readOnly)
      if group.volumeGroup.seqno >= change.newSeqno { return .committed(staleAreas: [reason]) }
      return group.warnings.isEmpty
        ? .failed("the metadata could not be committed: \(reason)") : .commitUncertain(reason)
    } catch {
      return .commitUncertain("\(reason); \(error)")
    }
  }

  private func revert(_ change: VolumeChange, _ state: inout State) -> VolumeJobResult {
    guard state.coordinated?.id == change.id else { return .done }
    let failures = state.coordinated?.commit.revert() ?? []
    state.coordinated = nil
    // Readers ignore what could not be taken back, and the next change overwrites it.
    return failures.isEmpty
      ? .done : .failed(failures.map(\.description).joined(separator: "; "))
  }

  // MARK: - Every participant's side

  private func prepare(_ change: VolumeChange, _ state: inout State) throws -> VolumeJobResult {
    let committed = try disks.group(id: volumeGroupID, slot: .committed, access: .readOnly)
    guard committed.volumeGroup.seqno == change.oldSeqno else {
      throw DaemonError(
        "VG \(change.volumeGroup) has seqno \(committed.volumeGroup.seqno) here, not "
          + "\(change.oldSeqno): does this node see the same disks?")
    }
    let group =
      change.kind.changesMetadata
      ? try disks.group(id: volumeGroupID, slot: .precommitted, access: .readOnly) : committed
    guard group.volumeGroup.seqno == change.newSeqno else {
      throw DaemonError(
        "VG \(change.volumeGroup): the precommitted metadata with seqno \(change.newSeqno) cannot "
          + "be seen here; does this node see the same disks?")
    }
    let planner = disks.planner(for: group)
    for name in change.logicalVolumes where planner.topDevices(ofVolumeNamed: name) == nil {
      throw DaemonError("\(change.volumeGroup)/\(name) is not in the new metadata")
    }
    var plans: [PlannedVolume] = []
    for name in planner.volumeNames(affectedBy: change.logicalVolumes) {
      guard let top = planner.topDevices(ofVolumeNamed: name)?.first,
        let device = try state.mapper.state(of: top)
      else { continue }
      if change.kind == .shrink { try checkShrink(change, name, device) }
      let options = try state.mapper.options(for: name, device, planner)
      let plan = try planner.plan(named: name, options)
      try checkExclusive(change, plan)
      plans.append(plan)
    }
    state.prepared = Prepared(
      id: change.id, devices: plans.map(\.uuid),
      mapping: try MappingChange(preparing: plans, on: &state.mapper))
    return .done
  }

  /// What may not be active on several nodes at once is changed on the node where it is active, as
  /// with LVM.
  private func checkExclusive(_ change: VolumeChange, _ plan: PlannedVolume) throws {
    guard change.id.origin.node != disks.localNode, !plan.mayBeShared else { return }
    throw DaemonError(
      "Logical volume \(plan.volume) is active on this node, and volumes of its type may be active "
        + "on one node only: change it from here, or deactivate it here first.")
  }

  /// A volume may lose its end only where nobody can have data there.
  private func checkShrink(
    _ change: VolumeChange, _ name: String, _ device: MappedDeviceState
  ) throws {
    let volume = "\(change.volumeGroup)/\(name)"
    guard change.id.origin.node == disks.localNode else {
      throw DaemonError(
        "Logical volume \(volume) is active on this node and would lose its end. "
          + "Deactivate it here first: lvchange -an \(volume)")
    }
    guard device.openCount == 0 else {
      throw DaemonError("Logical volume \(volume) is in use and would lose its end.")
    }
  }

  private func checkUnused(
    _ devices: [MappedDeviceUUID], _ change: VolumeChange, _ state: inout State
  ) throws {
    for device in devices {
      guard let current = try state.mapper.state(of: device), current.openCount > 0 else {
        continue
      }
      throw DaemonError("Logical volume \(current.device.name) was opened meanwhile.")
    }
  }

  private func suspend(_ change: VolumeChange, _ state: inout State) throws -> VolumeJobResult {
    guard state.prepared?.id == change.id else {
      throw DaemonError("\(change) was not prepared in this life of the daemon")
    }
    try state.prepared?.mapping.suspend(on: &state.mapper)
    // Nobody can have opened it since then unseen: an open volume is not cut.
    if change.kind == .shrink { try checkUnused(state.prepared?.devices ?? [], change, &state) }
    return .done
  }

  private func resume(_ change: VolumeChange, _ state: inout State) throws -> VolumeJobResult {
    guard state.prepared?.id == change.id else { return try recoveredAsDone(&state) }
    do {
      _ = try state.prepared?.mapping.resume(on: &state.mapper)
    } catch let error {
      // I/O runs on the new tables; only links in /dev may be late.
      guard case .nodesUnsettled = error else { throw error }
    }
    state.prepared = nil
    return .done
  }

  private func abandon(_ change: VolumeChange, _ state: inout State) throws -> VolumeJobResult {
    guard state.prepared?.id == change.id else { return .done }
    do {
      try state.prepared?.mapping.abandon(on: &state.mapper)
    } catch let error {
      guard case .nodesUnsettled = error else { throw error }
    }
    state.prepared = nil
    return .done
  }

  // MARK: - Following the disk

  private func recoveredAsDone(_ state: inout State) throws -> VolumeJobResult {
    _ = try recover(&state)
    return .done
  }

  private func recover(_ state: inout State) throws -> VolumeJobResult {
    state.prepared = nil
    let group = try disks.group(id: volumeGroupID, slot: .committed, access: .readOnly)
    let recoveries = try state.mapper.recover(disks.planner(for: group))
    let problems = recoveries.compactMap { recovery -> String? in
      switch recovery.outcome {
      case .unchanged, .cleaned, .reloaded, .removed, .leftAlone(_, isSuspended: false): nil
      case .leftAlone(let refusal, isSuspended: true): "\(recovery.volume) is suspended: \(refusal)"
      case .failed(let error): "\(recovery.volume): \(error)"
      }
    }
    guard problems.isEmpty else { throw DaemonError(problems.joined(separator: "; ")) }
    return .recovered(seqno: group.volumeGroup.seqno)
  }

  private func refresh(_ state: inout State) throws -> VolumeJobResult {
    let group = try disks.group(id: volumeGroupID, slot: .committed, access: .readOnly)
    let planner = disks.planner(for: group)
    let devices = try state.mapper.devices().filter {
      $0.uuid.volumeGroup == group.volumeGroup.id
    }
    var reloads = planner.volumes(withDevicesAmong: devices.map(\.uuid)).map { name, top in
      LogicalVolumeReload(
        logicalVolume: name, outcome: refresh(name, top, planner, &state))
    }
    let known = Set(group.volumeGroup.logicalVolumes.map(\.id))
    for device in devices where !known.contains(device.uuid.logicalVolume) {
      reloads.append(
        LogicalVolumeReload(
          logicalVolume: device.name,
          outcome: .failed(
            "\(device.name) is active on this node, but its logical volume was removed")))
    }
    return .refreshed(reloads)
  }

  private func refresh(
    _ name: String, _ top: MappedDeviceUUID, _ planner: ActivationPlanner, _ state: inout State
  ) -> LogicalVolumeReload.Outcome {
    do {
      guard let device = try state.mapper.state(of: top) else { return .unchanged }
      let options = try state.mapper.options(for: name, device, planner)
      let plan = try planner.plan(named: name, options)
      let outcomes = try state.mapper.refresh([plan])
      return outcomes.allSatisfy { $0.change == .unchanged } ? .unchanged : .reloaded
    } catch {
      return .failed("\(planner.volumeGroup.name)/\(name): \(error)")
    }
  }
}
