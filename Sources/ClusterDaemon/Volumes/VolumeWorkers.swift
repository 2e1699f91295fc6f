import DeviceMapper
import LVMMetadata
import Synchronization
import VolumeActivation
import VolumeCoordination
import VolumeJobs

/// One worker for each volume group, so that a disk which hangs under one does not hold the others.
final class VolumeWorkers: VolumeJobRunner {
  let disks: SharedDisks
  /// Nil unless the daemon is being tested.
  private let failPoints: FailPoints?
  /// The devices of this node; copies share them.
  private let makeMapper: @Sendable () -> any DeviceMapping
  private let workers = Mutex<[String: VolumeGroupWorker]>([:])

  /// - Parameter makeMapper: gives access to this node's mapped devices.
  init(
    disks: SharedDisks, failPoints: FailPoints? = nil,
    makeMapper: @escaping @Sendable () -> any DeviceMapping = { LibraryDeviceMapper() }
  ) {
    self.disks = disks
    self.failPoints = failPoints
    self.makeMapper = makeMapper
  }

  func run(_ job: VolumeJob) -> VolumeJobResult {
    do {
      try failPoints?.reach(job, .before)
      let result = worker(of: job.volumeGroupID).run(job)
      try failPoints?.reach(job, .after)
      return result
    } catch {
      return .failed("\(error)")
    }
  }

  func locks(of change: VolumeChange) -> [VolumeLock] {
    worker(of: change.volumeGroupID).locks(of: change.id)
  }

  func unusedLocks(
    among locks: [VolumeLock], volumeGroupID: String
  ) throws -> [VolumeLock] {
    try worker(of: volumeGroupID).unused(locks)
  }

  func volumeGroupID(named name: String) throws -> String? {
    try disks.group(named: name)?.volumeGroup.id.dashed
  }

  /// Why several nodes must not have the volume active at once; nil when they may, or when there is
  /// no such volume.
  func sharingObstacle(volumeGroup: String, logicalVolumeUUID uuid: String) throws -> String? {
    guard let group = try disks.group(named: volumeGroup),
      let volume = group.volumeGroup.logicalVolumes.first(where: { $0.id.dashed == uuid })
    else { return nil }
    do throws(ActivationRefusal) {
      guard try !disks.planner(for: group).plan(named: volume.name).mayBeShared else { return nil }
    } catch {
      return "\(error)"
    }
    return "something below it, as a snapshot or a cache, belongs to one node"
  }

  /// Leaves the text that the change's coordinator will write.
  func plan(_ text: MetadataText, for change: VolumeChange) {
    worker(of: change.volumeGroupID).plan(text, for: change.id)
  }

  private func worker(of volumeGroupID: String) -> VolumeGroupWorker {
    workers.withLock { workers in
      if let worker = workers[volumeGroupID] { return worker }
      let worker = VolumeGroupWorker(jobs(of: volumeGroupID, makeMapper()))
      workers[volumeGroupID] = worker
      return worker
    }
  }

  private func jobs(
    of volumeGroupID: String, _ mapper: some DeviceMapping
  ) -> any VolumeJobPerforming {
    VolumeGroupJobs(mapper: mapper, disks: disks, volumeGroupID: volumeGroupID)
  }

  /// Looks at this node's mapped devices.
  func withMapper<Result>(_ body: (inout any DeviceMapping) throws -> Result) rethrows -> Result {
    var mapper = makeMapper()
    return try body(&mapper)
  }
}
