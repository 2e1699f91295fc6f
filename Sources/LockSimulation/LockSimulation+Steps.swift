import ClusterSimulation
import ClusterTypes
import LockManager
import LockProtocol

/// After each step of a node: what it told is passed on, and what it did is checked.
extension LockSimulation {
  /// - Parameter resource: what an application's call was about.
  mutating func examine(_ reports: [LockReport], of node: NodeID, about resource: Int? = nil) {
    var touched = resource.map(Touched.resource) ?? .nothing
    let isRecovering = reports.contains { if case .effect(.recovered) = $0 { true } else { false } }
    if isRecovering {
      checkRebuilt(beforeRunningOn: node)
      views[node]?.isRunning = true
    }
    for report in reports {
      switch report {
      case .received(let packet, let from, let life):
        received(packet, from: from, life: life, at: node)
        touched.add(packet)
      case .effect(let effect):
        checkSilence(effect, of: node)
        touched.add(effect)
        take(effect, of: node)
      case .stopped(let epoch): answerStop(node, epoch: epoch)
      case .started: break
      case .lost(let peer):
        note("node \(node) has lost node \(peer)")
        fence(peer)
      case .minded(let packet, let from):
        violate(.oldMessages, "node \(node) minds \(packet.summary) of node \(from)")
      }
    }
    checkMemory(of: node)
    guard views[node]?.isRunning == true else { return }
    switch touched {
    case .nothing: break
    case .resource(let index): checkMaster(node, resource: index)
    case .all:
      if isRecovering { views[node]?.queues = [:] }
      for index in 0..<scenario.resourceCount { checkMaster(node, resource: index) }
    }
  }

  private mutating func received(
    _ packet: Packet, from: NodeID, life: NodeLife, at node: NodeID
  ) {
    deliveryCount += 1
    note("\(from)>\(node) \(packet.summary)")
    let enabled = world.withStack(of: node) { $0.peers[from]?.life } ?? nil
    if let enabled, life < enabled {
      violate(.oldMessages, "node \(node) takes a message of an earlier life of node \(from)")
    }
  }

  private mutating func take(_ effect: LockspaceMachine.Effect, of node: NodeID) {
    switch effect {
    case .send, .wake, .memberAdded, .memberRemoved: break
    case .recovered(let generation, _):
      note("node \(node) has recovered, generation \(generation)")
      if let earlier = views[node]?.generation, generation <= earlier {
        violate(.recovery, "node \(node): generation \(generation) after \(earlier)")
      }
      views[node]?.generation = generation
    case .recoveryFailed(let failure): violate(.recovery, "node \(node): \(failure)")
    case .completed(let handle, let outcome): completed(handle, outcome)
    case .released(let handle): released(handle)
    case .blocking(let handle, let mode): blocking(handle, mode)
    case .refused(let handle, let refusal): refused(handle, refusal)
    }
  }

  private mutating func answerStop(_ node: NodeID, epoch: Int) {
    guard let life = world.life(of: node) else { return }
    oracle.underWay += 1
    world.schedule(
      .stopped(node, life, epoch: epoch),
      after: .microseconds(Int64.random(in: 50...5000, using: &random)))
  }

  /// A node that cannot be reached any more is killed.
  private mutating func fence(_ node: NodeID) {
    guard oracle.members.contains(node), world.life(of: node) != nil else { return }
    crash(node)
  }

  /// From stop to the end of recovery no application hears of anything, and no lock message leaves.
  private mutating func checkSilence(_ effect: LockspaceMachine.Effect, of node: NodeID) {
    guard let view = views[node], !view.isRunning else { return }
    switch effect {
    case .completed, .released, .blocking, .refused, .send(.lock, _):
      violate(.silence, "node \(node) does not keep quiet: \(effect)")
    case .send(.recovery, _), .wake, .memberAdded, .memberRemoved, .recovered, .recoveryFailed:
      break
    }
  }

  /// What waits for a peer is bounded by the link's limits, what waits for the end of a recovery by
  /// what the others could send before they were stopped.
  private mutating func checkMemory(of node: NodeID) {
    let limit = scenario.linkLimit
    let (most, waiting) =
      world.withStack(of: node) { stack in
        (
          stack.peers.values.lazy.map(\.link.unacknowledgedCount).max() ?? 0,
          stack.machine?.waitingCount ?? 0
        )
      } ?? (0, 0)
    if most > limit { violate(.memory, "node \(node) keeps \(most) messages for a peer") }
    if waiting > 4000 { violate(.memory, "node \(node) keeps \(waiting) messages and calls") }
  }
}

/// Which resources a step can have changed.
private enum Touched {
  case nothing
  case resource(Int)
  case all

  private static let indexByHash: [UInt32: Int] = Dictionary(
    uniqueKeysWithValues: Names.resources.enumerated().map { ($1.hash, $0) })

  mutating func add(_ packet: Packet) {
    switch packet {
    case .lock(let message):
      // Answers without a lock carry no hash.
      if message.hash == 0 { self = .all } else { add(hash: message.hash) }
    case .recovery(let message): if message.type != .status { self = .all }
    }
  }

  mutating func add(_ effect: LockspaceMachine.Effect) {
    switch effect {
    case .send(.lock(let message), _): if message.hash != 0 { add(hash: message.hash) }
    case .completed, .released, .recovered: self = .all
    case .send(.recovery, _), .blocking, .refused, .memberAdded, .memberRemoved,
      .recoveryFailed, .wake:
      break
    }
  }

  private mutating func add(hash: UInt32) {
    guard let index = Self.indexByHash[hash] else { return }
    switch self {
    case .nothing: self = .resource(index)
    case .resource(let other): if other != index { self = .all }
    case .all: break
    }
  }
}

extension Packet {
  /// One line for a transcript.
  var summary: String {
    switch self {
    case .lock(let message):
      "\(message.type) lkid \(message.lockID) remid \(message.remoteID)"
        + " \(message.grantedMode)/\(message.requestedMode) result \(message.result)"
        + "\(message.lockFlags.words) node \(message.nodeID)"
        + (message.type == .request || message.type == .lookup
          ? " \(message.resourceName.map(\.description) ?? "")" : "")
    case .recovery(let message):
      "\(message.type) result \(message.result) seq \(message.sequence)/\(message.sequenceReply)"
        + message.lockWords
    }
  }
}

extension RecoveryMessage {
  /// The lock that is sent to its new master, or acknowledged by it.
  fileprivate var lockWords: String {
    switch body {
    case .lock(let lock), .lockReply(let lock):
      " \(lock.resourceName) lkid \(lock.lockID) remid \(lock.remoteID) \(lock.grantedMode)/"
        + "\(lock.requestedMode) \(lock.status) result \(lock.result)"
    case .lookup(let name): " \(name)"
    case .status, .names, .statusReply, .namesReply, .lookupReply: ""
    }
  }
}
