import ClusterTypes

/// Who holds what: told with every lock, asked for whenever somebody is refused or waits for long.
extension LockDaemonMachine {
  /// Tells the cluster who uses the lock of `resource` now, if that has changed.
  mutating func describe(_ resource: LockResource) {
    guard !resource.isUnused else {
      uses[resource.token] = nil
      return
    }
    guard let use = use(of: resource), uses[resource.token] != use else { return }
    uses[resource.token] = use
    effects.append(.describe(resource.token, use))
  }

  /// Its holders on this node, the strongest first; otherwise who wants it.
  private func use(of resource: LockResource) -> LockUse? {
    if resource.persistent != nil { return LockUse(owner: resource.persistentUse, processID: 0) }
    let first = resource.transients.min { left, right in
      left.value != right.value ? left.value > right.value : left.key < right.key
    }
    if let client = first?.key { return use(by: client, others: resource.transients.count - 1) }
    guard let index = resource.headIndex, case .client(let client) = resource.queue[index].owner
    else { return nil }
    return use(by: client, others: 0)
  }

  private func use(by client: ClientID, others: Int) -> LockUse? {
    guard let known = clients[client] else { return nil }
    let more = others > 0 ? " and \(others) more" : ""
    return LockUse(owner: (known.command ?? "lvm") + more, processID: known.processID)
  }

  /// The client hears of the refusal together with who is in its way.
  mutating func explainRefusal(of address: ResourceAddress, to client: ClientID) {
    let question = ClusterQuestionID(nextIdentifier())
    questions[question] = .refusal(client, address)
    effects.append(
      .findHolders(question, address.lockspace, resource: address.resource.bytes))
  }

  mutating func explainWait(of request: LockRequest, at address: ResourceAddress) {
    let question = ClusterQuestionID(nextIdentifier())
    questions[question] = .wait(request, address)
    effects.append(
      .findHolders(question, address.lockspace, resource: address.resource.bytes))
  }

  mutating func holdersFound(_ question: ClusterQuestionID, _ holders: [ResourceHolder]) {
    let strongestFirst = holders.sorted { left, right in
      left.mode != right.mode ? left.mode > right.mode : left.node < right.node
    }
    switch questions.removeValue(forKey: question) {
    case .refusal(let client, let address):
      log(
        .warning,
        "\(described(client)) is refused \(described(address)): \(described(strongestFirst))")
      let owner = strongestFirst.first.map { LockOwner(node: $0.node, use: $0.use) }
      answer(client, .heldElsewhere, holder: owner)
    case .volumeLockRefusal(let id, let previous, let address):
      let obstacle = described(strongestFirst)
      log(.warning, "this node is refused \(described(address)): \(obstacle)")
      answer(id, .heldElsewhere, previous: previous, obstacle: obstacle)
    case .wait(let request, let address):
      log(
        .warning,
        "\(request.label) waits for \(described(address)): \(described(strongestFirst))")
    case nil, .members, .settleBeforeRelease, .reloadBeforeRelease, .refresh, .sharing: return
    }
  }

  private func described(_ holders: [ResourceHolder]) -> String {
    guard !holders.isEmpty else { return "nobody holds it any more" }
    return "held by " + holders.map(\.described).joined(separator: "; ")
  }

  private func described(_ address: ResourceAddress) -> String {
    let vg = lockspaces[address.lockspace]?.vg ?? ""
    switch address.resource {
    case .global: return "the global lock"
    case .volumeGroup: return "the lock of VG \(vg)"
    case .logicalVolume(let uuid): return "the lock of LV \(uuid) of VG \(vg)"
    }
  }
}

/// Volumes that lvm would let several nodes have active although that destroys their data: origins of
/// snapshots, and what has a write cache (lvmlockd-socket 18).
extension LockDaemonMachine {
  mutating func askWhetherShared(
    _ lv: LockDaemonRequest.LogicalVolumeReference, _ request: LockRequest,
    _ address: ResourceAddress
  ) {
    let question = ClusterQuestionID(nextIdentifier())
    questions[question] = .sharing(lv, request, address)
    effects.append(.checkSharing(question, vg: lv.vg, lvUUID: lv.uuid))
  }

  mutating func sharingChecked(_ question: ClusterQuestionID, _ refusal: String?) {
    guard case .sharing(let lv, let request, let address)? = questions[question],
      case .client(let client) = request.owner
    else { return }
    questions[question] = nil
    // The command may be gone, and the lockspace may have been left meanwhile.
    guard clients[client] != nil else { return }
    guard let lockspace = lockspaces[address.lockspace], !lockspace.isStopping else {
      return answer(client, .noLockspace)
    }
    guard let refusal else { return deliver(request, to: address) }
    log(
      .error,
      """
      \(request.label): LV \(lv.vg)/\(lv.name ?? lv.uuid) may be active on one node only: \(refusal)
      """)
    answer(client, .exists)
  }
}
