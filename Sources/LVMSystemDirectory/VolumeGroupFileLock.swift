import Glibc

/// The lock under which LVM's commands on one host change a volume group that no cluster shares:
/// flock(2) on `V_<VG>` in `global/locking_dir`. It ends with the value.
public struct VolumeGroupFileLock: ~Copyable {
  private let descriptor: Int32
  private let path: String

  /// Waits until no other command has the group.
  ///
  /// - Parameter group: its name.
  public init(group: String, _ configuration: LVMConfiguration) throws(SystemFileError) {
    let folder = configuration.string("global/locking_dir") ?? "/run/lock/lvm"
    try SystemFile.createFolder(folder)
    let path = "\(folder)/V_\(group)"
    let descriptor = try Self.acquire(path)
    self.path = path
    self.descriptor = descriptor
  }

  private static func acquire(_ path: String) throws(SystemFileError) -> Int32 {
    while true {
      let descriptor = open(path, O_CREAT | O_APPEND | O_RDWR | O_CLOEXEC, 0o777)
      guard descriptor >= 0 else { throw SystemFile.error(path, "open") }
      while flock(descriptor, LOCK_EX) != 0 {
        guard errno == EINTR else {
          let error = SystemFile.error(path, "flock")
          close(descriptor)
          throw error
        }
      }
      // Whoever had the lock before may have removed the file, which nobody else finds then.
      var mine = stat()
      var named = stat()
      if fstat(descriptor, &mine) == 0, stat(path, &named) == 0, mine.st_ino == named.st_ino,
        mine.st_dev == named.st_dev
      {
        return descriptor
      }
      close(descriptor)
    }
  }

  deinit {
    unlink(path)
    close(descriptor)
  }
}
