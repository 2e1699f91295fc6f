import ClusterMembership
import ClusterSimulation
import ClusterTypes

// The disks that all machines share, as persistent reservations see them: who is registered writes, the
// others do not, as long as the disks are reserved.

/// All shared disks; they are reserved together.
struct ReservedDisks {
  /// Keys on the disks, each of one life of a node.
  var keys: Set<NodeInstanceSlot> = []
  var isReserved = false
  /// When the last reading began: what was read is used within moments, and nothing changes in them.
  var lastReadAt: UInt64 = 0

  /// A new life registers before it may write; the keys of its earlier ones go.
  mutating func register(_ slot: NodeSlot, _ incarnation: Incarnation) {
    keys = keys.filter { $0.slot != slot }
    keys.insert(NodeInstanceSlot(slot: slot, incarnation: incarnation))
    isReserved = true
  }

  /// Takes the keys of a life and all before it away, and reserves; nothing without a key of one's own.
  mutating func fence(_ attempt: FenceAttempt) {
    let executor = NodeInstanceSlot(
      slot: attempt.executor, incarnation: attempt.executorIncarnation)
    guard keys.contains(executor) else { return }
    keys = keys.filter { $0.slot != attempt.victim || $0.incarnation > attempt.incarnation }
    isReserved = true
  }

  func hasKey(of slot: NodeSlot, through incarnation: Incarnation) -> Bool {
    keys.contains { $0.slot == slot && $0.incarnation <= incarnation }
  }
}

extension MembershipWorld {
  /// What the node's list of disks is called; zero where it has none.
  func devices(of slot: NodeSlot) -> UInt64 {
    guard plan.reservationLevels != 0 else { return 0 }
    return hasOtherDisks(slot) ? 2 : 1
  }

  private func hasOtherDisks(_ slot: NodeSlot) -> Bool { plan.hasOtherDisks && slot.index == 0 }

  /// Whether a life that has not ended could write to some disk now.
  func canWrite(_ life: NodeInstanceSlot) -> Bool {
    plan.reservationLevels == 0 || !sharedDisks.isReserved || sharedDisks.keys.contains(life)
      || hasOtherDisks(life.slot)
  }

  func register(_ slot: NodeSlot) {
    guard plan.reservationLevels != 0,
      let incarnation = machines[slot.index.asInt].daemon?.incarnation
    else { return }
    sharedDisks.register(slot, incarnation)
  }

  /// The executor reads back what it has done.
  func keysRemoved(_ slot: NodeSlot, _ daemon: Int, _ attempt: FenceAttempt) {
    let isDone =
      sharedDisks.isReserved
      && sharedDisks.keys.contains(
        NodeInstanceSlot(slot: slot, incarnation: attempt.executorIncarnation))
      && !sharedDisks.hasKey(of: attempt.victim, through: attempt.incarnation)
    if isDone {
      sharedDisks.lastReadAt = now
      schedule(.excluded(slot, daemon: daemon, attempt: attempt.id), inMilliseconds: 1)
    } else {
      feed(.fenceResult(attempt: attempt.id, exit: 1), slot, daemon)
    }
  }

  func reading(_ exclusions: [Exclusion], by slot: NodeSlot) -> ExclusionReading {
    sharedDisks.lastReadAt = now
    let isReserved = sharedDisks.isReserved || plan.overlooksLostReservation
    let broken = exclusions.filter {
      !isReserved || sharedDisks.hasKey(of: $0.slot, through: $0.incarnation)
    }
    if !broken.isEmpty { return .broken(broken) }
    guard let incarnation = machines[slot.index.asInt].daemon?.incarnation,
      sharedDisks.keys.contains(NodeInstanceSlot(slot: slot, incarnation: incarnation))
        || plan.overlooksLostReservation
    else {
      situations.insert(.ownKeyLost)
      return .unknown
    }
    return .hold
  }

  /// An administrator or a disk array takes the reservation away, with the keys or without, or puts a key
  /// back that was taken away.
  func loseReservation() {
    guard !isCalm else { return }
    guard now > sharedDisks.lastReadAt + 2 * UInt64(plan.timers.silence) * 1_000_000 else {
      return schedule(.loseReservation, inMilliseconds: 500)
    }
    switch random(0...3) {
    case 0:
      sharedDisks.keys = []
      sharedDisks.isReserved = false
    case 1:
      for machine in machines where machine.isDirty {
        guard let incarnation = machine.daemon?.incarnation else { continue }
        sharedDisks.keys.insert(NodeInstanceSlot(slot: machine.slot, incarnation: incarnation))
      }
    default: sharedDisks.isReserved = false
    }
    note(
      "reservation lost: \(sharedDisks.isReserved), keys \(sharedDisks.keys.map(\.slot.index).sorted())"
    )
  }
}
