import Glibc

/// The open `dlm-monitor` device: the sign of life of a control daemon.
///
/// When the last descriptor of it closes, the kernel stops all lockspaces at once; they hang
/// until a daemon controls them again (kernel-dlm-control 1.6 and 12). Keep this object as long
/// as the process lives.
public final class KernelMonitor: Sendable {
  public let descriptor: Int32

  /// Opens the device under its own name or, where udev has moved it, under `misc/`.
  public init(paths: KernelControlPaths = KernelControlPaths()) throws(KernelControlError) {
    let candidates = ["\(paths.devices)/dlm-monitor", "\(paths.miscDeviceNodes)/dlm-monitor"]
    var failure = KernelControlError.lockManagerMissing(path: candidates[0])
    for path in candidates {
      let opened = open(path, O_RDONLY | O_CLOEXEC)
      if opened >= 0 {
        descriptor = opened
        return
      }
      failure = .fileOperation(.open, path: path, errno: errno)
    }
    throw failure
  }

  deinit { close(descriptor) }
}
