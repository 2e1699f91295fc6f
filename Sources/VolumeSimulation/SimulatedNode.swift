import ClusterTypes
import VolumeActivation
import VolumeCoordination
import VolumeJobs

/// A machine with its kernel's mapped devices, and the daemon on it.
final class SimulatedNode {
  let id: NodeID
  /// The daemon's present or last life.
  var instance: NodeInstance
  /// Counts lives; what an earlier one has begun does not go on.
  var life = 0
  var kernel: SimulatedDeviceMapper
  var isPowered = true
  /// The daemon runs; it may be stalled all the same.
  var isRunning = true
  var stalledUntil: Timestamp?
  var participant: ChangeParticipant
  var jobs: VolumeGroupJobs<SimulatedMapper, SimulatedDisks>?
  /// Jobs that wait for the one before; `revert` does not.
  var queue: [VolumeJob] = []
  var isWorking = false
  var runsRecovery = false
  var wakeAt: Timestamp?
  /// Cut off by the others: it is fenced sooner or later.
  var isRemoved = false
  /// This life has to follow the disk before lockspaces go on, because somebody died.
  var owesSettling = false
  var isSettling = false
  /// This life has to follow the disk under the group's lock, because of what an earlier one left.
  var owesRecovery = false

  // Faults that are armed.
  var lostDisks: Set<Int> = []
  var refusesNext = false
  var refusesLoads = false
  var failsNextWrite = false
  var delaysNextMessage = false
  var losesNextMessage = false
  var echoes = false

  /// It could not load what LVM's own command committed, and whoever ran that was told.
  var lags = false
  /// LVM's own command could not resume what it had suspended itself: that is told to its user.
  var isLeftByLVM = false

  /// Since when devices have been suspended.
  var suspendedSince: [MappedDeviceUUID: Timestamp] = [:]
  /// The kernel or a disk failed this node: it may have to keep devices suspended.
  var isHampered = false

  init(_ id: NodeID, kernel: SimulatedDeviceMapper) {
    self.id = id
    self.kernel = kernel
    instance = NodeInstance(id, Incarnation(1))
    participant = ChangeParticipant(node: instance)
  }

  var isSettled: Bool { !owesSettling && !isSettling }
}
