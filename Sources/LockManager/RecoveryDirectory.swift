import ClusterTypes
import LockProtocol

/// Phase DIR: every member asks every other for the names that it masters and whose directory the
/// asker keeps now (dlm-wire 14.4, 15.3).
extension LockspaceMachine {
  mutating func beginDirectory() {
    recovery.pollCount = 0
    guard configuration.usesDirectory else {
      // Before anybody can send them anew.
      forgetLocksOfOthers()
      return reach(.directory)
    }
    readNames(next: 0, after: nil)
  }

  mutating func readNames(next: Int, after: ResourceName?) {
    recovery.phase = .readingNames(next: next, after: after)
    guard next < recovery.others.count else { return reach(.directory) }
    ask(recovery.others[next], .names(after: after))
  }

  mutating func namesAnswered(_ block: NamesBlock, from node: NodeID) {
    recovery.question = nil
    guard case .readingNames(let next, let after) = recovery.phase else { return drop() }
    for name in block.names {
      guard directoryNode(forHash: name.hash) == localNode else {
        return fail(.foreignName(node, name))
      }
      recordMaster(node, of: name)
    }
    if block.isLast {
      recovery.pollCount = 0
      readNames(next: next + 1, after: nil)
    } else if let last = block.names.last(where: { $0.bytes.count > 1 }) {
      // After a name of one byte a kernel would begin again (14.4).
      readNames(next: next, after: last)
    } else {
      recovery.phase = .readingNames(next: next, after: after)
      pauseRecovery()
    }
  }

  private mutating func recordMaster(_ node: NodeID, of name: ResourceName) {
    guard let id = resources.find(name) else {
      _ = makeRecord(named: name, master: node)
      return
    }
    if resources[id].master == node { resources[id].isMasterUnconfirmed = false }
    // Two masters would be a fault of an earlier recovery; this one at least has the queues.
    guard resources[id].master != node, !isMaster(of: id) else { return }
    resources[id].master = node
    resources[id].isMasterUnconfirmed = false
    if resources[id].isInRecovery { resources[id].marks.insert(.sendLocks) }
  }

  mutating func replyWithNames(to message: RecoveryMessage, after: ResourceName?) {
    let names = recovery.masteredNames
    let start = after.map { names.firstIndex(after: $0) } ?? 0
    let wanted = names[start...].lazy.filter { [directory] in
      directory.node(for: $0) == message.sender
    }
    reply(to: message, .namesReply(NamesBlock(filling: wanted)))
  }
}

extension Array where Element == ResourceName {
  /// In an ascending array, the index of the first name greater than `name`.
  fileprivate func firstIndex(after name: ResourceName) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = (low + high) / 2
      if name < self[middle] { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
