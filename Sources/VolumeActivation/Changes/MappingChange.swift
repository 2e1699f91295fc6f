/// A change of the tables of active volumes, in the steps in which a cluster takes it.
///
/// All tables are loaded before the first device is suspended, all devices are suspended before
/// the first one resumes; loads and resumes go from the lower devices of a stack to the upper ones,
/// suspends the other way (dm-activation, sections 4 and 5). Between the steps the caller commits
/// the metadata, or not:
///
///     var change = try MappingChange(preparing: volumes, on: &mapper)  // metadata precommitted
///     try change.suspend(on: &mapper)                                 // I/O is held
///     // … the metadata is committed …
///     let outcomes = try change.resume(on: &mapper)                   // or change.abandon(on:)
///
/// Preparing and suspending change nothing when they throw. Resuming and abandoning go on over
/// failures, so that as few devices as possible stay suspended, and may be repeated.
///
/// Lower devices that grow are put into service while preparing, because the load of the tables
/// above checks their size; an abandoned change puts their old tables back.
public struct MappingChange: Sendable {
  public enum Step: String, Hashable, Sendable {
    case prepared
    case suspended
    case resumed
    case abandoned
  }

  /// What the tables are made from.
  enum Basis: Sendable {
    /// Metadata that may still be taken back.
    case precommitted
    /// Metadata that is in force: thin pools may be told of it at once.
    case committed
  }

  public private(set) var step: Step
  private let plans: [PlannedVolume]
  /// Those below before those above.
  private var members: [ChangedDevice] = []
  private var positions: [MappedDeviceUUID: Int] = [:]
  /// What lay directly below the changed devices before.
  private var former: Set<DeviceNumber> = []

  /// Loads the planned tables of every volume that is active here and differs from its plan, and
  /// makes the devices that it lacks.
  ///
  /// Volumes that are not active here are left out. Inactive tables left behind by somebody else
  /// are dropped. A volume that is active read-only by request must be planned so again, or it
  /// becomes writable.
  public init(
    preparing plans: [PlannedVolume], on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    var active: [PlannedVolume] = []
    for plan in plans {
      let state = try attempt(plan.volume) { () throws(DeviceMapperError) in
        try mapper.state(of: plan.uuid)
      }
      if let state, state.hasLiveTable { active.append(plan) }
    }
    try self.init(active, .precommitted, leftovers: .refused, on: &mapper)
  }

  /// The same for volumes that need not be active yet.
  init(
    _ plans: [PlannedVolume], _ basis: Basis, leftovers: ChangedDevice.Leftovers,
    on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    step = .prepared
    self.plans = plans
    do {
      try load(basis, leftovers, on: &mapper)
    } catch {
      throw error.afterUndo(leaving: undo(on: &mapper))
    }
  }

  /// Leads a volume to committed metadata from wherever a crash has left its devices. What is done
  /// until an error is not undone: it is no worse than what was found.
  init(
    recovering plan: PlannedVolume, on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    step = .prepared
    plans = [plan]
    try load(.precommitted, .accepted, on: &mapper)
  }

  /// The volumes taking part, `VG/LV`: those active on this machine.
  public var volumes: [String] { plans.map(\.volume) }

  /// What resuming has done so far.
  public var outcomes: [VolumeOutcome] { plans.map { outcome(of: $0) } }

  // MARK: - Preparing

  private mutating func load(
    _ basis: Basis, _ leftovers: ChangedDevice.Leftovers, on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    var parents: Set<MappedDeviceUUID> = []
    for plan in plans {
      for device in plan.devices { parents.formUnion(device.children) }
    }
    var numbers = DeviceNumbers()
    var lateIfExtended: Set<MappedDeviceUUID> = []
    for plan in plans {
      for device in plan.devices where positions[device.uuid] == nil {
        if try isUncheckedAndNew(device, on: &mapper) {
          try attempt(device.volume) { () throws(DeviceMapperError) in
            // The program opens the device by its node.
            try mapper.settle()
            if let check = device.check { try mapper.check(check) }
          }
        }
        var member = try ChangedDevice(
          loading: device, numbers: numbers, leftovers: leftovers, on: &mapper)
        numbers.set(member.number, of: device.uuid)
        if device.resumption == .lateIfExtended
          || device.children.contains(where: { lateIfExtended.contains($0) })
        {
          lateIfExtended.insert(device.uuid)
        }
        positions[device.uuid] = members.count
        members.append(member)
        let isLate =
          member.oldSize == 0
          ? device.resumption == .lateIfNew : lateIfExtended.contains(device.uuid)
        let serving =
          parents.contains(device.uuid) && member.hasGrown && !isLate
        try attempt(device.volume) { () throws(DeviceMapperError) in
          if member.isLoaded, member.oldSize > 0 {
            former.formUnion(try mapper.dependencies(of: device.uuid))
          }
          if serving { try member.resumeEarly(on: &mapper) }
          try Self.tell(&member, basis, on: &mapper)
        }
        members[members.count - 1] = member
      }
    }
  }

