import BlockDevices
import DeviceMapper
import Glibc
import LVMFrontends
import LVMMetadata
import LVMSystemDirectory
import Synchronization
import VolumeActivation

/// The devices of one volume group under LVM 2.02's commands (clvmd-socket spec, section 11).
///
/// A suspend loads what the precommitted metadata says into the inactive tables, and holds the I/O.
/// The resume asks the disk which metadata counts and puts those tables into service, or drops them.
final class ClusteredGroup: Sendable {
  typealias WorkResult = ClusterLockingMachine.WorkResult
  typealias Operation = ClusterLockingRequest.VolumeOperation

  /// What a command is carried out with, read for this command.
  struct Context: Sendable {
    let disks: SharedDisks
    let configuration: LVMConfiguration
    let lists: ActivationLists

    /// The group of a volume, if LVM 2.02 may use it.
    func group(of volume: VolumeIdentity) throws -> ScannedVolumeGroup {
      guard let group = disks.group(id: volume.group) else {
        throw VolumeRefusal("Reading VG not found for LVID \(volume)")
      }
      try Self.checkAccess(group.volumeGroup)
      return group
    }

    static func checkAccess(_ group: VolumeGroup) throws {
      guard let lockType = group.lockType else { return }
      throw VolumeRefusal(
        "Volume group \(group.name) is shared by lvmlockd's rules (\(lockType)): clvmd does not "
          + "touch its volumes for LVM 2.02")
    }

    func planner(_ group: ScannedVolumeGroup) -> ActivationPlanner {
      ActivationPlanner(
        group.volumeGroup, devices: group.physicalVolumeDevices,
        hostSystemID: HostSystemID(configuration).value, acceptingClustered: true)
    }
  }

  /// What a suspend has prepared, until its resume.
  private struct Suspension {
    var mapping: MappingChange
    /// The volumes' own devices.
    let devices: [MappedDeviceUUID]
    let oldSeqno: UInt32
    let newSeqno: UInt32
    /// The names of the group, old and new.
    let names: Set<String>
    /// Where its metadata is.
    let physicalVolumes: [String]
  }

  private struct State {
    var mapper = LibraryDeviceMapper()
    /// By the volume that the command named.
    var suspensions: [VolumeIdentity: Suspension] = [:]

    func suspension(covering device: MappedDeviceUUID) -> Suspension? {
      suspensions.values.first { $0.devices.contains(device) }
    }
  }

  private let id: LVMIdentifier
  private let state = Mutex(State())

  init(id: LVMIdentifier) { self.id = id }

  // MARK: - Activation

  func activate(
    _ volume: VolumeIdentity, _ operation: Operation, _ context: Context
  ) throws -> WorkResult {
    let group = try context.group(of: volume)
    let planner = context.planner(group)
    guard let described = group.volumeGroup.logicalVolume(id: volume.volume),
      let top = planner.topDevices(ofVolumeNamed: described.name)?.first
    else { throw VolumeRefusal("Reading VG not found for LVID \(volume)") }
    return try state.withLock { state in
      if let present = try state.mapper.state(of: top), present.hasLiveTable {
        // Its resume, which is to come, or that of what it is a part of, makes it what it shall be.
        if state.suspension(covering: top) == nil {
          if present.isSuspended {
            try recover(planner, &state)
          } else {
            try state.mapper.takeNewName(described.name, present, planner)
          }
        }
        return WorkResult(isActive: true)
      }
      let plan = try plan(described, operation, planner, context)
      guard plan.mayBeShared || operation.kind == .activateExclusive || !operation.isClustered
      else { throw VolumeRefusal(Self.mustBeExclusive(plan)) }
      _ = try state.mapper.activate(plan)
      return WorkResult(isActive: true, isChanged: true)
    }
  }

  private static func mustBeExclusive(_ plan: PlannedVolume) -> String {
    plan.isMirror
      ? "Shared cluster mirrors are not available."
      : "Logical volume \(plan.volume) can be active on one node only: activate it exclusively"
  }

