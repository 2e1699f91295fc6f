import ClusterTypes
import LockManager
import LockProtocol

/// Makes a machine faulty from outside: what it takes and what it gives is changed as if it had
/// decided so itself. The product's code stays as it is.
struct MutatedBoundary: Sendable {
  private var count = 0
  private var owesStop = false

  private mutating func isTurn(oneIn period: Int) -> Bool {
    count += 1
    return count % period == 0
  }

  // MARK: Inputs

  mutating func inputs(
    _ input: LockspaceMachine.Input, _ mutation: LockMutation, machine: LockspaceMachine?
  ) -> [LockspaceMachine.Input] {
    switch input {
    case .stop where mutation == .ignoresStop:
      owesStop = true
      return []
    case .start(let members, let departed):
      let start = LockspaceMachine.Input.start(
        members: members, departed: mutation == .ignoresDeparture ? [] : departed)
      defer { owesStop = false }
      return owesStop ? [.stop, start] : [start]
    case .receive(.lock(let message), let node):
      return locks(message, mutation, isRunning: machine?.state == .running).map {
        .receive(.lock($0), from: node)
      }
    case .receive(.recovery(var message), let node) where mutation == .skipsBarriers:
      if message.type == .statusReply, message.result > 0 { message.result = 0xFF }
      return [.receive(.recovery(message), from: node)]
    case .stop, .receive, .lock, .convert, .unlock, .cancel, .abandon, .purge, .timer:
      return [input]
    }
  }

  private func locks(
    _ message: LockMessage, _ mutation: LockMutation, isRunning: Bool
  ) -> [LockMessage] {
    var message = message
    let isRequest = message.type == .request || message.type == .lookup
    switch mutation {
    case .dropsRequestQueue where !isRunning: return []
    case .overtakes where isRequest: message.lockFlags.insert(.noOrder)
    case .grantsTooMuch where isRequest && message.requestedMode == .pr:
      message.requestedMode = .cr
    case .forgetsWrite where message.type == .unlock || message.type == .convert:
      message.lockFlags.remove(.valueBlock)
    default: break
    }
    return [message]
  }

  // MARK: Effects

  mutating func effects(
    _ effects: [LockspaceMachine.Effect], _ mutation: LockMutation, at node: NodeID
  ) -> [LockspaceMachine.Effect] {
    effects.flatMap { changed($0, mutation) }
  }

  private mutating func changed(
    _ effect: LockspaceMachine.Effect, _ mutation: LockMutation
  ) -> [LockspaceMachine.Effect] {
    switch effect {
    case .send(.lock(let message), let node): sent(message, to: node, mutation)
    case .send(.recovery(let message), let node): sent(message, to: node, mutation)
    case .completed(let handle, let outcome):
      switch mutation {
      case .completesTwice where isTurn(oneIn: 10): [effect, effect]
      case .losesCompletions where isTurn(oneIn: 20): []
      case .forgetsInvalidation:
        [.completed(handle, outcome.without(.valueNotValid))]
      default: [effect]
      }
    case .blocking where mutation == .forgetsBlocking && isTurn(oneIn: 3): []
    case .released, .blocking, .refused, .memberRemoved, .memberAdded, .recovered,
      .recoveryFailed, .wake:
      [effect]
    }
  }

  private mutating func sent(
    _ message: LockMessage, to node: NodeID, _ mutation: LockMutation
  ) -> [LockspaceMachine.Effect] {
    var message = message
    switch (mutation, message.type) {
    case (.namesTwoMasters, .lookupReply) where message.nodeID > 0:
      message.nodeID = node.rawValue
    case (.forgetsBlocking, .blocking) where isTurn(oneIn: 3): return []
    case (.losesGrants, .grant) where isTurn(oneIn: 5): return []
    case (.losesCancels, .cancel): return []
    case (.losesDownConversions, .convert)
    where message.requestedMode < message.grantedMode && isTurn(oneIn: 4):
      return []
    default: break
    }
    return [.send(.lock(message), to: node)]
  }

  private func sent(
    _ message: RecoveryMessage, to node: NodeID, _ mutation: LockMutation
  ) -> [LockspaceMachine.Effect] {
    var message = message
    if case .lock(var lock) = message.body {
      switch (mutation, lock.status) {
      case (.losesConversions, .converting):
        lock.status = .granted
        lock.waitType = 0
      case (.losesWaiters, .waiting):
        lock.status = .granted
        lock.grantedMode = .nl
      default: break
      }
      message.body = .lock(lock)
    }
    return [.send(.recovery(message), to: node)]
  }
}

extension LockOutcome {
  fileprivate func without(_ flag: LockStatusFlags) -> LockOutcome {
    var outcome = self
    outcome.flags.remove(flag)
    return outcome
  }
}
