/// What the caller asked for in the last operation on a lock, and what earlier unlocks and
/// cancels added: the `exflags` of the wire (dlm-wire 8.3).
public struct LockFlags: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Fail instead of queueing.
  public static let noQueue = Self(rawValue: 0x1)
  /// Present in plain cancels only: go by the message type, not by this bit.
  public static let cancel = Self(rawValue: 0x2)
  /// Present in conversions: go by the message type, not by this bit.
  public static let convert = Self(rawValue: 0x4)
  /// The lock value block is read or written with this operation.
  public static let valueBlock = Self(rawValue: 0x8)
  /// A conversion that waits behind a non-empty convert queue even if it is compatible.
  public static let queueConversion = Self(rawValue: 0x10)
  /// Invalidate the lock value block instead of writing it.
  public static let invalidateValueBlock = Self(rawValue: 0x20)
  /// On conversion deadlock demote the granted mode to NL instead of failing.
  public static let conversionDeadlock = Self(rawValue: 0x40)
  /// The lock survives its process, as an orphan.
  public static let persistent = Self(rawValue: 0x80)
  /// Queue even where that makes a conversion deadlock.
  public static let noDeadlockWait = Self(rawValue: 0x100)
  /// Unused by every known master.
  public static let noDeadlockBlock = Self(rawValue: 0x200)
  /// A new NL lock that is granted regardless of the queues.
  public static let expedite = Self(rawValue: 0x400)
  /// With `noQueue`: send blocking callbacks although the request fails.
  public static let noQueueBlockingCallback = Self(rawValue: 0x800)
  /// Queue at the head.
  public static let headOfQueue = Self(rawValue: 0x1000)
  /// Ignore the order of the queues: only compatibility counts.
  public static let noOrder = Self(rawValue: 0x2000)
  /// Adopt an orphan; local to the owner's node.
  public static let orphan = Self(rawValue: 0x4000)
  /// If the mode cannot be granted try PR.
  public static let alternatePR = Self(rawValue: 0x8000)
  /// If the mode cannot be granted try CW.
  public static let alternateCW = Self(rawValue: 0x1_0000)
  /// Unlock from any queue.
  public static let forceUnlock = Self(rawValue: 0x2_0000)
  /// An owner's local timer; without meaning at the master.
  public static let timeout = Self(rawValue: 0x4_0000)
}

/// What the master tells about how it granted: the `sbflags` of the wire (dlm-wire 7.1, 8.3).
public struct LockStatusFlags: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The granted mode was demoted to NL to break a conversion deadlock.
  public static let demoted = Self(rawValue: 0x1)
  /// The contents of the lock value block are not to be trusted.
  public static let valueNotValid = Self(rawValue: 0x2)
  /// Granted in the alternate mode.
  public static let alternateMode = Self(rawValue: 0x4)
}

/// The `flags` of lock messages and recovered locks (dlm-wire 7.1).
///
/// Only the low 16 bits mean something to the receiver, and a master must return them as it
/// received them; the others leak out of a kernel's memory.
public struct LockMessageFlags: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Made through the user-space device (libdlm).
  public static let user = Self(rawValue: 0x1)
  /// The process of the lock is gone.
  public static let orphan = Self(rawValue: 0x2)
  /// Set in all answers of a kernel master.
  public static let masterCopy = Self(rawValue: 0x1_0000)

  /// The bits that a receiver may use and must echo.
  public static let shared = Self(rawValue: 0xFFFF)
}

/// Which callbacks the owner of a lock wants: the `asts` of the wire (dlm-wire 7.1).
public struct LockCallbacks: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let completion = Self(rawValue: 0x1)
  public static let blocking = Self(rawValue: 0x2)
}
