/// What coordinators and participants say to each other.
public enum CoordinationMessage: Equatable, Sendable {
  // Coordinator to participant.
  case prepare(VolumeChange)
  case suspend(VolumeRequestID)
  /// The change is committed: run on the new mapping.
  case resume(VolumeRequestID)
  /// The change will never be committed: run on the old mapping. All of it is named again, so
  /// that a participant that has not heard of it yet can refuse a `prepare` that comes late.
  case abandon(VolumeChange)

  // Participant to coordinator.
  case prepared(VolumeRequestID)
  case suspended(VolumeRequestID)
  case resumed(VolumeRequestID, suspendedMilliseconds: UInt64)
  case abandoned(VolumeRequestID, suspendedMilliseconds: UInt64)
  /// The step asked for was not done, or undone; the participant waits for `abandon`.
  case refused(VolumeRequestID, reason: String)
  /// `resume` or `abandon` failed and is tried again by the participant itself.
  case delayed(VolumeRequestID, reason: String)
  /// `resume` failed for too long, and the volumes concerned fail all I/O on this node from now on:
  /// nothing is left here that the change has to wait for.
  case stranded(VolumeRequestID, reason: String)

  // Reload, to and fro.
  case reload(ReloadRequest)
  case reloaded(VolumeRequestID, [LogicalVolumeReload])
  case reloadFailed(VolumeRequestID, reason: String)
}
