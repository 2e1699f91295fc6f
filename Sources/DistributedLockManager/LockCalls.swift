import ClusterTypes
import LockManager
import LockProtocol

/// A request for a lock, as users of lockspaces make it.
package struct OwnedLockRequest {
  package var lockspace: LockspaceName
  package var resource: ResourceName
  package var mode: LockMode
  package var flags: LockFlags
  package var valueBlock: [UInt8]?
  package var processID: UInt32
  /// For whom, in a few words: told to whoever asks who holds it.
  package var owner: String
  /// The lock was held in an earlier life of this node and is taken up again.
  package var isReclaim: Bool
  /// Whose other locks are given back only after this one is granted; nil when nothing is known
  /// about that. Unique on this node.
  package var transaction: UInt64?
  /// Whether the request may be refused in order to end a deadlock.
  package var mayBeVictim: Bool

  package init(
    lockspace: LockspaceName, resource: ResourceName, mode: LockMode, flags: LockFlags,
    valueBlock: [UInt8]? = nil, processID: UInt32, owner: String, isReclaim: Bool = false,
    transaction: UInt64? = nil, mayBeVictim: Bool = false
  ) {
    self.lockspace = lockspace
    self.resource = resource
    self.mode = mode
    self.flags = flags
    self.valueBlock = valueBlock
    self.processID = processID
    self.owner = owner
    self.isReclaim = isReclaim
    self.transaction = transaction
    self.mayBeVictim = mayBeVictim
  }
}

extension OwnedLockRequest {
  package func call(_ handle: LockHandle) -> LockCall {
    LockCall(
      handle: handle, resource: resource, mode: mode, flags: flags, valueBlock: valueBlock,
      processID: processID)
  }
}

/// Lockspaces in which locks can be taken. Confined to one event loop.
package protocol LockCalls: AnyObject {
  /// Whether the lockspace grants nothing until its members have recovered.
  func isStopped(_ lockspace: LockspaceName) -> Bool
  /// Bytes of a value block there.
  func valueBlockLength(in lockspace: LockspaceName) -> Int
  /// A handle for a request to come: it may be granted before `lock` returns. Ends with the lock, or
  /// when `lock` throws.
  func newHandle() -> LockHandle
  /// Throws `notJoined` when this node is not in the lockspace.
  func lock(
    _ request: OwnedLockRequest, handle: LockHandle, listener: any LockListener
  ) throws(ClusterLockError)
  func convert(_ handle: LockHandle, to mode: LockMode, flags: LockFlags, valueBlock: [UInt8]?)
  func unlock(_ handle: LockHandle, flags: LockFlags, valueBlock: [UInt8]?)
  func cancel(_ handle: LockHandle)
}
