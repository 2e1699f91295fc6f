import ClusterTypes
import LVMMetadata
import VolumeActivation
import VolumeCoordination

/// What the jobs of `VolumeCoordination` do to the disks and the mapped devices of one node, for one
/// volume group. The daemon runs it over real ones, the simulation over those in memory.
///
/// Everything is read from the disk anew for each job. What must survive from one step of a change to
/// the next - which text was precommitted, which devices hold its tables - is kept here, by the
/// change's id.
public struct VolumeGroupJobs<Mapper: DeviceMapping, Disks: VolumeGroupDisks> {
  struct Coordinated {
    let id: VolumeRequestID
    var commit: MetadataCommit
    let text: MetadataText
    /// The group's name before the change.
    let oldName: String
  }

  public var mapper: Mapper
  let disks: Disks
  let volumeGroupID: String
  var coordinated: Coordinated?
  var prepared: PreparedChange?
  /// A preparation failed and could not be undone: the disk has to be followed.
  var isUnsettled = false

  /// - Parameter volumeGroupID: the group's UUID as text.
  public init(mapper: Mapper, disks: Disks, volumeGroupID: String) {
    self.mapper = mapper
    self.disks = disks
    self.volumeGroupID = volumeGroupID
  }

  /// Does a job and says how it ended; never throws, because whoever asked must hear.
  ///
  /// - Parameter text: the new metadata, for `writePrecommitted` only.
  public mutating func run(_ job: VolumeJob, text: MetadataText? = nil) -> VolumeJobResult {
    do {
      switch job {
      case .writePrecommitted(let change): return try writePrecommitted(change, text)
      case .prepare(let change): return try prepareOrUndo(change)
      case .suspend(let change): return try suspend(change)
      case .commit(let change): return commit(change)
      case .resume(let change): return try resume(change)
      case .abandon(let change): return try abandon(change)
      case .isolate(let change): return try isolate(change)
      case .revert(let change): return revert(change)
      case .recover(_, _, let change): return try recover(after: change)
      case .refresh: return try refresh()
      }
    } catch {
      return .failed("\(error)")
    }
  }

  // MARK: - The coordinator's side

  private mutating func writePrecommitted(
    _ change: VolumeChange, _ text: MetadataText?
  ) throws -> VolumeJobResult {
    guard let text else {
      throw VolumeJobError("the text of \(change) is unknown to this life of the daemon")
    }
    let group = try disks.group(id: volumeGroupID, slot: .committed, isWritable: true)
    guard group.volumeGroup.seqno == change.oldSeqno else {
      throw VolumeJobError(
        "VG \(change.volumeGroup) was changed meanwhile: it has seqno \(group.volumeGroup.seqno), "
          + "not \(change.oldSeqno)")
    }
    try disks.archive(group.volumeGroup, before: text)
    var commit = try MetadataCommit(from: group, to: text)
    try commit.write()
    try commit.precommit()
    coordinated = Coordinated(
      id: change.id, commit: commit, text: text, oldName: group.volumeGroup.name)
    return .done
  }

  private mutating func commit(_ change: VolumeChange) -> VolumeJobResult {
    guard coordinated?.id == change.id, let outcome = coordinated?.commit.commit(),
      let done = coordinated
    else {
      return commitFound(change, "its outcome was unknown")
    }
    coordinated = nil
    switch outcome {
    case .everywhere, .partly: disks.backUp(done.text, replacing: done.oldName)
    case .takenBack, .unknown: break
    }
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
      let group = try disks.group(id: volumeGroupID, slot: .committed, isWritable: false)
      if group.volumeGroup.seqno >= change.newSeqno { return .committed(staleAreas: [reason]) }
      return group.warnings.isEmpty
        ? .failed("the metadata could not be committed: \(reason)") : .commitUncertain(reason)
    } catch {
      return .commitUncertain("\(reason); \(error)")
    }
  }

  private mutating func revert(_ change: VolumeChange) -> VolumeJobResult {
    guard coordinated?.id == change.id else { return .done }
    let failures = coordinated?.commit.revert() ?? []
    coordinated = nil
    // Readers ignore what could not be taken back, and the next change overwrites it.
    return failures.isEmpty
      ? .done : .failed(failures.map(\.description).joined(separator: "; "))
  }
}