  private func plan(
    _ volume: LogicalVolume, _ operation: Operation, _ planner: ActivationPlanner,
    _ context: Context
  ) throws -> PlannedVolume {
    var options = options(operation, context)
    options.isReadOnly = context.lists.isReadOnly(volume, of: planner.volumeGroup)
    switch planner.attempt(volume.name, options) {
    case .success(let plan): return plan
    case .failure(let refusal) where refusal.isMissingDevice:
      throw VolumeRefusal(
        "Refusing activation of partial LV \(planner.volumeGroup.name)/\(volume.name).  "
          + "Use '--activationmode partial' to override.")
    case .failure(let refusal): throw refusal
    }
  }

  private func options(_ operation: Operation, _ context: Context) -> ActivationOptions {
    var options = ActivationOptions()
    let mode = context.configuration.string("activation/activation_mode")
    options.mode = mode.flatMap { ActivationOptions.Mode(rawValue: $0) } ?? .degraded
    if operation.options.contains(.partial) { options.mode = .partial }
    // The command knows: it puts a layer into a mirror, for one.
    options.mayBeHidden = true
    if let threshold = context.configuration.integer("activation/thin_pool_autoextend_threshold") {
      options.thinPoolThreshold = UInt64(min(max(threshold, 50), 100))
    }
    return options
  }

  func deactivate(_ volume: VolumeIdentity, _ context: Context) throws -> WorkResult {
    var name = volume.device.text
    var devices = [volume.device]
    // What is active may be deactivated although its metadata is gone.
    if let group = context.disks.group(id: id),
      let described = group.volumeGroup.logicalVolume(id: volume.volume)
    {
      let planner = context.planner(group)
      name = "\(group.volumeGroup.name)/\(described.name)"
      devices = planner.topDevices(ofVolumeNamed: described.name) ?? devices
    }
    return try state.withLock { state in
      let outcome = try deactivate(devices, name, &state)
      return WorkResult(isChanged: outcome.change == .deactivated)
    }
  }

  /// Waits a while for whoever has the device open only for a moment.
  private func deactivate(
    _ devices: [MappedDeviceUUID], _ name: String, _ state: inout State
  ) throws -> VolumeOutcome {
    var attempt = 1
    while true {
      do {
        return try state.mapper.deactivate(devices, volume: name)
      } catch {
        guard case .inUse = error else { throw error }
        let numbers = try devices.compactMap { try state.mapper.state(of: $0)?.device.number }
        switch numbers.lazy.compactMap({ DeviceUse.lasting(of: $0) }).first {
        case .holders?: throw VolumeRefusal("Logical volume \(name) is used by another device.")
        case .mounted?:
          throw VolumeRefusal("Logical volume \(name) contains a filesystem in use.")
        case nil:
          guard attempt < DeviceUse.attemptCount else {
            throw VolumeRefusal("Logical volume \(name) in use.")
          }
          attempt += 1
          usleep(DeviceUse.pauseMicroseconds)
        }
      }
    }
  }

  // MARK: - Suspend

