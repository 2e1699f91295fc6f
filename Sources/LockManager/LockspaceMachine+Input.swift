import ClusterTypes
import LockProtocol

/// The number by which a caller knows one of its locks. The caller chooses it; it must be unique
/// among the caller's live locks in the lockspace. Lock ids of the wire never leave the machine.
public struct LockHandle: RawRepresentable, Hashable, Comparable, Sendable,
  CustomStringConvertible
{
  public let rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}

/// A request for a new lock.
public struct LockCall: Hashable, Sendable {
  public var handle: LockHandle
  public var resource: ResourceName
  /// NL to EX.
  public var mode: LockMode
  /// Everything of dlm-wire 8.3 that makes sense for a new lock.
  public var flags: LockFlags
  /// First contents of the lock's value block, exactly the lockspace's length; nil means zeros.
  /// Counts only with `.valueBlock`.
  public var valueBlock: [UInt8]?
  /// The process that owns the lock: for dumps, orphans and purge.
  public var processID: UInt32
  /// False for a caller that does not want to hear that it blocks others.
  public var wantsBlocking: Bool

  public init(
    handle: LockHandle, resource: ResourceName, mode: LockMode, flags: LockFlags = [],
    valueBlock: [UInt8]? = nil, processID: UInt32 = 0, wantsBlocking: Bool = true
  ) {
    self.handle = handle
    self.resource = resource
    self.mode = mode
    self.flags = flags
    self.valueBlock = valueBlock
    self.processID = processID
    self.wantsBlocking = wantsBlocking
  }
}

/// A member of the lockspace and its share of the directory.
public struct Member: Hashable, Sendable {
  public var node: NodeID
  /// 0 or more; equal on all members (dlm-wire 11.2).
  public var weight: Int

  public init(_ node: NodeID, weight: Int = 1) {
    self.node = node
    self.weight = weight
  }
}

extension LockspaceMachine {
  /// Everything that can happen to a lockspace.
  ///
  /// Calls made while the lockspace is stopped or recovers are kept and take effect, in order,
  /// when locking is enabled again.
  public enum Input: Sendable {
    case lock(LockCall)
    /// Change the mode of a granted lock. With `.valueBlock` and new contents these become the
    /// lock's; nil leaves them.
    case convert(LockHandle, LockMode, flags: LockFlags, valueBlock: [UInt8]?)
    /// Give a lock up. Without `.forceUnlock` it must have nothing under way.
    case unlock(LockHandle, flags: LockFlags, valueBlock: [UInt8]?)
    /// Take back a request or conversion that is not granted yet. There is no answer of its own:
    /// the operation ends `.cancelled`, or as it would have without.
    case cancel(LockHandle)
    /// The process of a lock is gone. One that is not persistent is given up by force, and its value
    /// block is invalid if it could have been written (dlm-wire 9). Of a persistent one what is under
    /// way is cancelled, what is granted stays until it is adopted or purged (dlm-wire 13).
    case abandon(LockHandle)
    /// Unlock the orphans of a process (0: of all) that live on `node`.
    case purge(NodeID, processID: UInt32)
    /// A message of another member. Messages of one node must come in the order they were sent.
    case receive(Packet, from: NodeID)
    /// The control plane stops the lockspace: the membership is about to change.
    case stop
    /// All members have stopped; these are the members now. `departed`: who was removed since the
    /// last start, even if the node is a member again.
    case start(members: [Member], departed: Set<NodeID>)
    /// The moment of the last `.wake` has come. Harmless at any other time.
    case timer
  }
}
