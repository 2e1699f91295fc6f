import ClusterTypes

/// Requests for locks, on their way to the `LockResource` that decides.
extension LockDaemonMachine {
  static let globalName: LockspaceName = {
    guard let name = LockspaceName(Lockspace.globalText) else {
      preconditionFailure("a fixed name is valid")
    }
    return name
  }()

  /// The first lock on `lvm_global` starts its lockspace.
  mutating func lockGlobal(_ wish: LockWish, lockType: String?, _ client: ClientID) {
    guard lockType == nil || lockType == "dlm" else { return answer(client, .invalid) }
    let request = request(wish, of: client, isPersistent: false)
    if wish != .unlock {
      guard isAvailable else { return answer(client, .noLockspace) }
      startGlobalLockspace()
    }
    guard let lockspace = lockspaces[Self.globalName] else { return answer(client, .noLockspace) }
    if lockspace.isStopping {
      guard wish != .unlock else { return answer(client, .noLockspace) }
      lockspaces[Self.globalName]?.latecomers.append(request)
    } else {
      deliver(request, to: ResourceAddress(lockspace: Self.globalName, resource: .global))
    }
  }

  mutating func lockVolumeGroup(_ vg: String, _ wish: LockWish, _ client: ClientID) {
    guard let name = usableLockspace(of: vg, wish, client) else { return }
    deliver(
      request(wish, of: client, isPersistent: false),
      to: ResourceAddress(lockspace: name, resource: .volumeGroup))
  }

  mutating func lockLogicalVolume(
    _ lv: LockDaemonRequest.LogicalVolumeReference, _ wish: LockWish, isPersistent: Bool,
    _ client: ClientID
  ) {
    guard let name = usableLockspace(of: lv.vg, wish, client) else { return }
    var request = request(wish, of: client, isPersistent: isPersistent)
    request.volume = lv.name
    let address = ResourceAddress(lockspace: name, resource: .logicalVolume(uuid: lv.uuid))
    // lvm's vgremove takes away the LVs before it asks whether another node has the VG started.
    if isPersistent, wish == .lock(.exclusive),
      clients[client]?.pending?.message.command == "vgremove"
    {
      askMembers(of: lv.vg, for: .removal(client, request, address), client)
    } else if isPersistent, wish == .lock(.shared) {
      askWhetherShared(lv, request, address)
    } else {
      deliver(request, to: address)
    }
  }

  mutating func freeLogicalVolume(
    _ lv: LockDaemonRequest.LogicalVolumeReference, _ client: ClientID
  ) {
    guard let name = usableLockspace(of: lv.vg, .unlock, client) else { return }
    deliver(
      LockRequest(owner: .client(client), purpose: .free, isPersistent: false),
      to: ResourceAddress(lockspace: name, resource: .logicalVolume(uuid: lv.uuid)))
  }

  mutating func update(_ vg: String, version: UInt32, _ client: ClientID) {
    guard let name = Lockspace.name(vg: vg), let lockspace = lockspaces[name],
      !lockspace.isStopping
    else { return answer(client, .noLockspace) }
    guard !lockspace.isKilled else { return answer(client, .killed) }
    let result = lockspaces[name]?.resources[.volumeGroup]?.noteUpdate(
      by: client, version: version)
    answer(client, result ?? .notFound)
  }

  private func request(_ wish: LockWish, of client: ClientID, isPersistent: Bool) -> LockRequest {
    let purpose: LockRequest.Purpose =
      switch wish {
      case .unlock: .unlock
      case .lock(let mode): .lock(mode)
      }
    return LockRequest(
      owner: .client(client), purpose: purpose, isPersistent: isPersistent,
      label: described(client), processID: clients[client]?.processID ?? 0)
  }

