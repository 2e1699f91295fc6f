import ClusterTypes
import LockManager
import LockProtocol

/// A master's queues after a step, to compare with those after the next.
struct MasterQueues: Sendable {
  var converting: [UInt32]
  /// What each converting lock wants.
  var wanted: [UInt32: LockMode]
  var waiting: [UInt32]
  /// Everything that was on a queue.
  var all: Set<UInt32>
  var granted: Set<UInt32>
}

/// What must hold of a resource at its master, after every step of that.
extension LockSimulation {
  mutating func checkMaster(_ node: NodeID, resource index: Int) {
    let name = Names.resources[index]
    guard let resource = world.withStack(of: node, { $0.machine?.inspect(name) }) ?? nil else {
      views[node]?.queues[index] = nil
      views[node]?.mastered.remove(index)
      return
    }
    for lock in resource.locks { checkLockID(lock.id, of: node, before: index) }
    guard resource.master == node, !resource.isIdle else {
      views[node]?.queues[index] = nil
      views[node]?.mastered.remove(index)
      return
    }
    views[node]?.mastered.insert(index)
    let queues = MasterQueues(resource)
    if let earlier = views[node]?.queues[index] { checkOrder(earlier, resource, of: node) }
    checkQueues(resource, of: node)
    checkWakeUps(resource, of: node)
    checkGhosts(resource, of: node)
    checkHolders(resource, index, of: node)
    checkSingleMaster(name, node)
    views[node]?.queues[index] = queues
    views[node]?.lockIDs.formUnion(queues.all)
  }

  /// A lock id that comes anew must not have been seen before: something about the earlier lock of
  /// that id may still be under way.
  private mutating func checkLockID(_ id: LockID, of node: NodeID, before index: Int) {
    guard let view = views[node], view.lockIDs.contains(id.rawValue) else { return }
    let isKnown = view.queues.values.contains { $0.all.contains(id.rawValue) }
    if !isKnown, view.queues[index] != nil {
      violate(.lockIDs, "node \(node) gives lock id \(id) out again")
    }
  }

  private mutating func checkQueues(_ resource: ResourceInspection, of node: NodeID) {
    let holders = resource.holders
    for (index, one) in holders.enumerated() {
      for other in holders.dropFirst(index + 1) where one.granted.excludes(other.granted) {
        violate(
          .compatibility,
          "node \(node): \(resource.name) has \(one.granted) of node \(one.owner) and"
            + " \(other.granted) of node \(other.owner) granted together")
      }
    }
  }

  // MARK: Grants

  private func isInTheWay(
    of lock: LockInspection, on resource: ResourceInspection
  ) -> Bool {
    resource.holders.contains { $0.id != lock.id && $0.granted.excludes(lock.requested) }
  }

  /// Whoever is first, and whoever ignores the order, waits only for others in its way.
  private mutating func checkWakeUps(_ resource: ResourceInspection, of node: NodeID) {
    guard !resource.awaitsGrantPass else { return }
    var candidates = resource.converting.prefix(1)
    if resource.converting.isEmpty { candidates += resource.waiting.prefix(1) }
    // A lock at the head by HEADQUE is looked at when something else changes (dlm-wire 8.4).
    for lock in candidates where !lock.flags.contains(.headOfQueue) {
      if !isInTheWay(of: lock, on: resource) {
        violate(
          .wakeUp,
          "node \(node): lock \(lock.id) of node \(lock.owner) waits for \(lock.requested) of"
            + " \(resource.name) and nobody is in its way")
      }
    }
  }

  /// Nobody is granted before those who came earlier, except where flags say so (dlm-wire 8.4).
  private mutating func checkOrder(
    _ earlier: MasterQueues, _ resource: ResourceInspection, of node: NodeID
  ) {
    let mayOvertake: LockFlags = [.noOrder, .expedite]
    let converting = resource.converting.map(\.id.rawValue)
    let waiting = resource.waiting.map(\.id.rawValue)
    for lock in resource.granted where !earlier.granted.contains(lock.id.rawValue) {
      // The flags at the master are the lock manager's; what counts is what was asked for.
      let flags = requestFlags(of: lock)
      guard let flags, flags.isDisjoint(with: mayOvertake) else { continue }
      let id = lock.id.rawValue
      if let place = earlier.converting.firstIndex(of: id) {
        // Otherwise it was cancelled, and has its old mode.
        guard lock.granted == earlier.wanted[id] else { continue }
        report(
          id, earlier.converting[..<place].filter(converting.contains), resource, node)
      } else if let place = earlier.waiting.firstIndex(of: id) {
        report(id, earlier.waiting[..<place].filter(waiting.contains), resource, node)
        report(id, earlier.converting.filter(converting.contains), resource, node)
      } else if !earlier.all.contains(id) {
        report(
          id,
          (earlier.waiting + earlier.converting).filter(
            Set(waiting + converting).contains), resource, node)
      }
    }
  }

