import CLinux
import Glibc

/// Loads kernel modules by modprobe(8).
public struct KernelModules: Sendable {
  /// The program to run.
  public let modprobe: String
  let paths: KernelControlPaths
  let files: any KernelFiles

  public init(
    modprobe: String = "/sbin/modprobe", paths: KernelControlPaths = KernelControlPaths(),
    files: any KernelFiles = HostKernelFiles()
  ) {
    self.modprobe = modprobe
    self.paths = paths
    self.files = files
  }

  /// Present in the running kernel, loaded or built in.
  public func isPresent(_ name: String) -> Bool { files.exists(paths.module(name)) }

  /// Makes the module present; does nothing when it is. Blocks while modprobe runs.
  public func load(_ name: String) throws(KernelControlError) {
    if isPresent(name) { return }
    let status = clinux_run(modprobe, name)
    guard status >= 0 else { throw .modprobeNotStarted(path: modprobe, errno: errno) }
    guard status == 0 else { throw .moduleUnavailable(name: name, exitStatus: status) }
  }
}
