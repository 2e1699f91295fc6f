import Logging
import NIOCore
import NIOPosix

/// Looks into the metadata whether several nodes may have a logical volume active at once.
///
/// lvm itself refuses most types that must not be shared, but not origins of COW snapshots before
/// 2.03.31, and never those with a write cache (lvmlockd-socket 18).
///
/// Confined to the cluster's event loop; reads on a worker thread.
struct SharingCheck {
  let workers: VolumeWorkers
  let loop: any EventLoop
  let pool: NIOThreadPool
  let logger: Logger

  /// `completion` gets the reason why not, or nil.
  ///
  /// A volume that cannot be looked at is let through: this daemon may see fewer disks than lvm,
  /// which has just read the metadata, and the check is in addition to lvm's own.
  func check(vg: String, lvUUID: String, completion: @escaping (String?) -> Void) {
    let answer = NIOLoopBound(completion, eventLoop: loop)
    pool.runIfActive(eventLoop: loop) { [workers] in
      try workers.sharingObstacle(volumeGroup: vg, logicalVolumeUUID: lvUUID)
    }.whenComplete { [logger] result in
      switch result {
      case .success(let obstacle): answer.value(obstacle)
      case .failure(let error):
        logger.warning("VG \(vg): LV \(lvUUID) becomes shared, and cannot be looked at: \(error)")
        answer.value(nil)
      }
    }
  }
}
