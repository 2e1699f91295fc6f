import ClusterTypes

/// What must hold at every moment of a run (architecture, section 7).
public enum VolumeInvariant: String, CaseIterable, Sendable {
  case seqnoNamesOneContent = "a seqno never names two contents"
  case metadataIsWhole = "the newest metadata is the old or the new one, complete"
  case seqnoNeverFalls = "the seqno never falls"
  case writesUnderLock = "nothing is written without the lock"
  case extentsHaveOneOwner = "no extent belongs to two volumes"
  case volumesStay = "a physical volume that one node misses is never dropped"
  case mappingIsCommitted = "a running device leads where the committed metadata says"
  case nobodyLags = "nobody runs on an older mapping when the lock is free"
  case namesAreCommitted = "device names agree with the metadata when the lock is free"
  case shrinkIsExclusive = "a volume active elsewhere never loses its end"
  case suspendIsBounded = "every suspend ends"
  case suspendHasOwner = "somebody is responsible for every suspended device"
  case loadsBeforeSuspends = "no table is loaded while a device is suspended, but for recovery"
  case reportWrites = "a report writes nothing"
  case activationIsWhole = "an activation or deactivation is done everywhere or nowhere"
  case activationIsUndone = "an activation or deactivation that fails is undone everywhere"
  case answerIsTrue = "a command's answer agrees with the disk"
  case everythingEnds = "every command ends, and the group can be changed afterwards"
}

/// An invariant that did not hold.
public struct VolumeViolation: Sendable, CustomStringConvertible {
  public let run: VolumeRun
  public let invariant: VolumeInvariant
  public let time: Timestamp
  public let finding: String

  public var description: String {
    "\(run): at \(time): not true that \(invariant.rawValue): \(finding)"
  }
}

/// Places that a campaign must have been to, or it has shown nothing about them.
public enum VolumeSituation: String, CaseIterable, Sendable {
  case committed
  case aborted
  case coordinatorDiedBeforeCommit = "coordinator died before the commit"
  case coordinatorDiedAfterCommit = "coordinator died after the commit"
  case coordinatorDiedWithinCommit = "coordinator died with one area committed"
  case participantDiedPrepared = "participant died prepared"
  case participantDiedSuspended = "participant died with a suspended device"
  case daemonRestartedSuspended = "daemon came back to a suspended device"
  case daemonRestartedLoaded = "daemon came back to an inactive table"
  case recoveredForward = "recovery followed the disk forward"
  case recoveredBack = "recovery went back"
  case tornHeader = "a header was torn"
  case tornText = "a text was torn"
  case writeFailed = "a write failed"
  case partlyCommitted = "only some areas were committed"
  case tableRefused = "the kernel refused"
  case diskLostWhilePreparing = "a disk was lost before all were prepared"
  case diskLostAfterCommit = "a disk was lost after the commit"
  case stranded = "a node could not follow"
  case stalledInTime = "a stalled node came back in time"
  case stalledTooLong = "a stalled node was fenced"
  case commandEnded = "the command went away"
  case lateMessage = "a message came after the change was over"
  case resent = "a message was sent again"
  case refusedWhileRecovering = "a command was refused because a node was being recovered"
  case rivalWaited = "another command waited for the lock"
  case orphanGivenUp = "survivors gave up what their coordinator would not commit"
  case orphanFinished = "survivors finished what their coordinator had decided"
  case reloaded = "all nodes reloaded behind LVM's own command"
  case renewedUnderChange =
    "a member's daemon came back while its node or another had a change open"
  case settledUnderChange = "a death was settled while another change was open"
}
