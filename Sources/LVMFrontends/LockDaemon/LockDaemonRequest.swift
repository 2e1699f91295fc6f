/// A decoded request of lvmlockd's protocol (lvmlockd-socket 5).
///
/// Names of VGs and uuids of LVs inside are known to be well-formed: they are safe in lock names,
/// in replies and in logs.
public enum LockDaemonRequest: Equatable, Sendable {
  case hello
  case quit
  case info
  case dump
  case runningLockManager
  /// `lockType` is nil unless the command wants one, as vgcreate does.
  case lockGlobal(LockWish, lockType: String?)
  case lockVolumeGroup(String, LockWish)
  case lockLogicalVolume(LogicalVolumeReference, LockWish, isPersistent: Bool)
  /// `--lockopt adoptgl` or `adoptvg`: only a lock that an earlier life of the daemon left.
  case adoptLock
  /// `--lockopt adoptlv`.
  case adoptLogicalVolume(LogicalVolumeReference, LockMode)
  case updateVolumeGroup(String, version: UInt32)
  case initializeVolumeGroup(String, lockType: String?)
  case initializeLogicalVolume(LogicalVolumeReference, lockType: String?)
  case freeLogicalVolume(LogicalVolumeReference)
  case queryLogicalVolume(LogicalVolumeReference)
  case queryVolumeGroup(String)
  case refreshLogicalVolume(VolumePath, uuid: String?)
  case startVolumeGroup(StartArguments)
  case startWait
  case stopVolumeGroup(String)
  case stopAll(waits: Bool, isForced: Bool)
  /// Do other nodes have the VG started?
  case askBusy(String)
  case freeVolumeGroup(String)
  case beginRename(String)
  /// After `beginRename`; nothing is left to do.
  case endRename
  case kill(String)
  case drop(String)
  /// Asked by commands about persistent reservations, which sanlock's host ids are part of.
  case describeVolumeGroup(String)
  /// Where sanlock has room for another lock; dlm needs none.
  case findFreeLock(String)
  /// Of sanlock's global lock, which is in a volume group.
  case moveGlobalLock
  /// Whether the lock arguments of a VG can be changed; those of sanlock can.
  case beginLockArguments(String)
  case endLockArguments
  case unknown(String)
  /// A known request whose fields make no sense, or bytes that are no request; the text says why.
  case malformed(String)

  public struct LogicalVolumeReference: Equatable, Sendable {
    public var vg: String
    public var uuid: String
    /// Nil when absent: only the uuid identifies.
    public var name: String?
  }

  /// A VG and an LV name out of `/dev//VG/LV`.
  public struct VolumePath: Equatable, Sendable {
    public var vg: String
    public var lv: String
  }

  public struct StartArguments: Equatable, Sendable {
    public var vg: String
    public var uuid: String?
    public var lockType: String?
    public var lockArguments: String?
    /// Only a lockspace that an earlier life of the daemon left.
    public var isAdoption = false
  }
}

/// What a lock request wants.
public enum LockWish: Equatable, Sendable {
  case unlock
  case lock(LockMode)
}

/// One message of a client.
public struct LockDaemonMessage: Equatable, Sendable {
  public let request: LockDaemonRequest
  /// The request's word, `?` when there is none.
  public let name: String
  /// The command that sent it, cut and made printable; nil when absent.
  public let command: String?
  /// Named by the client; nil means that the lock manager is not chosen yet.
  public let lockType: String?

  /// The number lvmlockd echoes as `op`; zero where there is none.
  public var operation: Int { Self.operations[name] ?? 0 }

  private static let operations: [String: Int] = [
    "init_vg": 3, "init_lv": 3, "free_lv": 4, "free_vg": 4, "start_vg": 5, "stop_vg": 6,
    "lock_gl": 7, "lock_vg": 7, "lock_lv": 7, "vg_update": 8, "enable_gl": 10, "disable_gl": 11,
    "start_wait": 12, "stop_all": 13, "rename_vg_before": 16, "rename_vg_final": 17,
    "running_lm": 18, "find_free_lock": 19, "kill_vg": 20, "drop_vg": 21, "busy_vg": 22,
    "query_lock_lv": 23, "query_lock_vg": 23, "refresh_lv": 24,
    "vg_status": 25, "setlockargs_vg_before": 28, "setlockargs_vg_final": 29,
  ]
}
