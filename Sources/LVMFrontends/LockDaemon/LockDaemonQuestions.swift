import ClusterTypes

/// Something the cluster was asked, and what its answer is for.
enum ClusterQuestion {
  /// How many other nodes are in a lockspace.
  case members(LockspaceName, MembersPurpose)
  /// What an ended command left is settled before this lock is lowered.
  case settleBeforeRelease(ResourceAddress)
  /// The other nodes reload before this lock is lowered.
  case reloadBeforeRelease(ResourceAddress)
  /// `refresh_lv` of a client.
  case refresh(LockspaceName, ClientID)
  /// Who holds the lock that is refused to a client.
  case refusal(ClientID, ResourceAddress)
  /// Who holds the lock that is refused to the node itself.
  case volumeLockRefusal(VolumeLockID, previous: LockMode?, ResourceAddress)
  /// For whom a request waits.
  case wait(LockRequest, ResourceAddress)
  /// Whether an LV may have a persistent shared lock.
  case sharing(LockDaemonRequest.LogicalVolumeReference, LockRequest, ResourceAddress)
}

enum MembersPurpose {
  case busy(ClientID)
  /// The VG was removed or is local now.
  case free(ClientID)
  case rename(ClientID)
  /// vgremove wants the lock of an LV that it will remove.
  case removal(ClientID, LockRequest, ResourceAddress)

  var client: ClientID {
    switch self {
    case .busy(let client), .free(let client), .rename(let client), .removal(let client, _, _):
      client
    }
  }
}

/// Questions about the other nodes of a lockspace.
extension LockDaemonMachine {
  mutating func askMembers(of vg: String, for purpose: MembersPurpose, _ client: ClientID) {
    guard let name = Lockspace.name(vg: vg), let lockspace = lockspaces[name],
      !lockspace.isStopping
    else { return answer(client, .noLockspace) }
    guard isAvailable else { return answer(client, .noLockManager) }
    guard !lockspace.isStarting else { return answer(client, .starting) }
    let question = ClusterQuestionID(nextIdentifier())
    questions[question] = .members(name, purpose)
    effects.append(.countMembers(question, name))
  }

  mutating func membersCounted(_ question: ClusterQuestionID, _ others: [NodeID]) {
    guard case .members(let name, let purpose)? = questions[question] else { return }
    questions[question] = nil
    // A command that died before it was told to go on has removed or renamed nothing; but a VG that
    // is freed is gone already.
    let client = purpose.client
    let isFree = if case .free = purpose { true } else { false }
    guard clients[client] != nil || isFree else { return }
    guard let lockspace = lockspaces[name], !lockspace.isStopping else {
      return answer(client, .noLockspace)
    }
    guard others.isEmpty else {
      logBusy(name, others, client)
      if case .removal = purpose {
        return answer(client, .heldElsewhere, holder: others.first.map { LockOwner(node: $0) })
      }
      return answer(client, .busy)
    }
    switch purpose {
    case .busy: answer(client, .success)
    case .free:
      markRemoved(lockspace)
      leave(name, askedBy: client, isExplicit: false)
    case .rename: leave(name, askedBy: client, isExplicit: false)
    case .removal(_, let request, let address): deliver(request, to: address)
    }
  }

  private mutating func logBusy(_ name: LockspaceName, _ others: [NodeID], _ client: ClientID) {
    let nodes = others.sorted().map { "\($0)" }.joined(separator: ", ")
    log(
      .warning,
      """
      \(described(client)): VG \(lockspaces[name]?.vg ?? "") is started on node \(nodes); \
      stop it there with vgchange --lockstop
      """)
  }

  /// Writes into the value block that the VG is gone, so that nobody finds its lock usable.
  private mutating func markRemoved(_ lockspace: Lockspace) {
    guard let resource = lockspace.resources[.volumeGroup], resource.activity == .none,
      resource.clusterMode == .exclusive
    else { return }
    let block = VersionBlock(
      version: max(resource.version, resource.writtenVersion ?? 0), isRemoved: true)
    effects.append(.convert(resource.token, .null, isQueued: true, writing: block.bytes))
  }
}

/// Settling what an ended command left, and reloading on the other nodes what was changed here.
extension LockDaemonMachine {
  /// The lock at `address` was held exclusively by a client that is gone.
  mutating func beginSettlement(at address: ResourceAddress, _ processID: Int32) {
    guard let vg = lockspaces[address.lockspace]?.vg else { return }
    let question = ClusterQuestionID(nextIdentifier())
    questions[question] = .settleBeforeRelease(address)
    effects.append(.settle(question, vg: vg, processID: processID))
  }

  mutating func settlementEnded(_ question: ClusterQuestionID, hasEnded: Bool) {
    guard case .settleBeforeRelease(let address)? = questions[question] else { return }
    questions[question] = nil
    withResource(address) { $0.settled(hasEnded: hasEnded, $1) }
  }

  /// The lock at `address` was held while metadata was written, and is about to be lowered.
  mutating func beginReload(at address: ResourceAddress) {
    guard let vg = lockspaces[address.lockspace]?.vg else { return }
    let question = ClusterQuestionID(nextIdentifier())
    questions[question] = .reloadBeforeRelease(address)
    effects.append(.reload(question, vg: vg))
  }

  /// The command asks explicitly, after an extend of an LV that is active on several nodes.
  mutating func refresh(_ path: LockDaemonRequest.VolumePath, _ client: ClientID) {
    guard let name = Lockspace.name(vg: path.vg), lockspaces[name]?.state == .started else {
      return answer(client, .noLockspace)
    }
    guard isAvailable else { return answer(client, .failed) }
    let question = ClusterQuestionID(nextIdentifier())
    questions[question] = .refresh(name, client)
    effects.append(.reload(question, vg: path.vg))
  }

  mutating func reloadEnded(_ question: ClusterQuestionID, _ failures: [NodeID: String]) {
    switch questions[question] {
    case nil, .members, .settleBeforeRelease, .refusal, .volumeLockRefusal, .wait, .sharing: return
    case .reloadBeforeRelease(let address):
      questions[question] = nil
      noteReload(of: address.lockspace, failures)
      withResource(address) { $0.reloaded($1) }
    case .refresh(let name, let client):
      questions[question] = nil
      noteReload(of: name, failures)
      answer(client, failures.isEmpty ? .success : .failed)
    }
  }

  private mutating func noteReload(of name: LockspaceName, _ failures: [NodeID: String]) {
    lockspaces[name]?.reloadFailures = failures
    let vg = lockspaces[name]?.vg ?? ""
    for (node, reason) in failures.sorted(by: { $0.key < $1.key }) {
      log(
        .error,
        """
        VG \(vg): node \(node) still runs on the old tables: \(reason); \
        run lvchange --refresh there
        """)
    }
  }
}
