import ClusterTypes

/// Connections: what may be asked, and what becomes of a client that goes.
extension ClusterLockingMachine {
  mutating func received(_ request: ClusterLockingRequest, from id: ClientID) {
    guard let client = clients[id], !client.isClosed else { return }
    guard client.request == nil else { return reply(to: id, .init(.busy)) }
    if case .node(let name) = request.destination, node(named: name) == nil {
      return reply(to: id, .init(.noSuchNode))
    }
    begin(request, for: id)
  }

  mutating func malformed(_ error: ClusterLockingRequestError, from client: ClientID) {
    guard let processID = clients[client]?.processID else { return }
    switch error {
    case .malformed(let reason):
      effects.append(.log(.warning, "process \(processID) was disconnected: \(reason)"))
      effects.append(.closeClient(client))
    case .tooLarge:
      effects.append(.log(.warning, "process \(processID) sent a request that is too large"))
      reply(to: client, .init(.invalid))
      effects.append(.closeClient(client))
    case .refused(let status): reply(to: client, .init(status))
    case .refusedByNodes(let status, let destination):
      let entries = nodes(of: destination).map {
        ClusterLockingReply.Entry(node: name(of: $0), status: status.rawValue, text: status.text)
      }
      reply(to: client, .init(entries))
    }
  }

  mutating func reply(to client: ClientID, _ reply: ClusterLockingReply) {
    guard clients[client]?.isClosed == false else { return }
    effects.append(.reply(client, reply.encoded))
  }

  mutating func clientClosed(_ id: ClientID) {
    guard let client = clients[id] else { return }
    clients[id]?.isClosed = true
    if let request = client.request { abandon(request) } else { cleanUp(id) }
  }

  /// Resumes what a closed client has left suspended, one volume after the other, then releases its
  /// locks. Without a quorum nothing may be resumed: it goes on when there is one.
  mutating func cleanUp(_ id: ClientID) {
    guard let client = clients[id], client.isClosed, client.request == nil else { return }
    if let suspension = client.suspended.first {
      guard isQuorate else { return }
      var operation = suspension.operation
      operation.kind = .resume
      operation.options = operation.options.intersection([.originOnly])
      effects.append(
        .log(
          .warning,
          """
          process \(client.processID) ended and left volume \(operation.volume) suspended: \
          resuming it on what the disk says
          """))
      return begin(ClusterLockingRequest(.volume(operation), on: suspension.destination), for: id)
    }
    for resource in client.locks.keys.sorted() { release(resource, of: id) }
    clients[id] = nil
  }

  mutating func release(_ resource: String, of client: ClientID) {
    guard let token = clients[client]?.locks.removeValue(forKey: resource) else { return }
    tokens[token] = nil
    effects.append(.unlock(token))
  }

  /// Who carries a command out; only members do.
  func nodes(of destination: ClusterLockingRequest.Destination) -> [NodeID] {
    switch destination {
    case .allNodes: members.contains(configuration.node) ? members : [configuration.node]
    case .otherNodes: members.filter { $0 != configuration.node }
    case .thisNode: [configuration.node]
    case .node(let name): node(named: name).map { [$0] } ?? []
    }
  }

  func node(named name: String) -> NodeID? {
    ([configuration.node] + members).first { self.name(of: $0) == name }
  }
}