  /// A pool's metadata is checked once, before the kernel is given it.
  private func isUncheckedAndNew(
    _ device: PlannedDevice, on mapper: inout some DeviceMapping
  ) throws(ActivationError) -> Bool {
    guard device.check != nil else { return false }
    return try attempt(device.volume) { () throws(DeviceMapperError) in
      try mapper.state(of: device.uuid)
    } == nil
  }

  /// A pool that serves already is told of committed metadata at once: the loads of new thin
  /// volumes depend on it.
  private static func tell(
    _ member: inout ChangedDevice, _ basis: Basis, on mapper: inout some DeviceMapping
  ) throws(DeviceMapperError) {
    if case .committed = basis, !member.isLoaded { try member.tell(on: &mapper) }
  }

  // MARK: - Suspending and resuming

  /// Holds the I/O of every volume that has a new table somewhere in its stack.
  public mutating func suspend(
    on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    try suspend(includingUnchanged: false, on: &mapper)
  }

  /// - Parameter includingUnchanged: whether the I/O of all others is held, too: somebody wants it
  ///   still.
  public mutating func suspend(
    includingUnchanged: Bool, on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    guard step == .prepared else { throw .wrongStep(asked: "suspended", reached: step) }
    step = .suspended
    let modes = suspendModes(includingUnchanged: includingUnchanged)
    for index in members.indices.reversed() {
      guard let mode = modes[index] else { continue }
      do {
        try members[index].suspend(mode, on: &mapper)
      } catch {
        let first = ActivationError.deviceMapper(error, volume: members[index].plan.volume)
        throw first.afterUndo(leaving: undo(on: &mapper))
      }
    }
  }

  /// Like `suspend`, but leaves what is suspended suspended when it fails.
  mutating func suspendForRecovery(
    on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    step = .suspended
    let modes = suspendModes(includingUnchanged: false)
    for index in members.indices.reversed() {
      guard let mode = modes[index] else { continue }
      let volume = members[index].plan.volume
      try attempt(volume) { () throws(DeviceMapperError) in
        try members[index].suspend(mode, on: &mapper)
      }
    }
  }

  /// By the index of the member; whole stacks are suspended, unchanged parts included, so that no
  /// I/O is on its way through them. Of two stacks that share a device the more careful one decides.
  private func suspendModes(includingUnchanged: Bool) -> [Int: SuspendMode] {
    var modes: [Int: SuspendMode] = [:]
    for plan in plans {
      let indexes = plan.devices.compactMap { positions[$0.uuid] }
      guard includingUnchanged || indexes.contains(where: { needsSuspend(members[$0]) }) else {
        continue
      }
      let mode = suspendMode(of: plan, indexes)
      for index in indexes { modes[index] = max(mode, modes[index] ?? mode) }
    }
    return modes
  }

  private func needsSuspend(_ member: ChangedDevice) -> Bool {
    if case .unchanged = member.table { member.isNew || member.hasUntoldMessages } else { true }
  }

  /// dm-activation, section 6.
  private func suspendMode(of plan: PlannedVolume, _ indexes: [Int]) -> SuspendMode {
    let changed = indexes.map { members[$0] }.filter { member in
      if case .unchanged = member.table { false } else { !member.isNew }
    }
    let shrinks = changed.contains { $0.plan.table.sectorCount < $0.oldSize }
    let grows = changed.contains { $0.plan.table.sectorCount > $0.oldSize }
    switch plan.kind {
    case .origin: return .freezeAndFlush
    case .ordinary: return .flush
    case .mirror: return shrinks || grows ? .flush : .withoutFlush
    case .thin, .thinPool:
      if indexes.contains(where: { members[$0].hasUntoldMessages }) { return .freezeAndFlush }
      return shrinks ? .flush : .withoutFlush
    }
  }

  /// Puts the new tables into service and lets I/O through; to be called once the metadata that
  /// the tables were made from is committed.
  ///
  /// - Throws: `incomplete` when some devices could not be resumed: they hold their I/O until this
  ///   is repeated. `nodesUnsettled` when all are resumed but their nodes in /dev may be stale.
  public mutating func resume(
    on mapper: inout some DeviceMapping
  ) throws(ActivationError) -> [VolumeOutcome] {
    guard step == .suspended else { throw .wrongStep(asked: "resumed", reached: step) }
    return try finish(on: &mapper)
  }

