import ClusterTypes

// What a participant does about a change whose coordinator was removed, where the record says how far
// the change had come (membership design, section 16).

extension ChangeParticipant {
  /// The record decides nothing any more of the change, so that it tells what the coordinator, dead or
  /// not, can still do. Where I/O is held, or volumes are half active, nobody has to wait for its
  /// fence: what is not recorded as being committed never will be, and what is committed is.
  ///
  /// A change that holds nothing waits for the fence, and so does one that is being committed: then
  /// the disk tells.
  mutating func outlive(
    _ id: VolumeRequestID, at step: RecordedStep, _ now: Timestamp
  ) -> [Effect] {
    guard removed.contains(id.origin) || isOrphan(id), let open = openChange(withID: id),
      let change = open.change, change.kind.leavesOldMappingFirst
    else { return [] }
    switch step {
    case .begun, .suspending: return goBack(open, change)
    case .committed: return goForward(open, change, at: now)
    case .committing, .over: return []
    }
  }

  private mutating func goBack(_ open: OpenChange, _ change: VolumeChange) -> [Effect] {
    var open = open
    defer { activities[open.volumeGroupID] = .change(open) }
    let report = Effect.report("\(open.name): its coordinator is gone and will not commit it.")
    switch open.state {
    case .prepared, .suspended, .refused:
      open.state = .running(.abandon, then: .none)
      return [report, .runJob(.abandon(change))]
    case .running(let job, then: .none) where job == .prepare || job == .suspend:
      open.state = .running(job, then: .abandon)
      return [report]
    case .running, .retrying: return []
    }
  }

  private mutating func goForward(
    _ open: OpenChange, _ change: VolumeChange, at now: Timestamp
  ) -> [Effect] {
    // Everybody had confirmed this step before the commit.
    guard case .suspended = open.state else { return [] }
    var open = open
    open.state = .running(.resume, then: .none)
    open.suspendedAt = open.suspendedAt ?? now
    open.resumedAt = now
    activities[open.volumeGroupID] = .change(open)
    return [
      .report("\(open.name): its coordinator is gone, and the change is committed."),
      .runJob(.resume(change)),
    ]
  }
}
