import ClusterTypes
import LockProtocol

@testable import LockManager

/// What must hold after every step, and what must hold when everything has come to rest.
extension SimulatedCluster {
  // MARK: After every step

  /// No two live applications hold incompatible modes.
  mutating func checkCompatibility(of handle: LockHandle) {
    guard let lock = locks[handle] else { return }
    for other in locks.values where other.resource == lock.resource && other.handle != handle {
      if !other.held.isCompatible(with: lock.held) {
        violation(
          "\(handle) on node \(lock.node) holds \(lock.held) of resource \(lock.resource),"
            + " \(other.handle) on node \(other.node) holds \(other.held)")
      }
    }
  }

  /// A read under CW or more, against which nobody can write, gives what was written last, or says
  /// that it cannot be trusted.
  mutating func checkValue(_ lock: ClientLock, _ outcome: LockOutcome) {
    guard let value = outcome.valueBlock, let mode = outcome.mode else { return }
    guard lock.origin.valueBlockTransfer(granting: mode) == .read else { return }
    guard !outcome.flags.contains(.valueNotValid) else { return }
    let history = histories[lock.resource]
    let isZero = value.allSatisfy { $0 == 0 }
    if !history.all.contains(value) {
      return violation("\(lock.handle) reads \(text(value)), which nobody wrote")
    }
    // Once the last lock that used the value block is gone, it is forgotten: then there are zeros
    // to read, or what the reader brought along (dlm-wire 9).
    let isForgotten = (isZero || value == lock.buffer) && !isRemembered(lock.resource)
    if mode >= .cw, value != history.last, !isForgotten {
      return violation(
        "\(lock.handle) in \(mode) reads \(text(value)), last written \(text(history.last))")
    }
    if !isZero { histories[lock.resource].observedAt = step }
  }

  /// Only a value block that the master has read, and that some lock has kept alive since then,
  /// cannot have been forgotten (dlm-wire 9).
  private func isRemembered(_ resource: Int) -> Bool {
    guard let observedAt = histories[resource].observedAt else { return false }
    return locks.values.contains {
      $0.isAnchor && $0.resource == resource && ($0.grantedAt ?? .max) < observedAt
    }
  }

  private func text(_ value: [UInt8]) -> String {
    String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// A master's queues never hold incompatible modes together, and every lock stands where it says.
  mutating func checkQueues(of node: NodeID) {
    guard let machine = nodes[node]?.machine else { return }
    for id in machine.resources.ids {
      let resource = machine.resources[id]
      let holders = resource.granted + resource.converting
      if resource.idleSince != nil, !holders.isEmpty || !resource.waiting.isEmpty {
        violation("node \(node): idle \(resource.name) has locks")
      }
      // An owner elsewhere does not know yet what the master has demoted.
      guard resource.master == node else { continue }
      for (index, one) in holders.enumerated() {
        for other in holders.dropFirst(index + 1)
        where !machine.locks[one].granted.isCompatible(with: machine.locks[other].granted) {
          violation(
            "node \(node): \(resource.name) has \(machine.locks[one].granted) and"
              + " \(machine.locks[other].granted) granted together")
        }
      }
    }
  }

  // MARK: At rest

  /// Owners, masters and directory agree about every lock.
  mutating func checkAgreement() {
    for (node, state) in nodes.sorted(by: { $0.key < $1.key }) {
      let machine = state.machine
      if machine.state != .running { violation("node \(node) is \(machine.state) at rest") }
      for id in machine.locks.ids { checkAgreement(on: machine.locks[id], of: machine, at: node) }
      for id in machine.resources.ids { checkDirectory(machine.resources[id], at: node) }
    }
  }

  private mutating func checkAgreement(
    on lock: Lock, of machine: LockspaceMachine, at node: NodeID
  ) {
    let resource = machine.resources[lock.resource]
    guard !lock.isBusy else { return }
    let other: NodeID
    switch lock.owner {
    case .here:
      guard let master = resource.master else {
        return violation("node \(node): \(resource.name) has locks and no master")
      }
      guard master != node else { return }
      other = master
    case .node(let owner):
      if resource.master != node {
        return violation("node \(node) keeps a lock of \(owner) on \(resource.name), not master")
      }
      other = owner
    }
    guard let peer = nodes[other]?.machine, peer.locks.contains(lock.remoteID) else {
      return violation("node \(node): lock \(lock.id) on \(resource.name) unknown to \(other)")
    }
    let twin = peer.locks[lock.remoteID]
    guard !twin.isBusy else { return }
    if twin.remoteID != lock.id || twin.queue != lock.queue || twin.granted != lock.granted {
      violation(
        "node \(node) has lock \(lock.id) of \(resource.name) as \(lock.granted) \(lock.queue),"
          + " node \(other) as \(twin.granted) \(twin.queue)")
    }
  }

  private mutating func checkDirectory(_ resource: Resource, at node: NodeID) {
    guard resource.idleSince == nil, let master = resource.master else { return }
    guard let atMaster = find(resource.name, on: master), atMaster.master == master else {
      return violation("node \(node): \(master) does not know that it masters \(resource.name)")
    }
    guard let record = find(resource.name, on: resource.directory), record.master == master else {
      return violation(
        "directory node \(resource.directory) does not know master \(master) of \(resource.name)")
    }
  }

  private func find(_ name: ResourceName, on node: NodeID) -> Resource? {
    guard let machine = nodes[node]?.machine, let id = machine.resources.find(name) else {
      return nil
    }
    return machine.resources[id]
  }

  /// Everything has ended, and was forgotten everywhere.
  mutating func checkNothingLeft() {
    for lock in locks.values.sorted(by: { $0.handle < $1.handle }) {
      violation("\(lock.handle) on node \(lock.node) never ended: \(lock.pending)")
    }
    for (node, state) in nodes.sorted(by: { $0.key < $1.key }) {
      if state.machine.lockCount != 0 {
        violation("node \(node) still has \(state.machine.lockCount) locks")
      }
      if state.machine.resourceCount != 0 {
        let names = state.machine.resourceDescriptions().map {
          "\($0.name) master \($0.master.map(\.description) ?? "none") dir \($0.directory)"
        }
        violation("node \(node) still remembers \(names)")
      }
    }
  }
}
