import ClusterTypes
import ConfigText

/// A POSIX lock (fcntl) of a cluster filesystem, held or waited for.
public struct PosixLockStatus: Equatable, Sendable, ConfigRepresentable {
  public var lockspace: LockspaceName
  public var inode: UInt64
  /// First byte.
  public var start: UInt64
  /// Last byte; 2^63 - 1 for the end of every file.
  public var end: UInt64
  public var isExclusive: Bool
  public var isWaiting: Bool
  public var node: NodeID
  /// The process there.
  public var pid: UInt32
  /// The kernel's cookie for whose locks never conflict with each other.
  public var owner: UInt64

  public init(
    lockspace: LockspaceName, inode: UInt64, start: UInt64, end: UInt64, isExclusive: Bool,
    isWaiting: Bool, node: NodeID, pid: UInt32, owner: UInt64
  ) {
    self.lockspace = lockspace
    self.inode = inode
    self.start = start
    self.end = end
    self.isExclusive = isExclusive
    self.isWaiting = isWaiting
    self.node = node
    self.pid = pid
    self.owner = owner
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      lockspace: try fields.lockspace("lockspace"), inode: try fields.number("inode"),
      start: try fields.number("start"), end: try fields.number("end"),
      isExclusive: try fields.flag("write"), isWaiting: try fields.flag("waiting"),
      node: try fields.node("node"), pid: try fields.number("pid"),
      owner: try fields.number("owner"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("lockspace", lockspace.text)
    fields.add("inode", inode)
    fields.add("start", start)
    fields.add("end", end)
    fields.add("write", isExclusive)
    fields.add("waiting", isWaiting)
    fields.add("node", node)
    fields.add("pid", pid)
    fields.add("owner", owner)
    return fields
  }
}
