import ClusterTypes
import LockProtocol

/// A request that reached the wrong node, until its next try.
struct PausedRequest: Sendable {
  let lock: LockID
  let until: Timestamp
}

/// How an owner finds the master of a resource (dlm-wire 11.5), and how a node decides whether it
/// is one (11.4).
extension LockspaceMachine {
  enum MasterSearch: Sendable {
    case here
    case elsewhere(NodeID)
    case askDirectory(NodeID)
    /// An earlier request of this node finds out.
    case behindFirst
  }

  /// The resource for a call of this node: known, remembered, or new.
  mutating func useResource(named name: ResourceName) -> ResourceID {
    let hash = name.hash
    if let id = resources.find(name, hash: hash) {
      if resources[id].idleSince != nil {
        // Nobody told this node if the master changed meanwhile.
        let master = resources[id].master
        resources[id].isMasterUncertain =
          configuration.usesDirectory && master != nil && master != localNode
        resources[id].idleSince = nil
      }
      return id
    }
    let directory = directoryNode(forHash: hash)
    return makeResource(
      named: name, hash: hash, master: directory == localNode ? localNode : nil)
  }

  /// - Parameter hash: that of `name`.
  mutating func makeResource(named name: ResourceName, hash: UInt32, master: NodeID?) -> ResourceID
  {
    let directory = directoryNode(forHash: hash)
    return resources.insert(
      Resource(
        name: name, hash: hash, directory: directory,
        master: configuration.usesDirectory ? master : directory))
  }

  /// Without members there are no calls and no messages to ask for.
  func directoryNode(forHash hash: UInt32) -> NodeID { directory.node(forHash: hash) ?? localNode }

  mutating func findMaster(for id: LockID) -> MasterSearch {
    let resource = locks[id].resource
    if resources[resource].isMasterUncertain {
      resources[resource].isMasterUncertain = false
      resources[resource].first = id
    }
    if let first = resources[resource].first, first != id { return .behindFirst }
    if let master = resources[resource].master {
      return master == localNode ? .here : .elsewhere(master)
    }
    if resources[resource].directory == localNode {
      resources[resource].master = localNode
      return .here
    }
    resources[resource].first = id
    return .askDirectory(resources[resource].directory)
  }

  /// A request was accepted: the master is certain, all others go.
  mutating func masterFound(on resource: ResourceID) {
    resources[resource].first = nil
    if resources[resource].behindFirst.isEmpty { return }
    let others = resources[resource].behindFirst
    resources[resource].behindFirst = []
    for id in others { request(id) }
  }

  /// The first request ended without the master being known for sure: the next becomes first.
  private mutating func nextBecomesFirst(on resource: ResourceID, after id: LockID) {
    guard resources[resource].first == id else { return }
    resources[resource].first = nil
    guard !resources[resource].behindFirst.isEmpty else { return }
    let next = resources[resource].behindFirst.removeFirst()
    resources[resource].first = next
    request(next)
  }

  /// `completeAndForget` for a request that may be the first or wait behind it.
  mutating func completeAndForget(
    _ id: LockID, _ result: LockOutcome.Result, thenNextOn resource: ResourceID
  ) {
    leaveSearch(id)
    completeAndForget(id, result)
    nextBecomesFirst(on: resource, after: id)
  }

  mutating func releaseAndForget(_ id: LockID, thenNextOn resource: ResourceID) {
    leaveSearch(id)
    releaseAndForget(id)
    nextBecomesFirst(on: resource, after: id)
  }

  private mutating func leaveSearch(_ id: LockID) {
    switch locks[id].outstanding {
    case .behindFirst: resources[locks[id].resource].behindFirst.removeFirst(equalTo: id)
    case .pause: pausedRequests.removeAll { $0.lock == id }
    case .nothing, .reply: break
    }
  }

  /// The node that is to be master may not know it yet: without a pause the two would exchange
  /// messages as fast as they can.
  mutating func pauseRequest(_ id: LockID) {
    locks[id].outstanding = .pause
    pausedRequests.append(
      PausedRequest(lock: id, until: now + configuration.masterSearchPause))
  }

  mutating func resumePausedRequests() {
    while let paused = pausedRequests.first, paused.until <= now {
      pausedRequests.removeFirst()
      request(paused.lock)
    }
  }

  enum MasterRefusal: Error, Sendable {
    case notMaster, unknownResource

    var result: LockResult {
      switch self {
      case .notMaster: .notMaster
      case .unknownResource: .unknownResource
      }
    }
  }

  /// The resource on which a request of `node` is to be served here. The directory node is the
  /// authority: a request from it says that this node is the master.
  mutating func masterResource(
    named name: ResourceName, requestedBy node: NodeID
  ) -> Result<ResourceID, MasterRefusal> {
    let hash = name.hash
    let directory = directoryNode(forHash: hash)
    guard configuration.usesDirectory || directory == localNode else { return .failure(.notMaster) }
    let isFromDirectory = directory == node
    guard let id = resources.find(name, hash: hash) else {
      guard isFromDirectory || directory == localNode else {
        return .failure(.unknownResource)
      }
      return .success(makeResource(named: name, hash: hash, master: localNode))
    }
    guard isMaster(of: id) || isFromDirectory else { return .failure(.notMaster) }
    resources[id].master = localNode
    resources[id].isMasterUncertain = false
    resources[id].idleSince = nil
    return .success(id)
  }
}