  func suspend(
    _ volume: VolumeIdentity, _ operation: Operation, _ context: Context
  ) throws -> WorkResult {
    guard let old = context.disks.group(id: id) else {
      throw VolumeRefusal("lv_suspend could not read vgid \(volume.description.prefix(8))")
    }
    try Context.checkAccess(old.volumeGroup)
    let members = old.members.compactMap { $0.scanned?.device.name }
    guard let new = context.disks.group(id: id, onDevicesNamed: members, slot: .precommitted) else {
      throw VolumeRefusal("lv_suspend could not read vgid \(volume.description.prefix(8))")
    }
    return try state.withLock { state in
      if state.suspensions[volume] != nil { return WorkResult(isActive: true) }
      let planner = context.planner(new)
      let names = Self.affected(volume, context.planner(old), planner)
      var plans: [PlannedVolume] = []
      var isSuspended = false
      for name in names {
        guard let top = planner.topDevices(ofVolumeNamed: name)?.first,
          let device = try state.mapper.state(of: top), device.hasLiveTable
        else { continue }
        // Somebody's unfinished change, or another volume's suspend that covers this one.
        if device.isSuspended {
          isSuspended = true
          continue
        }
        plans.append(
          try replan(name, device, operation, (context.planner(old), planner), context, &state))
      }
      guard !plans.isEmpty else { return WorkResult(isActive: isSuspended) }
      var mapping = try MappingChange(preparing: plans, on: &state.mapper)
      // Messages to a thin pool need no suspend of all its volumes.
      let isForPoolOnly =
        operation.options.contains(.originOnly) && plans.contains(where: \.isThinPool)
      try mapping.suspend(includingUnchanged: !isForPoolOnly, on: &state.mapper)
      state.suspensions[volume] = Suspension(
        mapping: mapping, devices: plans.map(\.uuid), oldSeqno: old.volumeGroup.seqno,
        newSeqno: new.volumeGroup.seqno, names: [old.volumeGroup.name, new.volumeGroup.name],
        physicalVolumes: members)
      return WorkResult(isActive: true, isChanged: true)
    }
  }

  /// The volumes, as users see them, that change with this one: by the old metadata and by the new.
  private static func affected(
    _ volume: VolumeIdentity, _ old: ActivationPlanner, _ new: ActivationPlanner
  ) -> [String] {
    var names: [String] = []
    for planner in [old, new] {
      guard let name = planner.volumeGroup.logicalVolume(id: volume.volume)?.name else { continue }
      for affected in planner.volumeNames(affectedBy: [name]) {
        guard let id = planner.volumeGroup.logicalVolume(named: affected)?.id,
          let renamed = new.volumeGroup.logicalVolume(id: id)?.name, !names.contains(renamed)
        else { continue }
        names.append(renamed)
      }
      // A snapshot that becomes a volume of its own, or stops being one.
      for snapshot in planner.topDevices(ofVolumeNamed: name) ?? [] {
        guard let renamed = new.volumeGroup.logicalVolume(id: snapshot.logicalVolume)?.name,
          new.volumeNames.contains(renamed), !names.contains(renamed)
        else { continue }
        names.append(renamed)
      }
    }
    return names
  }

  /// How an active volume is to be after the change. One that was complete must not become partial
  /// because this node does not see a physical volume.
  private func replan(
    _ name: String, _ device: MappedDeviceState, _ operation: Operation,
    _ planners: (old: ActivationPlanner, new: ActivationPlanner), _ context: Context,
    _ state: inout State
  ) throws -> PlannedVolume {
    var options = try state.mapper.options(for: name, device, planners.new)
    if options.merge == .pending,
      try state.mapper.mayBeginMerge(into: name, device, planners.new)
    {
      options.merge = .running
    }
    // The command may be about this very permission.
    options.isReadOnly =
      planners.new.volumeGroup.logicalVolume(named: name).map {
        context.lists.isReadOnly($0, of: planners.new.volumeGroup)
      } ?? false
    if !operation.options.contains(.partial) { options.mode = .degraded }
    switch planners.new.attempt(name, options) {
    case .success(let plan): return plan
    case .failure(let refusal) where !refusal.isMissingDevice: throw refusal
    case .failure:
      let id = device.device.uuid.logicalVolume
      if let oldName = planners.old.volumeGroup.logicalVolume(id: id)?.name,
        (try? planners.old.plan(named: oldName, options)) == nil
      {
        options.mode = .partial
        return try planners.new.plan(named: name, options)
      }
      throw VolumeRefusal(
        "Aborting.  LV \(planners.new.volumeGroup.name)/\(name) is now incomplete and "
          + "'--activationmode partial' was not specified.")
    }
  }

  // MARK: - Resume

