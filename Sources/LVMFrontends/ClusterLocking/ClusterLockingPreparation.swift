import ClusterTypes

/// What a request needs on the node that was asked, before any node does its part.
extension ClusterLockingMachine {
  struct RunningRequest: Sendable {
    enum Purpose: Sendable {
      case client(ClientID)
      /// Takes back what another request did on some nodes.
      case undo(of: ClusterLockingJobID)
    }

    let purpose: Purpose
    let request: ClusterLockingRequest
    /// Of a lock of a volume group that is waited for.
    var token: LockToken?
    /// Nodes that have not answered.
    var waiting: Set<NodeID> = []
    var deadline: Timestamp?
    var entries: [ClusterLockingReply.Entry] = []
    /// Nodes on which the volume was not active before.
    var activated: [NodeID] = []
    /// Whether this node had a device of the volume in the end; nil when it was not looked at.
    var isActiveHere: Bool?
  }

  mutating func begin(_ request: ClusterLockingRequest, for client: ClientID) {
    let id = nextJob()
    requests[id] = RunningRequest(purpose: .client(client), request: request)
    clients[client]?.request = id
    switch request.command {
    case .lock(let operation): lockGroup(operation, id, client)
    case .volume(let operation): prepare(operation, id)
    case .cache(let action): distribute(.cache(action), id)
    case .refresh: distribute(.refresh, id)
    case .setDebugLevel(let level): distribute(.setDebugLevel(level), id)
    case .test(let text): distribute(.test(text), id)
    case .query(let resource): distribute(.query(resource: resource), id)
    case .backUp(let group): backUp(group, id)
    case .syncNames: finishAtOnce(id)
    case .clusterName: finishAtOnce(id, text: configuration.clusterName)
    case .restart:
      effects.append(
        .restart(
          exclusive: volumeLocks.filter { $0.value.granted == .exclusive }.map(\.key).sorted()))
      finishAtOnce(id)
    }
  }

  private mutating func lockGroup(
    _ operation: GroupLockOperation, _ id: ClusterLockingJobID, _ client: ClientID
  ) {
    guard let mode = operation.mode else {
      guard clients[client]?.locks[operation.resource] != nil else {
        return finish(id, .init(.invalid))
      }
      release(operation.resource, of: client)
      return finishAtOnce(id)
    }
    guard checkQuorum(id) else { return }
    // Two locks of one client on one resource would wait for each other.
    release(operation.resource, of: client)
    let token = nextToken(.group(id, resource: operation.resource))
    requests[id]?.token = token
    effects.append(
      .lock(
        token, resource: operation.resource, mode, isQueued: operation.isQueued, isReclaim: false))
  }

  mutating func groupLockEnded(
    _ id: ClusterLockingJobID, _ resource: String, _ token: LockToken,
    _ refusal: ClusterLockRefusal?
  ) {
    tokens[token] = nil
    guard case .client(let client) = requests[id]?.purpose else { return }
    switch refusal {
    case nil:
      clients[client]?.locks[resource] = token
      finishAtOnce(id)
    case .heldElsewhere, .cancelled: finish(id, .init(.wouldBlock))
    case .failed(let reason):
      effects.append(.log(.error, "lock of \(resource): \(reason)"))
      finish(id, .init(.failed))
    }
  }

  /// A suspend first makes sure that nobody else suspends the volume, and that nobody else has it
  /// exclusively.
  private mutating func prepare(_ operation: VolumeOperation, _ id: ClusterLockingJobID) {
    guard operation.isClustered, !operation.options.contains(.test) else {
      return distribute(.volume(operation), id)
    }
    guard checkQuorum(id) else { return }
    guard operation.kind == .suspend else { return distribute(.volume(operation), id) }
    guard !isVolumeLockBusy(operation.volume) else { return finish(id, .init(.busy)) }
    switch volumeLocks[operation.volume]?.granted {
    case .protectedWrite, .exclusive: distribute(.volume(operation), id)
    case nil, .concurrentRead, .protectedRead:
      requestVolumeLock(
        operation.volume, .protectedWrite, .suspending(id, volume: operation.volume))
    }
  }

  mutating func suspendLockEnded(_ id: ClusterLockingJobID, _ refusal: ClusterLockRefusal?) {
    guard case .volume(let operation) = requests[id]?.request.command else { return }
    switch refusal {
    case nil: distribute(.volume(operation), id)
    case .heldElsewhere, .cancelled: finish(id, .init(.wouldBlock))
    case .failed(let reason):
      effects.append(.log(.error, "lock of volume \(operation.volume): \(reason)"))
      finish(id, .init(.failed))
    }
  }

  /// The original lets commands hang without a word; ours end with "Resource temporarily
  /// unavailable".
  private mutating func checkQuorum(_ id: ClusterLockingJobID) -> Bool {
    if isQuorate { return true }
    effects.append(.log(.warning, "a command of LVM is refused: the cluster has no quorum"))
    finish(id, .init(.wouldBlock))
    return false
  }

  /// Not on this node, where the command does it, and nobody waits: a backup must not fail it.
  private mutating func backUp(_ group: String, _ id: ClusterLockingJobID) {
    for node in members where node != configuration.node && !silentNodes.contains(node) {
      effects.append(.send(node, .execute(nextJob(), .backUp(volumeGroup: group))))
    }
    finishAtOnce(id)
  }

  /// All addressed nodes have, by what they did earlier, done their part already.
  private mutating func finishAtOnce(_ id: ClusterLockingJobID, text: String = "") {
    guard let request = requests[id]?.request else { return }
    finish(
      id,
      .init(nodes(of: request.destination).reversed().map { .init(node: name(of: $0), text: text) })
    )
  }

  /// The client is gone: a lock that is waited for is not wanted any more.
  mutating func abandon(_ id: ClusterLockingJobID) {
    if let token = requests[id]?.token, tokens[token] != nil { effects.append(.cancel(token)) }
  }
}
