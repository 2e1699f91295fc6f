import ByteCoding
import ClusterTypes

/// What a process asked its kernel for with fcntl(2), or what the kernel does when a file is closed.
public struct PosixLockRequest: Hashable, Sendable {
  public enum Operation: UInt8, Sendable, CaseIterable {
    /// One that is not known, or whose range is none: answered with EINVAL at its place.
    case unsupported = 0
    case lock = 1
    case unlock = 2
    case get = 3
    /// Gives a waiting `lock` of the same fields up; of kernels from 6.5 on.
    case cancel = 4
  }

  public var operation: Operation
  /// A write lock, which no other owner's lock may overlap.
  public var isExclusive: Bool
  /// F_SETLKW: waits until it is granted.
  public var waits: Bool
  /// The kernel cleans up behind a closed file or a killed process, and waits for no answer.
  public var isClose: Bool
  public var processID: UInt32
  public var inode: UInt64
  /// First byte.
  public var start: UInt64
  /// Last byte, not below `start`; 2^63 - 1 for the end of every file.
  public var end: UInt64
  /// Whose locks never conflict with each other: the kernel's cookie for a table of open files.
  public var owner: UInt64

  public init(
    _ operation: Operation, inode: UInt64, start: UInt64 = 0, end: UInt64 = UInt64(Int64.max),
    owner: UInt64, isExclusive: Bool = true, waits: Bool = false, isClose: Bool = false,
    processID: UInt32 = 0
  ) {
    self.operation = start <= end ? operation : .unsupported
    self.isExclusive = isExclusive
    self.waits = waits && operation == .lock
    self.isClose = isClose && operation == .unlock
    self.processID = processID
    self.inode = inode
    self.start = start
    self.end = max(start, end)
    self.owner = owner
  }

  /// Whether its answer has a place in the order of answers: the kernel gives the result of such a
  /// request to the first one that is outstanding (kernel-dlm-control 16).
  public var isAnsweredInOrder: Bool { !waits && !isClose }

  private enum Flags {
    static let exclusive: UInt8 = 1
    static let waits: UInt8 = 2
    static let close: UInt8 = 4
    static let all: UInt8 = 7
  }
}

extension PosixLockRequest {
  func write(to writer: inout ByteWriter) {
    writer.write(operation.rawValue)
    writer.write(
      (isExclusive ? Flags.exclusive : 0) | (waits ? Flags.waits : 0)
        | (isClose ? Flags.close : 0))
    writer.write(processID)
    writer.write(inode)
    writer.write(start)
    writer.write(end)
    writer.write(owner)
  }

  init(from reader: inout ByteReader) throws(ByteDecodingError) {
    guard let operation = Operation(rawValue: try reader.read()) else {
      throw .invalid("operation on a POSIX lock")
    }
    let flags: UInt8 = try reader.read()
    let processID: UInt32 = try reader.read()
    let inode: UInt64 = try reader.read()
    let start: UInt64 = try reader.read()
    let end: UInt64 = try reader.read()
    let owner: UInt64 = try reader.read()
    guard start <= end else { throw .invalid("range of a POSIX lock") }
    self.init(
      operation, inode: inode, start: start, end: end, owner: owner,
      isExclusive: flags & Flags.exclusive != 0, waits: flags & Flags.waits != 0,
      isClose: flags & Flags.close != 0, processID: processID)
    let meant = (waits ? Flags.waits : 0) | (isClose ? Flags.close : 0)
    guard flags & ~Flags.exclusive == meant else { throw .invalid("flags of a POSIX lock") }
  }
}

/// What becomes of a request.
public enum PosixLockResult: Hashable, Sendable {
  /// Granted, released, or for `get`: nobody is in the way.
  case success
  /// For `get`: the lock that is in the way.
  case conflict(HeldPosixLock)
  case failure(PosixLockFailure)
}

/// The error numbers with which programs hear that they have no lock.
public enum PosixLockFailure: Int32, Sendable, CaseIterable {
  /// ENOENT: no waiting lock like the one to be given up.
  case notFound = 2
  /// EAGAIN: another owner's lock is in the way.
  case wouldBlock = 11
  /// EINVAL
  case invalid = 22
  /// ENOLCK: there is no table for the lockspace, or it is full.
  case noLocks = 37
  /// ENOSYS: switched off on this node.
  case notSupported = 38
}

/// Who has a lock.
public struct PosixLockHolder: Hashable, Comparable, Sendable {
  public let node: NodeInstance
  /// The owner's cookie on that node.
  public let owner: UInt64

  public init(node: NodeInstance, owner: UInt64) {
    self.node = node
    self.owner = owner
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.node, left.owner) < (right.node, right.owner)
  }
}

/// A range of a file that somebody has locked.
public struct HeldPosixLock: Hashable, Sendable {
  public var start: UInt64
  /// The last byte.
  public var end: UInt64
  public var isExclusive: Bool
  public var holder: PosixLockHolder
  /// Of the process that locked it; only information.
  public var processID: UInt32

  public init(
    start: UInt64, end: UInt64, isExclusive: Bool, holder: PosixLockHolder, processID: UInt32
  ) {
    self.start = start
    self.end = end
    self.isExclusive = isExclusive
    self.holder = holder
    self.processID = processID
  }

  func overlaps(_ start: UInt64, _ end: UInt64) -> Bool { self.start <= end && start <= self.end }
}
