import ClusterTypes

/// A command on its way to all addressed nodes, and their answers.
extension ClusterLockingMachine {
  mutating func distribute(_ command: ClusterLockingNodeCommand, _ id: ClusterLockingJobID) {
    guard let request = requests[id]?.request else { return }
    remember(command, request.destination, id)
    if request.destination == .otherNodes {
      note(.init(), of: configuration.node, in: id)
    }
    let targets = nodes(of: request.destination)
    requests[id]?.waiting = Set(targets)
    let deadline = now + timeout(of: command)
    requests[id]?.deadline = deadline
    for node in targets where node != configuration.node {
      if silentNodes.contains(node) {
        // It must not miss a resume, whenever it wakes up.
        if command.resumesVolume { effects.append(.send(node, .execute(id, command))) }
        timedOut(node, id)
      } else {
        effects.append(.send(node, .execute(id, command)))
      }
    }
    if targets.contains(configuration.node) { startJob(id, command) }
    finishIfAnswered(id)
  }

  /// An activation holds nobody's I/O, and may have to check a pool first.
  private func timeout(of command: ClusterLockingNodeCommand) -> Duration {
    guard case .volume(let operation) = command, operation.kind.isActivation else {
      return configuration.nodeTimeout
    }
    return max(configuration.nodeTimeout, Configuration.activationTimeoutMin)
  }

  /// Keeps what the client has suspended, to be resumed should it die.
  private mutating func remember(
    _ command: ClusterLockingNodeCommand, _ destination: ClusterLockingRequest.Destination,
    _ id: ClusterLockingJobID
  ) {
    guard case .volume(let operation) = command, case .client(let client) = requests[id]?.purpose,
      operation.kind == .suspend, !operation.options.contains(.test)
    else { return }
    clients[client]?.suspended.removeAll { $0.operation.volume == operation.volume }
    clients[client]?.suspended.append(Suspension(operation: operation, destination: destination))
  }

  mutating func answered(
    _ id: ClusterLockingJobID, by node: NodeID, _ result: ClusterLockingNodeResult
  ) {
    guard requests[id]?.waiting.remove(node) != nil else { return }
    note(result, of: node, in: id)
    if result.hasActivated { requests[id]?.activated.append(node) }
    finishIfAnswered(id)
  }

  private mutating func note(
    _ result: ClusterLockingNodeResult, of node: NodeID, in id: ClusterLockingJobID
  ) {
    let entry = ClusterLockingReply.Entry(
      node: name(of: node), status: result.status, text: result.text)
    requests[id]?.entries.append(entry)
  }

  private mutating func timedOut(_ node: NodeID, _ id: ClusterLockingJobID) {
    guard requests[id]?.waiting.remove(node) != nil else { return }
    note(.init(.timedOut), of: node, in: id)
  }

  mutating func timePassed() {
    for id in requests.keys.sorted() {
      guard let request = requests[id], let deadline = request.deadline, deadline <= now else {
        continue
      }
      for node in request.waiting.sorted() {
        effects.append(
          .log(.error, "node \(name(of: node)) did not carry a command of LVM out in time"))
        if node != configuration.node {
          silentNodes.insert(node)
          effects.append(.send(node, .cancel(id)))
        }
        timedOut(node, id)
      }
      finishIfAnswered(id)
    }
  }

  /// Nodes that were fenced, or left, answer no more and hold no mapping any more.
  ///
  /// But a daemon that was killed and started again has the volume active as before, and the suspend
  /// has passed it by: nothing may be committed then. Going back is always safe.
  mutating func forget(_ gone: Set<NodeID>, in id: ClusterLockingJobID) {
    guard let request = requests[id], !request.waiting.isDisjoint(with: gone) else { return }
    if case .volume(let operation) = request.request.command, operation.kind == .suspend {
      for node in request.waiting.intersection(gone).sorted() {
        note(.init(.notRunning), of: node, in: id)
      }
    }
    requests[id]?.waiting.subtract(gone)
    finishIfAnswered(id)
  }

  private mutating func finishIfAnswered(_ id: ClusterLockingJobID) {
    guard let request = requests[id], request.deadline != nil, request.waiting.isEmpty else {
      return
    }
    requests[id]?.deadline = nil
    if undoes(request, id) { return }
    switch request.purpose {
    case .undo(let original):
      requests[id] = nil
      for entry in request.entries where entry.status != 0 {
        effects.append(
          .log(.error, "an activation could not be undone on node \(entry.node): \(entry.text)"))
      }
      complete(original)
    case .client: complete(id)
    }
  }

  /// What a failed activation has activated is deactivated again.
  private mutating func undoes(_ request: RunningRequest, _ id: ClusterLockingJobID) -> Bool {
    guard case .volume(var operation) = request.request.command, operation.kind.isActivation,
      !request.activated.isEmpty, request.entries.contains(where: { $0.status != 0 })
    else { return false }
    operation.kind = .deactivate
    let undo = nextJob()
    requests[undo] = RunningRequest(
      purpose: .undo(of: id), request: .init(.volume(operation), on: .allNodes),
      waiting: Set(request.activated), deadline: now + configuration.nodeTimeout)
    for node in request.activated {
      if node == configuration.node {
        startJob(undo, .volume(operation))
      } else {
        effects.append(.send(node, .execute(undo, .volume(operation))))
      }
    }
    return true
  }

  private mutating func complete(_ id: ClusterLockingJobID) {
    guard let request = requests[id] else { return }
    if case .volume(let operation) = request.request.command, operation.kind == .resume,
      !operation.options.contains(.test), case .client(let client) = request.purpose
    {
      clients[client]?.suspended.removeAll { $0.operation.volume == operation.volume }
      if operation.isClustered { weakenLock(of: operation.volume, request.isActiveHere) }
    }
    finish(id, .init(request.entries.reversed()))
  }

  /// The lock of a volume that was suspended goes back to what it was: shared where the volume is
  /// active, none where it only protected the suspend.
  private mutating func weakenLock(of volume: String, _ isActiveHere: Bool?) {
    guard let lock = volumeLocks[volume], lock.granted == .protectedWrite,
      lock.requested == nil
    else { return }
    if isActiveHere == true {
      requestVolumeLock(volume, .concurrentRead, .weakening(volume: volume))
    } else {
      releaseVolumeLock(volume)
    }
  }

  mutating func finish(_ id: ClusterLockingJobID, _ reply: ClusterLockingReply) {
    guard case .client(let client) = requests.removeValue(forKey: id)?.purpose else { return }
    clients[client]?.request = nil
    self.reply(to: client, reply)
    cleanUp(client)
  }

  mutating func received(_ message: ClusterLockingMessage, from node: NodeID) {
    silentNodes.remove(node)
    switch message {
    case .execute(let id, let command):
      guard id.origin == node, jobs[id] == nil else { return }
      startJob(id, command)
    case .result(let id, let result): answered(id, by: node, result)
    case .cancel(let id): if id.origin == node { cancelJob(id) }
    }
  }
}

extension ClusterLockingNodeCommand {
  var resumesVolume: Bool {
    if case .volume(let operation) = self { operation.kind == .resume } else { false }
  }
}

extension ClusterLockingRequest.VolumeOperation.Kind {
  var isActivation: Bool { self == .activateShared || self == .activateExclusive }

  /// The mode in which a node holds the lock of a volume that it has activated.
  var activationMode: ClusterLockingMode {
    self == .activateExclusive ? .exclusive : .concurrentRead
  }
}
