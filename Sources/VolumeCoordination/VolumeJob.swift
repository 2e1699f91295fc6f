/// Blocking work on disks and devices that a machine asks the daemon to do on a worker thread.
///
/// Every job ends in exactly one `CoordinationInput.jobFinished`. A job must be idempotent: it
/// looks at the disk and the devices first and does what is missing, because a job that failed is
/// asked for again. Jobs of one volume group never overlap on one node, except `revert` with the
/// node's own `abandon`, which touch different things.
public enum VolumeJob: Hashable, Sendable {
  /// Coordinator: writes the new text to every metadata area and marks it precommitted
  /// (lvm2-metadata 3, steps 1 and 2). The text itself stays with the daemon, by the change's id.
  case writePrecommitted(VolumeChange)
  /// Participant: reads the precommitted metadata from the disks, checks that its seqno is the
  /// change's `newSeqno` and the committed one's is `oldSeqno`, and loads inactive tables. Active
  /// devices keep running on the live tables. For a refresh: from the committed metadata.
  case prepare(VolumeChange)
  /// Participant: suspends the devices, parents first. Activation: makes them, and remembers which
  /// were not there before. Deactivation: removes them.
  case suspend(VolumeChange)
  /// Coordinator: makes the precommitted text the committed one in every area (lvm2-metadata 3,
  /// step 4), and reads it back.
  case commit(VolumeChange)
  /// Participant: resumes on the new tables, children first; devices that are not suspended yet are
  /// suspended for that moment. Volumes that were removed lose their devices.
  case resume(VolumeChange)
  /// Participant: drops inactive tables and resumes on the old ones; undoes an activation or a
  /// deactivation.
  case abandon(VolumeChange)
  /// Participant that cannot resume: every active volume of the change that does not run on the
  /// committed mapping gets a table on which all I/O fails. Ends in `recovered` if in the end each
  /// of them could be brought onto it.
  case isolate(VolumeChange)
  /// Coordinator: clears the precommitted slot in every area.
  case revert(VolumeChange)
  /// Participant: reads the disks and follows them: the committed metadata decides which tables
  /// run, precommitted metadata counts for nothing; every device of the volume group that is
  /// suspended or has an inactive table is settled. `change` is nil when the daemon found leftovers
  /// of an earlier life, or when the node that asked for a reload is dead.
  case recover(volumeGroup: String, volumeGroupID: String, change: VolumeChange?)
  /// Reloads the devices of the volume group whose mapping differs from the committed metadata.
  case refresh(ReloadRequest)

  /// The UUID text of the volume group concerned.
  public var volumeGroupID: String {
    switch self {
    case .writePrecommitted(let change), .prepare(let change), .suspend(let change),
      .commit(let change), .resume(let change), .abandon(let change), .isolate(let change),
      .revert(let change):
      change.volumeGroupID
    case .recover(_, let volumeGroupID, _): volumeGroupID
    case .refresh(let request): request.volumeGroupID
    }
  }
}

/// How a job ended.
public enum VolumeJobResult: Equatable, Sendable {
  /// Success of every job that has no result of its own below.
  case done
  /// `commit`: at least one area holds the new metadata as committed; `staleAreas` names those
  /// that could not be written and still hold the old.
  case committed(staleAreas: [String])
  /// `commit`: an area may or may not hold the new metadata, and it could not be read back.
  /// (`failed` means that certainly no area does.)
  case commitUncertain(String)
  /// `recover`: the devices run on the metadata with this seqno.
  case recovered(seqno: UInt32)
  /// `refresh`: what became of each logical volume that had to be reloaded; and whether one that could not
  /// be is left suspended.
  case refreshed([LogicalVolumeReload], leavesSuspended: Bool = false)
  /// The reason in words for an administrator, without the node's name.
  case failed(String)
}
