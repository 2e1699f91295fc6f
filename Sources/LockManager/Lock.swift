import ClusterTypes
import LockProtocol

/// Whose application holds a lock.
enum LockOwner: Hashable, Sendable {
  case here(LockHandle)
  case node(NodeID)
}

/// What an owner waits for before a request can be taken to the master, or after (dlm-wire 12).
enum Outstanding: Hashable, Sendable {
  case nothing
  /// The answer to a message of that type, sent to `node`.
  case reply(LockMessageType, from: NodeID)
  /// A new request that waits until an earlier one of this node has found the master.
  case behindFirst
  /// A new request that reached the wrong node and pauses before the next try.
  case pause
}

/// Cancels and unlocks that overtook another operation of the same lock (dlm-wire 12).
struct Overlap: OptionSet, Hashable, Sendable {
  let rawValue: UInt8
  static let cancel = Self(rawValue: 1)
  static let unlock = Self(rawValue: 2)
}

/// One lock as this node knows it, as owner, as master or as both.
struct Lock: Sendable {
  var id: LockID
  var resource: ResourceID
  var owner: LockOwner
  /// The id at the other side: at the master for an owner, at the owner for a master.
  var remoteID: LockID = .none
  var processID: UInt32
  var flags: LockFlags
  var statusFlags: LockStatusFlags = []
  /// Only the low 16 bits of the wire.
  var messageFlags: LockMessageFlags
  var callbacks: LockCallbacks
  var granted: LockMode = .iv
  var requested: LockMode = .iv
  var queue: QueueStatus = .unqueued
  /// The strongest mode of which the owner was told that it blocks it (dlm-wire 10).
  var highestBlocked: LockMode = .nl
  /// Present once an operation used `.valueBlock`.
  var valueBlock: [UInt8]?
  var lvbSequence: UInt32 = 0
  /// When the present operation began, or the present mode was granted.
  var since: Timestamp

  // What follows is the owner's.

  var outstanding: Outstanding = .nothing
  /// The node of the last `Outstanding.reply`: an overlap's answer comes from there too.
  var waitedFor: NodeID?
  var overlap: Overlap = []
  /// A conversion or unlock that was called while only a cancel's answer is due; it begins then.
  var heldCall: LockspaceMachine.Input? {
    get { heldCallBox?.input }
    set { heldCallBox = newValue.map(HeldCall.init) }
  }
  private var heldCallBox: HeldCall?
  /// The operation is done anew after the recovery (dlm-wire 15.4).
  var isResent = false
  /// `.valueBlock` came with a conversion of a lock that had been granted without, and the buffer has
  /// not been read since: it must not be taken for what the resource holds.
  var hasUnreadValueBlock = false
  /// The mode held at the last completion: tells stale blocking callbacks.
  var completedMode: LockMode = .iv

  /// Rare and large: apart from the lock, which is one of very many.
  private final class HeldCall: Sendable {
    let input: LockspaceMachine.Input
    init(_ input: LockspaceMachine.Input) { self.input = input }
  }

  init(
    id: LockID, resource: ResourceID, owner: LockOwner, processID: UInt32, flags: LockFlags,
    messageFlags: LockMessageFlags, callbacks: LockCallbacks, since: Timestamp
  ) {
    self.id = id
    self.resource = resource
    self.owner = owner
    self.processID = processID
    self.flags = flags
    self.messageFlags = messageFlags
    self.callbacks = callbacks
    self.since = since
  }

  var handle: LockHandle? {
    switch owner {
    case .here(let handle): handle
    case .node: nil
    }
  }

  var isOrphan: Bool { messageFlags.contains(.orphan) }
  var isBusy: Bool { outstanding != .nothing || !overlap.isEmpty }

  /// The operation has ended, and its caller was told, before the answer to its cancel has come.
  var awaitsOnlyCancel: Bool {
    guard queue == .granted else { return false }
    return switch outstanding {
    case .nothing: overlap == .cancel
    case .reply(.cancel, _): overlap.isEmpty
    case .reply, .behindFirst, .pause: false
    }
  }
}

extension Lock {
  /// Fills the free slots of a `LockTable`.
  static let vacant = Lock(
    id: .none, resource: .none, owner: .here(LockHandle(0)), processID: 0, flags: [],
    messageFlags: [], callbacks: [], since: Timestamp(nanoseconds: 0))
}
