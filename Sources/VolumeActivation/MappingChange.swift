/// A change of the tables of active volumes, in the steps in which a cluster takes it.
///
/// All tables are loaded before the first device is suspended, all devices are suspended before
/// the first one resumes (dm-activation 4 and 5). Between the steps the caller commits the
/// metadata, or not:
///
///     var change = try MappingChange(preparing: volumes, on: &mapper)  // metadata precommitted
///     try change.suspend(on: &mapper)                                 // I/O is held
///     // … the metadata is committed …
///     let outcomes = try change.resume(on: &mapper)                   // or change.abandon(on:)
///
/// Preparing and suspending change nothing when they throw. Resuming and abandoning go on over
/// failures, so that as few devices as possible stay suspended, and may be repeated.
public struct MappingChange: Sendable {
  public enum Step: String, Hashable, Sendable {
    case prepared
    case suspended
    case resumed
    case abandoned
  }

  public private(set) var step: Step
  private var members: [ChangedVolume] = []

  /// Loads the planned table of every volume that is active here and differs from its plan.
  ///
  /// Volumes that are not active here are left out. Inactive tables left behind by somebody else
  /// are dropped. A volume that is active read-only by request must be planned so again, or it
  /// becomes writable.
  public init(
    preparing plans: [PlannedVolume], on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    step = .prepared
    do {
      for plan in plans {
        guard let member = try ChangedVolume(loading: plan, on: &mapper) else { continue }
        members.append(member)
      }
    } catch {
      throw error.afterUndo(leaving: undo(on: &mapper))
    }
  }

  /// The volumes taking part, `VG/LV`: those active on this machine.
  public var volumes: [String] { members.map(\.plan.volume) }

  /// What resuming has done so far.
  public var outcomes: [VolumeOutcome] { members.map(\.outcome) }

  /// Holds the I/O of every volume that has a new table.
  public mutating func suspend(
    on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    guard step == .prepared else { throw .wrongStep(asked: "suspended", reached: step) }
    step = .suspended
    for index in members.indices {
      do {
        try members[index].suspend(on: &mapper)
      } catch {
        let first = ActivationError.deviceMapper(error, volume: members[index].plan.volume)
        throw first.afterUndo(leaving: undo(on: &mapper))
      }
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
    try mapper.settleNodes()
    return outcomes
  }

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

  private mutating func undo(on mapper: inout some DeviceMapping) -> [VolumeFailure] {
    var failures: [VolumeFailure] = []
    for index in members.indices {
      do {
        try members[index].drop(on: &mapper)
      } catch {
        failures.append(VolumeFailure(volume: members[index].plan.volume, error: error))
      }
    }
    if failures.isEmpty { step = .abandoned }
    return failures
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
