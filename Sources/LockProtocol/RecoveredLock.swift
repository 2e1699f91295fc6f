/// A lock as its owner tells it to the resource's new master in recovery, and as the master
/// answers: rcom_lock with the lock value block behind it (dlm-wire 14.6).
public struct RecoveredLock: Hashable, Sendable {
  public var ownerProcessID: UInt32
  /// The lock's id at its owner, in both directions.
  public var lockID: LockID
  /// The lock's id at the new master: none in the message, set in the reply.
  public var remoteID: LockID
  public var parentLockID: LockID
  public var parentRemoteID: LockID
  public var lockFlags: LockFlags
  public var messageFlags: LockMessageFlags
  public var lvbSequence: UInt32
  /// The outcome, in the reply; zero in the message.
  public var result: LockResult
  public var requestedMode: LockMode
  public var grantedMode: LockMode
  /// The owner's queue; must not be `unqueued`.
  public var status: QueueStatus
  public var callbacks: LockCallbacks
  /// The type of the message whose answer the owner still waits for (2 = a conversion in
  /// flight), 0 for none.
  public var waitType: UInt16
  public var resourceName: ResourceName
  /// The lock value block if the lock has one; empty in the reply.
  public var valueBlock: [UInt8]

  public init(
    resourceName: ResourceName, lockID: LockID, status: QueueStatus, grantedMode: LockMode,
    requestedMode: LockMode, lockFlags: LockFlags = [], messageFlags: LockMessageFlags = [],
    callbacks: LockCallbacks = [], ownerProcessID: UInt32 = 0, lvbSequence: UInt32 = 0,
    waitType: UInt16 = 0, valueBlock: [UInt8] = [], remoteID: LockID = .none,
    result: LockResult = .granted, parentLockID: LockID = .none, parentRemoteID: LockID = .none
  ) {
    self.ownerProcessID = ownerProcessID
    self.lockID = lockID
    self.remoteID = remoteID
    self.parentLockID = parentLockID
    self.parentRemoteID = parentRemoteID
    self.lockFlags = lockFlags
    self.messageFlags = messageFlags
    self.lvbSequence = lvbSequence
    self.result = result
    self.requestedMode = requestedMode
    self.grantedMode = grantedMode
    self.status = status
    self.callbacks = callbacks
    self.waitType = waitType
    self.resourceName = resourceName
    self.valueBlock = valueBlock
  }
}