  /// - Parameter notice: what lvm said last about the metadata of a group; only of use when the disk
  ///   does not say it.
  func resume(
    _ volume: VolumeIdentity, _ operation: Operation, _ context: Context,
    notice: @Sendable (String) -> ClusterLockingRequest.CacheAction.Kind?
  ) throws -> WorkResult {
    try state.withLock { state in
      if var suspension = state.suspensions[volume] {
        try finish(&suspension, operation, context, notice, &state)
        state.suspensions[volume] = nil
      } else if state.suspensions.isEmpty, try isLeftSuspended(volume, &state) {
        try recover(context.planner(try context.group(of: volume)), &state)
      }
      return WorkResult(isActive: try isActive(volume, context, &state))
    }
  }

  private func finish(
    _ suspension: inout Suspension, _ operation: Operation, _ context: Context,
    _ notice: @Sendable (String) -> ClusterLockingRequest.CacheAction.Kind?, _ state: inout State
  ) throws {
    let found = context.disks.group(id: id, onDevicesNamed: suspension.physicalVolumes)
    let isCommitted: Bool
    if let found {
      isCommitted = found.volumeGroup.seqno >= suspension.newSeqno
    } else if operation.options.contains(.revert) {
      isCommitted = false
    } else if let kind = suspension.names.lazy.compactMap(notice).first {
      isCommitted = kind == .commit
    } else {
      throw VolumeRefusal(
        "The metadata cannot be read: the volume stays suspended until it can, or until the "
          + "command says what counts")
    }
    // The disk is the truth, also against a client that says it has reverted.
    if isCommitted {
      try settling { () throws(ActivationError) in
        _ = try suspension.mapping.resume(on: &state.mapper)
      }
    } else {
      try settling { () throws(ActivationError) in
        try suspension.mapping.abandon(on: &state.mapper)
      }
    }
    // Something else was committed than what was prepared.
    if let found, found.volumeGroup.seqno > suspension.newSeqno,
      state.suspensions.count == 1
    {
      try recover(context.planner(found), &state)
    }
  }

  /// I/O runs as it should; only links in /dev may be late.
  private func settling(_ body: () throws(ActivationError) -> Void) throws {
    do {
      try body()
    } catch {
      guard case .nodesUnsettled = error else { throw error }
    }
  }

  /// Suspended, and no suspend of this life accounts for it.
  private func isLeftSuspended(_ volume: VolumeIdentity, _ state: inout State) throws -> Bool {
    guard let device = try state.mapper.state(of: volume.device), device.isSuspended else {
      return false
    }
    return state.suspension(covering: volume.device) == nil
  }

  private func isActive(
    _ volume: VolumeIdentity, _ context: Context, _ state: inout State
  ) throws -> Bool {
    if let device = try state.mapper.state(of: volume.device) { return device.hasLiveTable }
    // An unused thin pool's device has a suffix.
    return try state.mapper.devices().contains {
      $0.uuid.volumeGroup == volume.group && $0.uuid.logicalVolume == volume.volume
    }
  }

  // MARK: - Recovery

  func recover(_ context: Context) throws {
    try state.withLock { state in
      guard let group = context.disks.group(id: id) else {
        throw VolumeRefusal("the volume group with id \(id) is not on any disk of this node")
      }
      try recover(context.planner(group), &state)
    }
  }

  private func recover(_ planner: ActivationPlanner, _ state: inout State) throws {
    let problems = try state.mapper.recover(planner).compactMap { recovery -> String? in
      switch recovery.outcome {
      case .unchanged, .cleaned, .reloaded, .removed, .leftAlone(_, isSuspended: false): nil
      case .failing: "\(recovery.volume) is gone from the metadata and open: its I/O fails now"
      case .leftAlone(let refusal, isSuspended: true): "\(recovery.volume) is suspended: \(refusal)"
      case .failed(let error): "\(recovery.volume): \(error)"
      }
    }
    guard problems.isEmpty else { throw VolumeRefusal(problems.joined(separator: "; ")) }
  }
}

extension ActivationPlanner {
  fileprivate func attempt(
    _ name: String, _ options: ActivationOptions
  ) -> Result<PlannedVolume, ActivationRefusal> {
    Result { () throws(ActivationRefusal) in try plan(named: name, options) }
  }
}