  private mutating func report(
    _ id: UInt32, _ overtaken: [UInt32], _ resource: ResourceInspection, _ node: NodeID
  ) {
    guard let first = overtaken.first else { return }
    violate(
      .order,
      "node \(node): lock \(LockID(id)) of \(resource.name) is granted before \(LockID(first)),"
        + " which came earlier")
  }

  /// The flags with which the lock's owner called; nil if it is not known any more.
  private func requestFlags(of lock: LockInspection) -> LockFlags? {
    let handle =
      lock.handle
      ?? world.withStack(of: lock.owner) { $0.machine?.inspect(lock.remoteID)?.handle } ?? nil
    guard let handle, let application = locks[handle] else { return nil }
    return application.flags.union(application.requestFlags)
  }

  // MARK: Owners

  /// True if both run since the same start, so that what one tells the other counts.
  private func runTogether(_ one: NodeID, _ other: NodeID) -> Bool {
    guard let first = views[one], let second = views[other] else { return false }
    return first.isRunning && second.isRunning && first.epoch == second.epoch
  }

  /// A master's copy belongs to a lock that its owner has: the dead leave none.
  private mutating func checkGhosts(_ resource: ResourceInspection, of node: NodeID) {
    for lock in resource.locks where lock.owner != node {
      guard oracle.members.contains(lock.owner) || oracle.leaving[lock.owner] != nil else {
        // Its death may not have been noticed yet.
        if oracle.unnoticed[lock.owner] == nil, views[node]?.epoch == oracle.epoch {
          violate(
            .ghosts,
            "node \(node) keeps lock \(lock.id) of node \(lock.owner), which is gone")
        }
        continue
      }
      guard runTogether(node, lock.owner) else { continue }
      let own = world.withStack(of: lock.owner) { $0.machine?.inspect(lock.remoteID) } ?? nil
      if own?.handle == nil {
        violate(
          .ghosts,
          "node \(node) keeps lock \(lock.id) of \(resource.name) for node \(lock.owner), which"
            + " has no lock \(lock.remoteID)")
      }
    }
  }

  /// What an application counts on, the master keeps from others.
  private mutating func checkHolders(
    _ resource: ResourceInspection, _ index: Int, of node: NodeID
  ) {
    for lock in locks.values
    where lock.resource == index && lock.pending == .nothing && lock.held > .nl {
      guard runTogether(node, lock.node),
        let own = world.withStack(of: lock.node, { $0.machine?.inspect(lock.handle) }) ?? nil
      else { continue }
      let copy =
        lock.node == node
        ? own
        : resource.holders.first { $0.owner == lock.node && $0.remoteID == own.id }
      if copy.map({ $0.granted.covers(lock.held) }) != true {
        violate(
          .holderKnown,
          "node \(node) has \(copy?.granted.description ?? "nothing") for \(lock.handle) of node"
            + " \(lock.node), which holds \(lock.held) of \(resource.name)")
      }
    }
  }

  private mutating func checkSingleMaster(_ name: ResourceName, _ node: NodeID) {
    for other in views.keys where other != node && runTogether(node, other) {
      if world.withStack(of: other, { $0.machine?.masters(name) }) == true {
        violate(.singleMaster, "both node \(node) and node \(other) are master of \(name)")
      }
    }
  }
}

extension MasterQueues {
  init(_ resource: ResourceInspection) {
    converting = resource.converting.map(\.id.rawValue)
    wanted = Dictionary(
      resource.converting.map { ($0.id.rawValue, $0.requested) }, uniquingKeysWith: { $1 })
    waiting = resource.waiting.map(\.id.rawValue)
    granted = Set(resource.granted.map(\.id.rawValue))
    all = granted.union(converting).union(waiting)
  }
}
