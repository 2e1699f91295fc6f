/// The outcome of a lock or recovery operation on the wire: zero, or a negative Linux/x86 errno
/// whatever the platform, or one of the two success codes of its own (dlm-wire 7.4, 14.6).
public struct LockResult: RawRepresentable, Hashable, Sendable {
  public let rawValue: Int32

  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// Granted; for a cancel: there was nothing to cancel.
  public static let granted = Self(rawValue: 0)
  /// EINPROGRESS: queued, a grant follows.
  public static let queued = Self(rawValue: -115)
  /// EAGAIN: not grantable, and the caller did not want to queue.
  public static let wouldBlock = Self(rawValue: -11)
  /// EDEADLK: conversion deadlock; the lock keeps its granted mode.
  public static let deadlock = Self(rawValue: -35)
  /// EBADR: the sender does not know the resource and is not entitled to create it.
  public static let unknownResource = Self(rawValue: -53)
  /// ENOTBLK: the sender is not the master.
  public static let notMaster = Self(rawValue: -15)
  /// ENOENT: no lock with that id.
  public static let unknownLock = Self(rawValue: -2)
  /// ESRCH: the sender does not have the lockspace (status replies only).
  public static let unknownLockspace = Self(rawValue: -3)
  /// ENOMEM.
  public static let outOfMemory = Self(rawValue: -12)
  /// EBUSY: a conversion of a lock that is not granted.
  public static let busy = Self(rawValue: -16)
  /// EEXIST: the new master has this lock already, from a recovery that was aborted.
  public static let alreadyExists = Self(rawValue: -17)
  /// EINVAL.
  public static let invalidArgument = Self(rawValue: -22)
  /// EPROTO: the members' lockspaces are configured differently.
  public static let protocolMismatch = Self(rawValue: -71)
  /// EOPNOTSUPP: a recovered lock with a parent.
  public static let notSupported = Self(rawValue: -95)
  /// ETIMEDOUT.
  public static let timedOut = Self(rawValue: -110)
  /// ECANCEL: the cancel is done.
  public static let cancelled = Self(rawValue: -0x1_0001)
  /// EUNLOCK: the unlock is done.
  public static let unlocked = Self(rawValue: -0x1_0002)
}

extension LockResult: CustomStringConvertible {
  public var description: String {
    switch self {
    case .granted: "0"
    case .queued: "EINPROGRESS"
    case .wouldBlock: "EAGAIN"
    case .deadlock: "EDEADLK"
    case .unknownResource: "EBADR"
    case .notMaster: "ENOTBLK"
    case .unknownLock: "ENOENT"
    case .unknownLockspace: "ESRCH"
    case .outOfMemory: "ENOMEM"
    case .busy: "EBUSY"
    case .alreadyExists: "EEXIST"
    case .invalidArgument: "EINVAL"
    case .protocolMismatch: "EPROTO"
    case .notSupported: "EOPNOTSUPP"
    case .timedOut: "ETIMEDOUT"
    case .cancelled: "ECANCEL"
    case .unlocked: "EUNLOCK"
    default: String(rawValue)
    }
  }
}
