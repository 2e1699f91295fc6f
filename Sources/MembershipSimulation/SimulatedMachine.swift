import ClusterMembership
import ClusterTypes

/// A lockspace in a machine's kernel. What once ran may write under cached locks until it is left or
/// the machine is reset, whatever its control file says.
struct KernelSpace {
  var kind: UInt8
  var generation: UInt64
  var isRunning: Bool
  var members: [NodeInstanceSlot]
}

/// One machine: power, clock, disk, watchdog, kernel and, at times, a daemon.
final class SimulatedMachine {
  let slot: NodeSlot
  var isOn = false
  var boot = 0
  var bootedAt: UInt64 = 0
  /// Parts per million of true time.
  var rate: UInt64 = 1_000_000
  var daemon: EmbeddedMembership?
  /// Raised by every start and end of the daemon: what belongs to an earlier one is void.
  var daemonNumber = 0
  var frozenUntil: UInt64 = 0
  var durable: PersistentState?
  var storageStalledUntil: UInt64 = 0
  var storageFailsUntil: UInt64 = 0
  var quorumDiskFailsUntil: UInt64 = 0
  var stopsAreSlowUntil: UInt64 = 0
  var keeperStallsUntil: UInt64 = 0
  var kernel: [LockspaceName: KernelSpace] = [:]
  /// Raised by every stop: a start that was asked for before is not carried out.
  var tickets: [LockspaceName: Int] = [:]
  /// What users here want to have open.
  var wanted: Set<LockspaceName> = []
  var asked: Set<LockspaceName> = []
  /// True time of the wake-up that is scheduled.
  var wakeAt: UInt64 = .max
  var lease: UInt64 = 0
  var leaseCheckAt: UInt64 = .max
  var watchdogFiresAt: UInt64 = .max
  var mayLeave = false
  /// The view in which an earlier daemon of this boot ended, while its lockspaces run on.
  var readoptedView: UInt64 = 0
  /// For the checks.
  var lastTerm: UInt64 = 0
  var lastViewID: UInt64 = 0
  var lastDelivered: UInt64 = 0
  var lastAcknowledged: (term: UInt64, index: UInt64) = (0, 0)
  var lastVote: UInt64 = 0
  /// The present freeze, or the last, is one that the daemon must notice.
  var isGap = false
  /// Local time at which it ended, zero for none, and what the newest pong since answered.
  var gapEnd: UInt64 = 0
  var lastPong: UInt64 = 0
  var ranAttempts: Set<UInt64> = []

  init(slot: NodeSlot) { self.slot = slot }

  var isUp: Bool { isOn && daemon != nil }
  /// A life of this machine that may have written: only a reset ends that.
  var isDirty: Bool { !kernel.isEmpty }

  /// Nanoseconds of this boot's clock at the true time `now`.
  func local(_ now: UInt64) -> UInt64 { (now - min(now, bootedAt)) / 1_000_000 * rate + 1 }

  /// True time of a moment of this boot's clock.
  func trueTime(_ local: UInt64) -> UInt64 { bootedAt + local / rate * 1_000_000 }

  var bootID: BootID { BootID(high: UInt64(slot.index) + 1, low: UInt64(boot)) }
}
