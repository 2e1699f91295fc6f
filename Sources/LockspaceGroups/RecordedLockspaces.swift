import ClusterMembership
import ClusterTypes

// Lockspaces that live in the embedded provider's record, in the form in which drivers and status know
// them from `LockspaceGroups`. The provider decides when to stop and to start; what is added here is
// the difference to the last start on this node: who failed, and who left.

/// Turns the embedded provider's effects on lockspaces into those of `LockspaceGroups`.
public struct RecordedLockspaces: Sendable {
  /// A member of a start, with the life of its daemon where the lockspace ends with the daemon.
  private struct Starter: Hashable, Sendable {
    var instance: NodeInstance
    var life: UInt32
  }

  /// The members of the last start here.
  private var started: [LockspaceName: [Starter]] = [:]

  /// `started`: what an earlier life of the daemon has left running in the kernel.
  public init(started: [LockspaceName: [NodeInstance]] = [:]) {
    self.started = started.mapValues { members in
      members.map { Starter(instance: $0, life: 0) }
    }
  }

  /// What a driver has to do for `effect`; nil when it is none for drivers. `record` is the one that
  /// is applied.
  public mutating func driverEffect(
    for effect: EmbeddedEffect, record: Record
  ) -> GroupEffect? {
    switch effect {
    case .stopSpace(let name, let kind, let generation):
      return LockspaceKind(rawValue: kind).map { .stop(name, $0, generation: generation) }
    case .startSpace(let name, let kind, let generation, let members):
      guard let kind = LockspaceKind(rawValue: kind) else { return nil }
      return .start(order(name, kind, generation, members, record))
    case .leftSpace(let name, let kind):
      started[name] = nil
      return LockspaceKind(rawValue: kind).map { .left(name, $0) }
    case .renewed:
      started = [:]
      return nil
    default:
      return nil
    }
  }

  private mutating func order(
    _ name: LockspaceName, _ kind: LockspaceKind, _ generation: UInt64,
    _ members: [NodeInstanceSlot], _ record: Record
  ) -> StartOrder {
    let now = members.compactMap { member in
      record.instance(member.slot, member.incarnation).map {
        let life = kind == .inHouse ? record[member: member.slot]?.life : nil
        return Starter(instance: $0, life: life ?? 0)
      }
    }.sorted { $0.instance < $1.instance }
    let old = started[name] ?? []
    let gone = old.filter { !now.contains($0) }.map(\.instance)
    // Whoever is still in the view and no member has left the lockspace by its own request. Everybody
    // else is taken for dead, be it only its daemon: replaying the journal of a node that left does no
    // harm, skipping one does.
    let inView = Set(record.members.compactMap { record.instance($0.slot, $0.incarnation) })
    let instances = now.map(\.instance)
    let left = gone.filter { inView.contains($0) && !instances.contains($0) }
    started[name] = now
    return StartOrder(
      name: name, kind: kind, generation: generation, members: instances,
      failed: gone.filter { !left.contains($0) }, left: left, isFirstStart: old.isEmpty)
  }
}

/// The lockspaces of a record, and who has done what about them, as this node has heard.
public struct RecordedAgreement: AgreedLockspaces {
  private let record: Record
  private let local: NodeInstance
  /// Of this daemon.
  private let life: UInt32
  private let stopped: (UInt64) -> NodeSet
  private let running: (UInt64) -> NodeSet
  /// What is known of the fence of a node, in words; nil when nothing is.
  private let fenceNote: (NodeID) -> String?

  public init(
    record: Record, local: NodeInstance, life: UInt32, stopped: @escaping (UInt64) -> NodeSet,
    running: @escaping (UInt64) -> NodeSet, fenceNote: @escaping (NodeID) -> String? = { _ in nil }
  ) {
    self.record = record
    self.local = local
    self.life = life
    self.stopped = stopped
    self.running = running
    self.fenceNote = fenceNote
  }

  public var lockspaces: [Lockspace] { record.spaces.compactMap(lockspace) }

  public func lockspace(_ name: LockspaceName) -> Lockspace? {
    record.spaces.first { $0.name == name }.flatMap(lockspace)
  }

  private func lockspace(_ space: Space) -> Lockspace? {
    guard let kind = LockspaceKind(rawValue: space.kind) else { return nil }
    let phase: Lockspace.Phase =
      switch space.phase {
      case .stopping: .stopping(stopped: record.nodes(stopped(space.generation)))
      case .started: .started(running: record.nodes(running(space.generation)))
      }
    return Lockspace(
      name: space.name, kind: kind, generation: space.generation, phase: phase,
      members: record.instances(space.members), leaving: record.instances(space.leaving),
      departures: [:])
  }

  public var unfencedNodes: [UnfencedNode] { nodes(record.removed.filter(\.awaitsEvidence)) }
  public var unprovenNodes: [UnfencedNode] { nodes(record.removed.filter(\.member.isDirty)) }

  private func nodes(_ removed: [RemovedMember]) -> [UnfencedNode] {
    removed.compactMap { removed in
      record.instance(removed.member.slot, removed.member.incarnation).map {
        UnfencedNode(
          instance: $0, bootID: removed.member.bootID.description, viewID: removed.sinceView)
      }
    }
  }

  public func isStartedHere(_ name: LockspaceName) -> Bool {
    guard let lockspace = lockspace(name), case .started = lockspace.phase else { return false }
    // What an earlier life of the daemon ran ended with it.
    guard lockspace.kind != .inHouse || isLifeTold else { return false }
    return lockspace.members.contains(local)
  }

  private var isLifeTold: Bool {
    record.members.contains {
      record.instance($0.slot, $0.incarnation) == local && $0.life == life
    }
  }

  public func waits(for lockspace: Lockspace) -> [String] {
    guard case .stopping = lockspace.phase else { return lockspace.nodeWaits() }
    return lockspace.nodeWaits() + fenceWaits.map { "lockspace \(lockspace.name) waits for \($0)" }
  }

  /// Every unproven death, as "the fence of node b (2): …".
  public var fenceWaits: [String] {
    record.removed.filter(\.awaitsEvidence).compactMap { removed in
      guard let node = record.node(removed.member.slot) else { return nil }
      let note = fenceNote(node.id).map { ": \($0)" } ?? ""
      return "the fence of node \(node.name) (\(node.id))\(note)"
    }
  }
}

extension Record {
  package func instance(_ slot: NodeSlot, _ incarnation: Incarnation) -> NodeInstance? {
    node(slot).map { NodeInstance($0.id, incarnation) }
  }

  /// Those of the set that are in the view.
  fileprivate func instances(_ set: NodeSet) -> [NodeInstance] {
    members.filter { set.contains($0.slot) }.compactMap { instance($0.slot, $0.incarnation) }
      .sorted()
  }

  fileprivate func nodes(_ set: NodeSet) -> Set<NodeID> {
    Set(set.compactMap { node($0)?.id })
  }
}
