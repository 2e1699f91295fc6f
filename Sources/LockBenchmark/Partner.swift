import ClusterTypes
import DistributedLockManager
import LockProtocol
import NIOCore

/// The node beside the measuring one: masters its anchors and takes turns with whoever wants the
/// contended resource.
struct Partner: Sendable {
  private let anchors: [ClusterLock]
  private let turns: NIOLoopBound<Turns>
  private let loop: any EventLoop

  init(_ node: LockNode, _ lockspace: Lockspace) async throws {
    anchors = try await LockPair.anchor(.remote, in: lockspace)
    loop = node.loop
    turns = try await node.loop.submit {
      let turns = Turns(node, lockspace)
      turns.next()
      return NIOLoopBound(turns, eventLoop: node.loop)
    }.get()
  }

  func end() async throws {
    let isOver = loop.makePromise(of: Void.self)
    try await loop.submit { [turns] in turns.value.end(isOver) }.get()
    try await isOver.futureResult.get()
    for anchor in anchors { await anchor.release() }
  }
}

/// Holds the contended resource whenever nobody else does.
private final class Turns {
  private let node: LockNode
  private let lockspace: Lockspace
  private var lock: LockHolder?
  private var isEnding = false

  init(_ node: LockNode, _ lockspace: Lockspace) {
    self.node = node
    self.lockspace = lockspace
  }

  func next() {
    guard !isEnding, let name = ResourceName(LockPair.contendedName) else { return }
    let lock = LockHolder(
      name, in: lockspace.name, locks: node.service.value, loop: node.loop, owner: "partner")
    self.lock = lock
    LockPair.takeTurn(lock) { [self] in next() }
  }

  func end(_ isOver: EventLoopPromise<Void>) {
    isEnding = true
    guard let lock else { return isOver.succeed() }
    lock.release { isOver.succeed() }
  }
}
