import ClusterTypes

/// What this node has done about a lockspace.
struct LocalSpace: Hashable, Sendable {
  var name: LockspaceName
  var kind: UInt8
  /// The kernel, or the daemon's lock manager, runs it.
  var isRunning: Bool
  /// A start is asked for and not confirmed.
  var isStarting = false
  /// A stop is under way; its return acknowledges `stopWanted`.
  var isStopping = false
  var stopWanted: UInt64 = 0
  /// The generation for which this life of the daemon has stopped.
  var stopped: UInt64 = 0
  /// The generation that runs or was asked to.
  var started: UInt64

  init(name: LockspaceName, kind: UInt8) {
    self.name = name
    self.kind = kind
    isRunning = false
    started = 0
  }

  init(_ space: AdoptedSpace) {
    name = space.name
    kind = space.kind
    isRunning = space.isRunning
    started = space.generation
  }
}

// Stops and starts of this node's lockspaces (membership design, section 7). A stop is acknowledged
// when it has returned, and for exactly the generation that is decided; a start is carried out only by
// the life of the daemon that acknowledged the stop before it, with a valid lease.

extension EmbeddedMembership {
  mutating func updateSpaces(_ effects: inout [EmbeddedEffect]) {
    guard stage == .member else { return }
    for space in applied.spaces {
      guard space.members.contains(me) || space.leaving.contains(me) else { continue }
      if !spaces.contains(where: { $0.name == space.name }) {
        spaces.append(LocalSpace(name: space.name, kind: space.kind))
      }
      if space.phase == .stopping { stop(space, &effects) }
    }
    startSpaces(&effects)
    dropLeftSpaces(&effects)
  }

  private mutating func stop(_ space: Space, _ effects: inout [EmbeddedEffect]) {
    guard let index = spaces.firstIndex(where: { $0.name == space.name }),
      spaces[index].stopWanted < space.generation
    else { return }
    spaces[index].stopWanted = space.generation
    let isForgotten = defects.contains(.adoptFromMemory) && spaces[index].stopped == 0
    if (spaces[index].isRunning || spaces[index].isStarting) && !isForgotten {
      spaces[index].isStarting = false
      if !spaces[index].isStopping {
        spaces[index].isStopping = true
        effects.append(
          .stopSpace(space.name, kind: space.kind, generation: space.generation))
      }
      if defects.contains(.acknowledgeBeforeStop) { spaces[index].stopped = space.generation }
    } else if !spaces[index].isStopping {
      acknowledgeStop(index, &effects)
    }
  }

  private mutating func acknowledgeStop(_ index: Int, _ effects: inout [EmbeddedEffect]) {
    spaces[index].isRunning = false
    spaces[index].isStopping = false
    spaces[index].stopped = spaces[index].stopWanted
    if consensus.isLeader {
      leader?.isDue = true
    } else {
      // The news goes with a ping of its own, at once.
      nextHeartbeat = now
    }
  }

  mutating func spaceStopped(
    _ name: LockspaceName, _ generation: UInt64, _ effects: inout [EmbeddedEffect]
  ) {
    guard let index = spaces.firstIndex(where: { $0.name == name }), spaces[index].isStopping else {
      return
    }
    acknowledgeStop(index, &effects)
  }

  mutating func spaceStarted(_ name: LockspaceName, _ generation: UInt64) {
    guard let index = spaces.firstIndex(where: { $0.name == name }),
      spaces[index].started == generation, spaces[index].isStarting
    else { return }
    spaces[index].isStarting = false
    spaces[index].isRunning = true
    nextHeartbeat = now
  }

  mutating func spaceStuck(
    _ name: LockspaceName, _ generation: UInt64, _ waitsFor: NodeSlot?
  ) {
    guard let space = applied.space(name), space.generation == generation,
      space.phase == .started, space.members.contains(me)
    else { return }
    enqueue(.restartSpace(name, waitsFor: waitsFor))
  }