  /// Resumes from the lower devices to the upper ones.
  mutating func finish(
    on mapper: inout some DeviceMapping
  ) throws(ActivationError) -> [VolumeOutcome] {
    var failures: [VolumeFailure] = []
    for index in members.indices {
      do {
        try members[index].resume(on: &mapper)
      } catch {
        failures.append(VolumeFailure(volume: members[index].plan.volume, error: error))
      }
    }
    guard failures.isEmpty else { throw .incomplete(failures) }
    step = .resumed
    removeFormer(on: &mapper)
    try mapper.settleNodes()
    return outcomes
  }

  /// Takes away layers that nothing uses any more. What cannot be removed does no harm.
  private mutating func removeFormer(on mapper: inout some DeviceMapping) {
    former.subtract(members.map(\.number))
    former.subtract(members.flatMap(\.plan.physicalNumbers))
    guard let group = plans.first?.uuid.volumeGroup, !former.isEmpty else { return }
    let kept = Set(positions.keys)
    _ = try? mapper.removeUnused(former, of: group) { device in
      !kept.contains(device.uuid) && device.isLayer
    }
    former = []
  }

  /// What became of a volume as a whole.
  private func outcome(of plan: PlannedVolume) -> VolumeOutcome {
    let indexes = plan.devices.compactMap { positions[$0.uuid] }
    guard let top = positions[plan.uuid] else {
      return VolumeOutcome(volume: plan.volume, change: .unchanged, oldSize: 0, newSize: 0)
    }
    let oldSize = members[top].oldSize
    let isSwapped = indexes.contains { members[$0].isSwapped }
    let change: VolumeOutcome.Change =
      if oldSize == 0 && members[top].isSwapped {
        .activated
      } else if isSwapped {
        .reloaded
      } else {
        indexes.contains { members[$0].wasRenamed } ? .renamed : .unchanged
      }
    return VolumeOutcome(
      volume: plan.volume, change: change, oldSize: oldSize,
      newSize: members[top].isSwapped ? plan.table.sectorCount : oldSize)
  }

  /// Whether a leftover of somebody else was put away.
  var wasCleaned: Bool { members.contains { $0.wasCleaned } }

  // MARK: - Undo

  /// Drops the new tables and lets I/O through on the old ones.
  ///
  /// - Throws: `incomplete` when a table could not be dropped; the device then holds its I/O,
  ///   because it must not run on a table that the metadata does not describe.
  public mutating func abandon(on mapper: inout some DeviceMapping) throws(ActivationError) {
    guard step != .resumed else { throw .wrongStep(asked: "abandoned", reached: step) }
    let failures = undo(on: &mapper)
    guard failures.isEmpty else { throw .incomplete(failures) }
    try mapper.settleNodes()
  }

  /// First no new table may be left that a resume would put into service; then I/O goes on, from the
  /// lower devices to the upper ones; then what grew early shrinks back, and what is new goes.
  private mutating func undo(on mapper: inout some DeviceMapping) -> [VolumeFailure] {
    var failures: [VolumeFailure] = []
    for index in members.indices.reversed() {
      Self.undo(&members[index], &failures) { member throws(DeviceMapperError) in
        try member.clear(on: &mapper)
      }
    }
    for index in members.indices {
      Self.undo(&members[index], &failures) { member throws(DeviceMapperError) in
        try member.release(on: &mapper)
      }
    }
    for index in members.indices.reversed() {
      Self.undo(&members[index], &failures) { member throws(DeviceMapperError) in
        try member.restore(on: &mapper)
        try member.remove(on: &mapper)
      }
    }
    if failures.isEmpty { step = .abandoned }
    return failures
  }

  private static func undo(
    _ member: inout ChangedDevice, _ failures: inout [VolumeFailure],
    _ body: (inout ChangedDevice) throws(DeviceMapperError) -> Void
  ) {
    do {
      try body(&member)
    } catch {
      failures.append(VolumeFailure(volume: member.plan.volume, error: error))
    }
  }
}

extension DeviceMapping {
  /// Changes the active ones among `plans` in one go, from committed metadata.
  public mutating func refresh(
    _ plans: [PlannedVolume]
  ) throws(ActivationError) -> [VolumeOutcome] {
    var change = try MappingChange(preparing: plans, on: &self)
    try change.suspend(on: &self)
    return try change.resume(on: &self)
  }
}
