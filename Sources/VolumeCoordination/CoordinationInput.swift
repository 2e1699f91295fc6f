import ClusterTypes

/// What happens to a machine of this module. Each machine ignores what does not concern it, so
/// the daemon may offer every input to all of them.
public enum CoordinationInput: Equatable, Sendable {
  case message(CoordinationMessage, from: NodeInstance)
  case jobFinished(VolumeJob, VolumeJobResult)
  /// The node left the view. It may still write to shared disks.
  case nodeRemoved(NodeInstance)
  /// Nothing of this instance acts any more: it was fenced, or has shown that it started anew.
  case nodeFenced(NodeInstance)
  /// The instance goes on in a new life of its daemon, which remembers nothing of what the one before had
  /// begun, and numbers its requests above all of that one's.
  case nodeRenewed(NodeInstance)
  /// The cluster's record holds what this coordinator asked for with `Effect.record`.
  case recorded(VolumeRequestID, RecordedStep)
  /// The record will never hold it.
  case unrecorded(VolumeRequestID, RecordedStep, reason: String)
  /// The change's coordinator was removed, and this is the record's last word about the change: it
  /// stays so. Comes after `nodeRemoved`, and only where there is a record.
  case orphaned(VolumeRequestID, RecordedStep)
  /// Whether this node is in a view with quorum.
  case quorum(Bool)
  /// `nextWake` has come.
  case wake
}

/// How far a change has come by the record that the whole cluster has decided.
public enum RecordedStep: UInt8, Comparable, Sendable, CaseIterable {
  case begun = 1
  /// Participants suspend devices, or make or remove them.
  case suspending
  /// The metadata may be written from now on.
  case committing
  /// The metadata is committed, or, where none is written, everybody goes forward.
  case committed
  /// Nothing is left to do.
  case over

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// How patient the machines are. None of these makes a machine release anything early: they
/// decide when to repeat a message, when to complain, and when to give up *before* the commit.
public struct CoordinationTiming: Equatable, Sendable {
  /// A message that has no answer is sent again.
  public var resendInterval: Duration
  /// Who has not answered is reported.
  public var reportInterval: Duration
  /// A change that is not prepared everywhere is abandoned. It reads metadata on every node.
  public var prepareLimit: Duration
  /// A change that is not suspended everywhere is abandoned. I/O stands still meanwhile.
  public var suspendLimit: Duration
  /// A job that must succeed in the end is tried again.
  public var retryInterval: Duration
  /// A participant that cannot resume for that long lets its volumes fail all I/O.
  public var followLimit: Duration

  public init(
    resendInterval: Duration = .seconds(2), reportInterval: Duration = .seconds(5),
    prepareLimit: Duration = .seconds(30), suspendLimit: Duration = .seconds(10),
    retryInterval: Duration = .seconds(2), followLimit: Duration = .seconds(10)
  ) {
    self.resendInterval = resendInterval
    self.reportInterval = reportInterval
    self.prepareLimit = prepareLimit
    self.suspendLimit = suspendLimit
    self.retryInterval = retryInterval
    self.followLimit = followLimit
  }
}
