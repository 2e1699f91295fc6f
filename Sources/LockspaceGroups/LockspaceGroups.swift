import ByteCoding
import ClusterMembership
import ClusterTypes

// The agreed membership, stop and start of every named lockspace, in-house and kernel alike.
//
// The replicated state (`GroupState`) says what the cluster has decided. This machine compares
// it with what this node has done and derives what is left to do; so a node that got the state
// whole, instead of every message, does the same as one that followed step by step.

/// A lockspace to be started on this node, as the difference to its last start here.
public struct StartOrder: Hashable, Sendable {
  public let name: LockspaceName
  public let kind: LockspaceKind
  public let generation: UInt64
  /// All members, this node included, ascending.
  public let members: [NodeInstance]
  /// Members of the last start here that died. Their node may be a member again, in a new life.
  public let failed: [NodeInstance]
  /// Members of the last start here that left.
  public let left: [NodeInstance]
  /// This node has not run the lockspace since it joined.
  public let isFirstStart: Bool
}

public enum GroupInput: Sendable {
  case reset(snapshot: [UInt8])
  case deliver([UInt8], from: NodeInstance)
  case installed(View)
  /// This node wants to be a member. Answered by `start` or `joinRefused`.
  case join(LockspaceName, LockspaceKind)
  /// This node wants to leave; it holds no lock any more. Answered by `left`. Nothing happens to a
  /// lockspace of another kind.
  case leave(LockspaceName, LockspaceKind)
  case restart(LockspaceName)
  case stopCompleted(LockspaceName, generation: UInt64)
  case startCompleted(LockspaceName, generation: UInt64)
  /// Somebody vouches that a removed instance is dead.
  case fenced(NodeInstance, evidence: String)
}

public enum GroupEffect: Hashable, Sendable {
  /// Hand to the membership provider.
  case submit([UInt8])
  /// Stop the lockspace here (nothing to do where it does not run), then `stopCompleted`.
  case stop(LockspaceName, LockspaceKind, generation: UInt64)
  /// Start it, then `startCompleted`. A stop for a newer generation overrides.
  case start(StartOrder)
  /// This node is out; clean up and let the releaser go on.
  case left(LockspaceName, LockspaceKind)
  /// The cluster does not let this node join as it asked to; `reason` is for the administrator.
  case joinRefused(LockspaceName, LockspaceKind, reason: String)
  case report(String)
}

public struct LockspaceGroups: Sendable {
  /// What this node has done about a lockspace.
  private struct Local: Sendable {
    var kind: LockspaceKind
    var stopRequested: UInt64 = 0
    var startRequested: UInt64 = 0
    /// The members of the last start here; empty before the first.
    var startedMembers: [NodeInstance] = []
  }

  public let local: NodeInstance
  private var state = GroupState()
  private var locals: [LockspaceName: Local] = [:]

  /// `unseen`: with a provider that remembers nothing once all daemons have ended, the configured
  /// nodes. Nothing starts before each has spoken for its earlier lives or is known to be dead. What
  /// the cluster remembers replaces that.
  public init(local: NodeInstance, unseen: [NodeID] = []) {
    self.local = local
    state = GroupState(unseen: unseen)
  }

  public var lockspaces: [Lockspace] { state.lockspaces.values.sorted { $0.name < $1.name } }
  public var unfencedNodes: [UnfencedNode] { state.unfenced }
  public var snapshot: [UInt8] { state.snapshot }
  public func lockspace(_ name: LockspaceName) -> Lockspace? { state.lockspaces[name] }

  /// Whether this node is a member and has been told to run the present generation.
  public func isStartedHere(_ name: LockspaceName) -> Bool {
    guard let lockspace = state.lockspaces[name], case .started = lockspace.phase else {
      return false
    }
    return lockspace.members.contains(local)
  }

