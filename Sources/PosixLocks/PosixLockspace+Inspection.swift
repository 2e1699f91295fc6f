import ClusterTypes

// For people.

/// A lock of a table, for people.
public struct PosixLockDescription: Hashable, Sendable {
  public let inode: UInt64
  public let lock: HeldPosixLock
  public let isWaiting: Bool
}

extension PosixLockspace {
  /// Every lock of all nodes, as this node's table has it: ascending by file, those that wait behind
  /// those that are held.
  public var locks: [PosixLockDescription] {
    guard let table else { return [] }
    return table.files.sorted { $0.key < $1.key }.flatMap { inode, file in
      file.held.map { PosixLockDescription(inode: inode, lock: $0, isWaiting: false) }
        + file.waiters.map { PosixLockDescription(inode: inode, lock: $0.lock, isWaiting: true) }
    }
  }

  /// What keeps requests from being answered, without a full stop; empty when nothing does.
  public var waits: [String] {
    guard isEnabled else { return ["POSIX locks are switched off on this node"] }
    var waits: [String] = []
    if table?.isLost == true {
      waits.append(
        "locks of an earlier life of clvmd were forgotten, and none are given until all nodes have "
          + "unmounted the filesystem")
    }
    switch phase {
    case .stopped: waits.append("it is stopped, and requests wait")
    case .comparing:
      let silent = others.filter { hellos[$0] == nil }
      waits += silent.map { "node \($0.node) has not told yet which locks it knows" }
      if silent.isEmpty { waits.append("the locks of the other nodes are being fetched") }
    case .ready:
      waits += participants.filter { hellos[$0]?.applied == nil }
        .map { "node \($0.node) has not fetched the locks of the others yet" }
    }
    return waits
  }
}
