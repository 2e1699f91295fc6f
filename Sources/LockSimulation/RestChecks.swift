import ClusterTypes
import LockManager
import LockProtocol

/// What must hold when nothing moves, and at the end.
extension LockSimulation {
  /// Nothing is under way: no order, no message, no recovery.
  var isQuiet: Bool {
    guard world.isNetworkQuiet, oracle.underWay == 0, !oracle.isChanging,
      oracle.unnoticed.isEmpty
    else { return false }
    return oracle.members.allSatisfy { node in
      views[node]?.isRunning == true && views[node]?.epoch == oracle.epoch
        && !waitsForConnection(node)
    }
  }

  /// An acknowledgement that was lost with a connection comes with the next message; whatever else
  /// was lost goes out again as soon as there is a connection.
  private func waitsForConnection(_ node: NodeID) -> Bool {
    world.withStack(of: node) { stack in
      oracle.members.contains {
        guard let peer = stack.peers[$0] else { return false }
        return peer.link.hasWork && peer.connections.isEmpty
      }
    } ?? false
  }

  var unrest: String {
    let busy = oracle.members.sorted().map { node in
      "node \(node) \(world.withStack(of: node) { "\($0.machine?.state, default: "gone")" } ?? "down")"
        + (world.withStack(of: node) { $0.openLinks } ?? "")
    }
    return "\(world.messagesInFlight) messages and \(oracle.underWay) orders under way; "
      + busy.joined(separator: ", ")
  }

  mutating func checkAtRest() {
    note("at rest")
    for node in oracle.members.sorted() {
      guard let all = world.withStack(of: node, { $0.machine?.inspectAll() }) ?? nil else {
        continue
      }
      if let waiting = world.withStack(of: node, { $0.machine?.waitingCount }) ?? nil, waiting > 0 {
        violate(.memory, "node \(node) still keeps \(waiting) messages and calls at rest")
      }
      for resource in all {
        checkDirectory(resource, at: node)
        for lock in resource.locks { checkAgreement(on: lock, of: resource, at: node) }
        if resource.master == node, !resource.isIdle { checkBlockersAreTold(resource, at: node) }
      }
    }
    checkApplications()
  }

  /// Owner and master have the same idea of a lock.
  private mutating func checkAgreement(
    on lock: LockInspection, of resource: ResourceInspection, at node: NodeID
  ) {
    if lock.isBusy {
      return violate(
        .liveness, "node \(node): an answer about lock \(lock.id) of \(resource.name) is due")
    }
    let other: NodeID
    if lock.handle != nil {
      guard let master = resource.master else {
        return violate(.agreement, "node \(node): \(resource.name) has locks and no master")
      }
      guard master != node else { return }
      other = master
    } else {
      guard resource.master == node else {
        return violate(
          .agreement, "node \(node) keeps a lock of \(lock.owner) on \(resource.name), not master")
      }
      other = lock.owner
    }
    guard let twin = world.withStack(of: other, { $0.machine?.inspect(lock.remoteID) }) ?? nil
    else {
      return violate(
        .agreement, "node \(node): lock \(lock.id) of \(resource.name) is unknown to \(other)")
    }
    // What the master demotes in the convert queue the owner learns with the grant (dlm-wire 8.5).
    let mayBeDemoted =
      lock.queue == .converting && lock.flags.contains(.conversionDeadlock)
      && (lock.granted == .nl || twin.granted == .nl)
    if twin.remoteID != lock.id || twin.queue != lock.queue
      || (twin.granted != lock.granted && !mayBeDemoted)
    {
      violate(
        .agreement,
        "node \(node) has lock \(lock.id) of \(resource.name) as \(lock.granted) \(lock.queue),"
          + " node \(other) as \(twin.granted) \(twin.queue)")
    }
  }

  /// The directory knows the master, and the master itself.
  private mutating func checkDirectory(_ resource: ResourceInspection, at node: NodeID) {
    guard !resource.isIdle, let master = resource.master else { return }
    let atMaster = world.withStack(of: master) { $0.machine?.inspect(resource.name) } ?? nil
    guard atMaster?.master == master else {
      return violate(
        .agreement, "node \(node): \(master) does not know that it masters \(resource.name)")
    }
    let record =
      world.withStack(of: resource.directory) { $0.machine?.inspect(resource.name) } ?? nil
    if record?.master != master {
      violate(
        .agreement,
        "directory node \(resource.directory) does not know master \(master) of \(resource.name)")
    }
  }

  /// Whoever keeps a request waiting was told so since it was granted, if it wanted to be.
  private mutating func checkBlockersAreTold(_ resource: ResourceInspection, at node: NodeID) {
    for waiter in resource.waiting {
      for holder in resource.granted
      where holder.granted.excludes(waiter.requested) && holder.wantsBlocking {
        let handle =
          holder.handle
          ?? world.withStack(of: holder.owner) { $0.machine?.inspect(holder.remoteID)?.handle }
          ?? nil
        guard let handle, let lock = locks[handle], lock.pending == .nothing, !lock.isOrphan,
          !lock.flags.union(lock.requestFlags).contains(.noOrder)
        else { continue }
        if lock.blocks.map({ holder.granted.excludes($0) }) != true {
          violate(
            .blocking,
            "\(handle) of node \(holder.owner) keeps node \(waiter.owner) from \(resource.name)"
              + " with \(holder.granted) and was not told")
        }
      }
    }
  }

  /// What applications think that they have, the lock manager has.
  private mutating func checkApplications() {
    for (handle, lock) in locks.sorted(by: { $0.key < $1.key }) {
      guard let own = world.withStack(of: lock.node, { $0.machine?.inspect(handle) }) ?? nil else {
        if case .adoption = lock.pending { continue }
        violate(.singleCompletion, "\(handle) of node \(lock.node) is gone and nobody was told")
        continue
      }
      let isGranted = own.queue == .granted
      if lock.pending == .nothing, !isGranted || own.granted != lock.held, !lock.isOrphanTaken {
        violate(
          .agreement,
          "\(handle) holds \(lock.held); its lock manager has \(own.granted) \(own.queue)")
      }
      if lock.pending == .request || lock.pending == .conversion, isGranted {
        violate(.singleCompletion, "\(handle) is granted and was not told")
      }
    }
  }

  // MARK: The end

  var isEverythingForgotten: Bool {
    oracle.members.allSatisfy { node in
      world.withStack(of: node) { $0.machine?.resourceCount == 0 } ?? true
    }
  }

  /// Everything has ended, and was forgotten everywhere.
  mutating func checkNothingLeft() {
    if let lock = locks.values.min(by: { $0.handle < $1.handle }) {
      violate(.liveness, "\(lock.handle) on node \(lock.node) never ended: \(lock.pending)")
    }
    for node in oracle.members.sorted() {
      let (locks, resources) =
        world.withStack(of: node) { stack in
          (
            stack.machine?.lockCount ?? 0,
            stack.machine?.resourceDescriptions().map {
              "\($0.name) master \($0.master.map(\.description) ?? "none") dir \($0.directory)"
            } ?? []
          )
        } ?? (0, [])
      if locks != 0 { violate(.liveness, "node \(node) still has \(locks) locks") }
      if !resources.isEmpty {
        violate(.memory, "node \(node) still remembers \(resources.joined(separator: ", "))")
      }
    }
    if violation == nil { violate(.liveness, "does not come to rest: \(unrest)") }
  }
}