  public mutating func handle(_ input: GroupInput, effects: inout [GroupEffect]) {
    switch input {
    case .reset(let snapshot):
      do {
        state = try GroupState(snapshot: snapshot)
      } catch {
        effects.append(.report("the cluster's lockspace state cannot be read: \(error)"))
      }
    case .deliver(let payload, let sender):
      do {
        let message = try GroupMessage(decoding: payload)
        report(message, from: sender, &effects)
        if sender == local { reportRefusal(of: message, &effects) }
        state.apply(message, from: sender)
      } catch {
        effects.append(
          .report("node \(sender.node) sent a lockspace message that is none: \(error)"))
      }
    case .installed(let view): state.apply(view)
    case .join(let name, let kind): submit(.join(name, kind), &effects)
    case .leave(let name, let kind): submit(.leave(name, kind), &effects)
    case .restart(let name): submit(.restart(name), &effects)
    case .stopCompleted(let name, let generation):
      submit(.stopped(name, generation: generation), &effects)
    case .startCompleted(let name, let generation):
      submit(.running(name, generation: generation), &effects)
    case .fenced(let instance, let evidence):
      submit(.fenced(instance, evidence: evidence), &effects)
    }
    catchUp(&effects)
  }

  private func submit(_ message: GroupMessage, _ effects: inout [GroupEffect]) {
    effects.append(.submit(message.encoded))
  }

  private func report(
    _ message: GroupMessage, from sender: NodeInstance, _ effects: inout [GroupEffect]
  ) {
    if case .fenced(let instance, let evidence) = message {
      effects.append(
        .report(
          "node \(instance.node) is known to be dead (\(evidence), told by node \(sender.node))"))
    }
  }

  /// For a message of this node, before it is applied.
  private func reportRefusal(of message: GroupMessage, _ effects: inout [GroupEffect]) {
    guard case .join(let name, let kind) = message,
      let reason = state.refusal(toJoin: name, kind, local)
    else { return }
    effects.append(.joinRefused(name, kind, reason: reason))
  }

  /// Derives what this node has to do now.
  private mutating func catchUp(_ effects: inout [GroupEffect]) {
    for lockspace in lockspaces where lockspace.includes(local) {
      var here = locals[lockspace.name] ?? Local(kind: lockspace.kind)
      switch lockspace.phase {
      case .stopping:
        if here.stopRequested < lockspace.generation {
          here.stopRequested = lockspace.generation
          effects.append(.stop(lockspace.name, lockspace.kind, generation: lockspace.generation))
        }
      case .started:
        if here.startRequested < lockspace.generation {
          effects.append(.start(startOrder(lockspace, since: here.startedMembers)))
          here.startRequested = lockspace.generation
          here.startedMembers = lockspace.members
        }
      }
      locals[lockspace.name] = here
    }
    for name in locals.keys.sorted() where state.lockspaces[name]?.includes(local) != true {
      guard let here = locals.removeValue(forKey: name) else { continue }
      effects.append(.left(name, here.kind))
    }
  }

  private func startOrder(_ lockspace: Lockspace, since old: [NodeInstance]) -> StartOrder {
    let gone = old.filter { !lockspace.members.contains($0) }
    // Somebody whose departure was not seen is taken for dead: replaying the journal of a node
    // that left does no harm, skipping that of a dead one does.
    let left = gone.filter { lockspace.departures[$0] == .left }
    return StartOrder(
      name: lockspace.name, kind: lockspace.kind, generation: lockspace.generation,
      members: lockspace.members, failed: gone.filter { !left.contains($0) }, left: left,
      isFirstStart: old.isEmpty)
  }

  /// What keeps a lockspace from running, in sentences for the administrator; empty when nothing.
  public func waits(for lockspace: Lockspace) -> [String] {
    guard case .stopping = lockspace.phase else { return lockspace.nodeWaits() }
    return lockspace.nodeWaits()
      + state.unfenced.map { unfenced in
        let node = unfenced.instance.node
        let what =
          unfenced.isUnknownLife
          ? "node \(node) has not been seen since all daemons were started"
          : "node \(node) was removed"
        return "\(what) and is not known to be dead: make sure that it is, then run "
          + "'clvm node fenced \(node)'"
      }
  }
}
