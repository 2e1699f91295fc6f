import LVMMetadata
import Synchronization
import VolumeActivation
import VolumeCoordination

/// One worker for each volume group, so that a disk which hangs under one does not hold the others.
final class VolumeWorkers: VolumeJobRunner {
  let disks: SharedDisks
  /// Nil unless the daemon is being tested.
  private let failPoints: FailPoints?
  private let workers = Mutex<[String: VolumeGroupWorker]>([:])

  init(disks: SharedDisks, failPoints: FailPoints? = nil) {
    self.disks = disks
    self.failPoints = failPoints
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
      let worker = VolumeGroupWorker(disks: disks, volumeGroupID: volumeGroupID)
      workers[volumeGroupID] = worker
      return worker
    }
  }
}