  /// Carries out what may start: decided, stopped here in this life, and with a lease. The dirt is on
  /// disk before, and whom only reservations keep from writing is read again.
  mutating func startSpaces(_ effects: inout [EmbeddedEffect]) {
    guard stage == .member, now < lease else { return }
    for space in applied.spaces where space.phase == .started && space.members.contains(me) {
      // Decided for an earlier life of the daemon: the decision that tells this one stops it first.
      guard space.kind != Space.kindOfDaemon || isLifeTold || defects.contains(.untoldLife) else {
        continue
      }
      guard let index = spaces.firstIndex(where: { $0.name == space.name }),
        spaces[index].started < space.generation, !spaces[index].isStopping
      else { continue }
      guard spaces[index].stopped == space.generation else {
        doubt(index, space)
        continue
      }
      guard state.wasDirty else {
        consensus.stable.change { $0.wasDirty = true }
        consensus.whenDurable(.dirtyMark, &consensusEffects)
        return
      }
      guard consensus.stable.isDurable else {
        consensus.whenDurable(.dirtyMark, &consensusEffects)
        return
      }
      guard areExclusionsRead(&effects) else { return }
      start(index, space, &effects)
    }
  }

  /// All members know that this daemon runs nothing of what an earlier life of it ran.
  private var isLifeTold: Bool { applied[member: me]?.life == life }

  private mutating func start(
    _ index: Int, _ space: Space, _ effects: inout [EmbeddedEffect]
  ) {
    spaces[index].started = space.generation
    spaces[index].isStarting = true
    let members = space.members.compactMap { slot in
      applied[member: slot].map {
        NodeInstanceSlot(slot: slot, incarnation: $0.incarnation)
      }
    }
    effects.append(
      .startSpace(
        space.name, kind: space.kind, generation: space.generation, members: members))
  }

  /// The record says that it runs, and this life has not stopped it: what the kernel has is not known
  /// for certain. Stop and start on all loses nothing; a lone start would.
  private mutating func doubt(_ index: Int, _ space: Space) {
    guard !outbox.contains(where: { $0.request == .restartSpace(space.name, waitsFor: nil) }) else {
      return
    }
    enqueue(.restartSpace(space.name, waitsFor: nil))
  }

  private mutating func dropLeftSpaces(_ effects: inout [EmbeddedEffect]) {
    for local in spaces {
      let space = applied.space(local.name)
      if space?.members.contains(me) == true || space?.leaving.contains(me) == true { continue }
      effects.append(.leftSpace(local.name, kind: local.kind))
    }
    spaces.removeAll { local in
      let space = applied.space(local.name)
      return space?.members.contains(me) != true && space?.leaving.contains(me) != true
    }
  }

  /// What the leader waits for, repeated in every ping. A re-adopted daemon says nothing before it has
  /// a lease: it must know the record first.
  var spaceAcknowledgements: (stopped: [UInt64], running: [UInt64]) {
    guard stage == .member, !spaces.isEmpty else { return ([], []) }
    var stopped: [UInt64] = []
    var running: [UInt64] = []
    for local in spaces {
      guard let space = applied.space(local.name) else { continue }
      if space.phase == .stopping, defects.contains(.acknowledgeAnyGeneration), local.stopped > 0 {
        stopped.append(space.generation)
      } else if space.phase == .stopping, local.stopped == space.generation {
        stopped.append(space.generation)
      } else if local.isRunning, local.started == space.generation {
        running.append(space.generation)
      }
    }
    return (stopped, running)
  }
}

extension EmbeddedMembership {
  /// Who has stopped for a generation, as this node has heard.
  public func nodesStopped(for generation: UInt64) -> NodeSet {
    acknowledged(generation, by: spaceAcknowledgements.stopped, \.stopped)
  }

  /// Who runs a generation, as this node has heard.
  public func nodesRunning(_ generation: UInt64) -> NodeSet {
    acknowledged(generation, by: spaceAcknowledgements.running, \.running)
  }

  private func acknowledged(
    _ generation: UInt64, by own: [UInt64], _ theirs: KeyPath<Peer, [UInt64]>
  ) -> NodeSet {
    NodeSet(
      applied.memberSet.filter { slot in
        (slot == me ? own : peers[slot.number][keyPath: theirs]).contains(generation)
      })
  }
}
