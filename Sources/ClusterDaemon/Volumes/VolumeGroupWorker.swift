import LVMMetadata
import Synchronization
import VolumeCoordination
import VolumeJobs

/// Carries out the jobs of one volume group on this node's disks and devices, one after the other.
final class VolumeGroupWorker: Sendable {
  private let jobs: Mutex<any VolumeJobPerforming>
  /// The texts that this node is about to write, by the change's id.
  private let texts = Mutex<[VolumeRequestID: MetadataText]>([:])

  init(_ jobs: sending any VolumeJobPerforming) { self.jobs = Mutex(jobs) }

  /// Leaves the text for the change's `writePrecommitted`.
  func plan(_ text: MetadataText, for id: VolumeRequestID) {
    texts.withLock { $0[id] = text }
  }

  func run(_ job: VolumeJob) -> VolumeJobResult {
    var text: MetadataText?
    if case .writePrecommitted(let change) = job {
      text = texts.withLock { $0.removeValue(forKey: change.id) }
    }
    return jobs.withLock { $0.run(job, text: text) }
  }

  func locks(of id: VolumeRequestID) -> [VolumeLock] { jobs.withLock { $0.locks(of: id) } }

  func unused(_ locks: [VolumeLock]) throws -> [VolumeLock] {
    try jobs.withLock { try $0.unused(locks) }
  }
}

/// The jobs of one volume group, over whatever device-mapper.
protocol VolumeJobPerforming {
  mutating func run(_ job: VolumeJob, text: MetadataText?) -> VolumeJobResult
  func locks(of id: VolumeRequestID) -> [VolumeLock]
  mutating func unused(_ locks: [VolumeLock]) throws -> [VolumeLock]
}

extension VolumeGroupJobs: VolumeJobPerforming {}