  /// The lockspace of a VG that takes lock requests; otherwise the client is answered.
  private mutating func usableLockspace(
    of vg: String, _ wish: LockWish, _ client: ClientID
  ) -> LockspaceName? {
    guard let name = Lockspace.name(vg: vg), let lockspace = lockspaces[name],
      !lockspace.isStopping
    else {
      answer(client, .noLockspace)
      return nil
    }
    guard wish == .unlock || !lockspace.isKilled else {
      answer(client, .killed)
      return nil
    }
    return name
  }
}

/// Between the locks and the rest.
extension LockDaemonMachine {
  /// Hands `request` to its lock, which comes into being with its first request.
  mutating func deliver(_ request: LockRequest, to address: ResourceAddress) {
    if lockspaces[address.lockspace]?.resources[address.resource] == nil {
      let token = LockToken(nextIdentifier())
      lockspaces[address.lockspace]?.resources[address.resource] = LockResource(
        name: address.resource, token: token)
      addresses[token] = address
    }
    withResource(address) { $0.request(request, $1) }
  }

  /// Lets `event` happen to one lock and does what follows.
  mutating func withResource(
    _ address: ResourceAddress,
    _ event: (inout LockResource, LockResource.Conditions) -> [LockResource.Action]
  ) {
    guard let state = lockspaces[address.lockspace]?.state,
      var resource = lockspaces[address.lockspace]?.resources.removeValue(forKey: address.resource)
    else { return }
    let conditions = LockResource.Conditions(
      now: now, isJoined: state == .started, isAvailable: isAvailable,
      waitLimit: configuration.lockWaitLimit)
    let actions = event(&resource, conditions)
    if resource.isUnused {
      addresses[resource.token] = nil
    } else {
      lockspaces[address.lockspace]?.resources[address.resource] = resource
    }
    describe(resource)
    carryOut(actions, resource.token, at: address)
  }

  /// Lets `event` happen to every lock of `lockspace`, or of all; in a fixed order, so that a
  /// simulation can be repeated.
  mutating func forEachResource(
    of lockspace: LockspaceName? = nil,
    _ event: (inout LockResource, LockResource.Conditions) -> [LockResource.Action]
  ) {
    for name in lockspaces.keys.sorted() where lockspace == nil || name == lockspace {
      for resource in lockspaces[name]?.resources.keys.sorted() ?? [] {
        withResource(ResourceAddress(lockspace: name, resource: resource), event)
      }
    }
  }

  mutating func carryOut(
    _ actions: [LockResource.Action], _ token: LockToken, at address: ResourceAddress
  ) {
    for action in actions {
      switch action {
      case .answer(let request, let result, let flags, let holder, let undo):
        switch request.owner {
        case .client(let client):
          if result == .heldElsewhere, isAvailable {
            explainRefusal(of: address, to: client)
            break
          }
          answer(client, result, flags: flags, holder: holder.map { LockOwner(node: $0) })
          if let undo { clients[client]?.undo = (address, undo) }
        case .daemon: adoptionEnded(address, result, holder)
        case .change(let id, let previous):
          volumeLockEnded(id, result, previous: previous, at: address)
        }
      case .cluster(let operation): effects.append(effect(of: operation, token, address))
      case .record(let mode, let processID): record(mode, by: processID, at: address)
      case .settle(let processID): beginSettlement(at: address, processID)
      case .reload: beginReload(at: address)
      case .explainWait(let request): explainWait(of: request, at: address)
      case .log(let level, let text): log(level, "\(address.lockspace): \(text)")
      }
    }
  }

  private func effect(
    of operation: LockResource.ClusterOperation, _ token: LockToken, _ address: ResourceAddress
  ) -> Effect {
    switch operation {
    case .lock(let mode, let isQueued):
      .lock(
        token, address.lockspace, resource: address.resource.bytes, mode, isQueued: isQueued,
        usesValueBlock: address.resource.usesValueBlock)
    case .convert(let mode, let isQueued, let block):
      .convert(token, mode, isQueued: isQueued, writing: block?.bytes)
    case .cancel: .cancel(token)
    case .unlock: .unlock(token)
    }
  }
}
