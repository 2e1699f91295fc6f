import DeviceMapper
import LVMMetadata
import Synchronization
import VolumeCoordination
import VolumeJobs

/// Carries out the jobs of one volume group on this node's disks and devices, one after the other.
final class VolumeGroupWorker: Sendable {
  private let jobs: Mutex<VolumeGroupJobs<LibraryDeviceMapper, SharedDisks>>
  /// The texts that this node is about to write, by the change's id.
  private let texts = Mutex<[VolumeRequestID: MetadataText]>([:])

  init(disks: SharedDisks, volumeGroupID: String) {
    jobs = Mutex(
      VolumeGroupJobs(mapper: LibraryDeviceMapper(), disks: disks, volumeGroupID: volumeGroupID))
  }

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
}
