// Which nodes the kernel may talk to (comms), and which of them are members of a lockspace.

import ClusterTypes

extension KernelLockManager {
  /// Makes a node of the cluster known, whether or not it is in a lockspace; the kernel refuses
  /// connections of others. A directory that is there already stays, also one of an earlier life:
  /// only the next start of a lockspace may replace that (membership-design 18).
  public func admit(
    _ instance: NodeInstance, address: NodeAddress, comms: inout CommsTable
  ) throws(KernelControlError) {
    guard !files.exists(paths.comms(of: instance.node)) else { return }
    try makeComms(instance, address: address, comms: &comms)
  }

  /// Forgets a node that failed. Every lockspace that still lists it as a member will report its
  /// failure, and its filesystem will replay the node's journal, at the next start: call it only
  /// when the node can no longer write, and never for one that left.
  ///
  /// Does nothing when the node is known in a later life already.
  public func removeComms(
    ofFailed instance: NodeInstance, comms: inout CommsTable
  ) throws(KernelControlError) {
    guard instance.node != comms.localNode else { throw .localNodeCannotFail(instance.node) }
    guard !comms.isNewer(than: instance) else { return }
    try files.ensureNoDirectory(paths.comms(of: instance.node))
    comms.removed(instance.node)
  }

  /// Tells the kernel the members of a stopped lockspace, as the difference to those on which it
  /// was last *started*, folded over all views since (kernel-dlm-control 7).
  ///
  /// Idempotent: after an error or a crash the same changes may be applied again. Apply the
  /// changes of all lockspaces of one view before the first of them starts.
  public func applyMembers(
    _ lockspace: LockspaceName, _ changes: [NodeID: MemberChange], comms: inout CommsTable
  ) throws(KernelControlError) {
    let changes = changes.sorted { $0.key < $1.key }
    for case (let node, .nodeFailed(let incarnation)) in changes {
      try removeComms(ofFailed: NodeInstance(node, incarnation), comms: &comms)
    }
    for (node, change) in changes where change.isDeparture {
      try files.ensureNoDirectory(paths.member(node, of: lockspace))
    }
    try files.ensureDirectory(paths.space(lockspace))
    for case (let node, .nodeRenewed(let incarnation, let address)) in changes {
      let instance = NodeInstance(node, incarnation)
      try writeMember(instance, address: address, of: lockspace, comms: &comms)
    }
    for case (let node, .nodeAdded(let incarnation, let address)) in changes {
      let instance = NodeInstance(node, incarnation)
      try writeMember(instance, address: address, of: lockspace, comms: &comms)
    }
  }

  /// Removes the directories of a lockspace that this node has left. The comms of the others stay:
  /// they may share other lockspaces, and the kernel still closes its connections in good order.
  public func removeSpace(_ lockspace: LockspaceName) throws(KernelControlError) {
    try removeSpaceDirectory(paths.space(lockspace))
  }

  /// The members that the kernel will take at the next start; empty when it knows no such space.
  public func members(of lockspace: LockspaceName) throws(KernelControlError) -> Set<NodeID> {
    var members: Set<NodeID> = []
    for name in try files.entriesIfPresent(of: paths.members(of: lockspace)) {
      guard let node = NodeID(name) else {
        throw .malformedValue(path: paths.members(of: lockspace), text: name)
      }
      members.insert(node)
    }
    return members
  }

  /// Gives the member a new directory, so that the kernel takes what was under this number before
  /// as removed; and the node a new comms directory if the present one is of another life.
  private func writeMember(
    _ instance: NodeInstance, address: NodeAddress, of lockspace: LockspaceName,
    comms: inout CommsTable
  ) throws(KernelControlError) {
    let commsPath = paths.comms(of: instance.node)
    if !files.exists(commsPath) {
      try makeComms(instance, address: address, comms: &comms)
    } else if !comms.isFor(instance) {
      guard instance.node != comms.localNode else { throw .localNodeCannotFail(instance.node) }
      try files.removeDirectory(commsPath)
      comms.removed(instance.node)
      try makeComms(instance, address: address, comms: &comms)
    }
    let member = paths.member(instance.node, of: lockspace)
    try files.ensureNoDirectory(member)
    try files.makeDirectory(member)
    // This write ties the member to its present comms directory.
    try files.write(String(instance.node.rawValue), to: member + "/nodeid")
  }

  /// `nodeid` comes first: an address written before it would be registered for node -1.
  private func makeComms(
    _ instance: NodeInstance, address: NodeAddress, comms: inout CommsTable
  ) throws(KernelControlError) {
    let directory = paths.comms(of: instance.node)
    try files.makeDirectory(directory)
    do {
      try files.write(String(instance.node.rawValue), to: directory + "/nodeid")
      try files.write(address.socketAddressStorage, to: directory + "/addr")
    } catch {
      // Half an entry must not pass for a whole one at the next attempt; the first error counts.
      try? files.removeDirectory(directory)
      throw error
    }
    comms.written(instance)
  }

  func removeSpaceDirectory(_ space: String) throws(KernelControlError) {
    for member in try files.entriesIfPresent(of: space + "/nodes") {
      try files.ensureNoDirectory("\(space)/nodes/\(member)")
    }
    try files.ensureNoDirectory(space)
  }
}

extension MemberChange {
  fileprivate var isDeparture: Bool {
    switch self {
    case .nodeFailed, .nodeLeft: true
    case .nodeRenewed, .nodeAdded: false
    }
  }
}
