import ClusterTypes

/// What a lock message asks or answers (dlm-wire 7.2).
public enum LockMessageType: UInt32, CaseIterable, Sendable {
  case request = 1
  case convert = 2
  case unlock = 3
  case cancel = 4
  case requestReply = 5
  case convertReply = 6
  case unlockReply = 7
  case cancelReply = 8
  case grant = 9
  /// Blocking callback ("BAST").
  case blocking = 10
  case lookup = 11
  case remove = 12
  case lookupReply = 13
  case purge = 14
}

/// A message about one lock or one directory entry: DLM_MSG, all fields of dlm-wire 7.1.
///
/// Which fields the receiver uses depends on the type (dlm-wire 7.2); the others are informative.
public struct LockMessage: Hashable, Sendable {
  public var lockspaceID: LockspaceID
  public var sender: NodeID
  public var type: LockMessageType
  /// The sender's idea of the other side; -1 or 0 where there is none. Meaningful only in
  /// `lookupReply` (the master) and `purge` (the addressee).
  public var nodeID: Int32
  /// The owner's process id, for purge.
  public var processID: UInt32
  /// The lock's id at the sender; in `lookupReply` its id at the receiver.
  public var lockID: LockID
  /// The lock's id at the receiver.
  public var remoteID: LockID
  public var parentLockID: LockID
  public var parentRemoteID: LockID
  /// `exflags` on the wire.
  public var lockFlags: LockFlags
  /// `sbflags` on the wire.
  public var statusFlags: LockStatusFlags
  /// `flags` on the wire.
  public var messageFlags: LockMessageFlags
  public var lvbSequence: UInt32
  /// Hash of the resource name; must be right in `remove`.
  public var hash: UInt32
  /// The queue at the sender; informative.
  public var status: QueueStatus
  /// The sender's granted mode; informative.
  public var grantedMode: LockMode
  public var requestedMode: LockMode
  /// The mode that is blocked; only in `blocking`.
  public var blockingMode: LockMode
  /// `asts` on the wire: counts only in `request` and `lookup`.
  public var callbacks: LockCallbacks
  /// Only in replies.
  public var result: LockResult
  /// The resource name, or the lock value block.
  public var extra: [UInt8]

  /// The most bytes of `extra` that fit into a sequenced message.
  public static let maximumExtraLength = 4072 - 88

  public init(
    _ type: LockMessageType, lockspaceID: LockspaceID, sender: NodeID, nodeID: Int32 = 0,
    processID: UInt32 = 0, lockID: LockID = .none, remoteID: LockID = .none,
    parentLockID: LockID = .none, parentRemoteID: LockID = .none, lockFlags: LockFlags = [],
    statusFlags: LockStatusFlags = [], messageFlags: LockMessageFlags = [],
    lvbSequence: UInt32 = 0, hash: UInt32 = 0, status: QueueStatus = .unqueued,
    grantedMode: LockMode = .nl, requestedMode: LockMode = .nl, blockingMode: LockMode = .nl,
    callbacks: LockCallbacks = [], result: LockResult = .granted, extra: [UInt8] = []
  ) {
    self.lockspaceID = lockspaceID
    self.sender = sender
    self.type = type
    self.nodeID = nodeID
    self.processID = processID
    self.lockID = lockID
    self.remoteID = remoteID
    self.parentLockID = parentLockID
    self.parentRemoteID = parentRemoteID
    self.lockFlags = lockFlags
    self.statusFlags = statusFlags
    self.messageFlags = messageFlags
    self.lvbSequence = lvbSequence
    self.hash = hash
    self.status = status
    self.grantedMode = grantedMode
    self.requestedMode = requestedMode
    self.blockingMode = blockingMode
    self.callbacks = callbacks
    self.result = result
    self.extra = extra
  }

  /// `extra` as a resource name (in `request`, `lookup`, `remove`); nil unless 1 to 64 bytes.
  public var resourceName: ResourceName? { ResourceName(extra) }
}
