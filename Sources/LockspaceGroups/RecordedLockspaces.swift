import ClusterMembership
import ClusterTypes

// Lockspaces that live in the embedded provider's record, in the form in which drivers and status know
// them from `LockspaceGroups`. The provider decides when to stop and to start; what is added here is
// the difference to the last start on this node: who failed, and who left.

/// Turns the embedded provider's effects on lockspaces into those of `LockspaceGroups`.
public struct RecordedLockspaces: Sendable {
  public let local: NodeInstance
  /// The members of the last start here.
  private var started: [LockspaceName: [NodeInstance]] = [:]

  public init(local: NodeInstance) { self.local = local }

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
    let now = members.compactMap { record.instance($0.slot, $0.incarnation) }.sorted()
    let old = started[name] ?? []
    let gone = old.filter { !now.contains($0) }
    // Whoever is still in the view has left the lockspace by its own request. Everybody else is
    // taken for dead: replaying the journal of a node that left does no harm, skipping one does.
    let inView = Set(record.members.compactMap { record.instance($0.slot, $0.incarnation) })
    started[name] = now
    return StartOrder(
      name: name, kind: kind, generation: generation, members: now,
      failed: gone.filter { !inView.contains($0) }, left: gone.filter(inView.contains),
      isFirstStart: old.isEmpty)
  }

  /// The lockspaces as status shows them. Who has stopped or runs is known from everybody's pings.
  public static func lockspaces(
    in record: Record, stopped: (UInt64) -> NodeSet, running: (UInt64) -> NodeSet
  ) -> [Lockspace] {
    record.spaces.compactMap { space in
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
  }

  /// The removed nodes that lockspaces wait for.
  public static func unfencedNodes(in record: Record) -> [UnfencedNode] {
    record.removed.filter(\.member.isDirty).compactMap { removed in
      record.instance(removed.member.slot, removed.member.incarnation).map {
        UnfencedNode(
          instance: $0, bootID: removed.member.bootID.description, viewID: removed.sinceView)
      }
    }
  }
}

extension Record {
  fileprivate func instance(_ slot: NodeSlot, _ incarnation: Incarnation) -> NodeInstance? {
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
