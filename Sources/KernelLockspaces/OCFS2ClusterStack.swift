import ClusterTypes
import Glibc

/// The cluster stack that OCFS2 and its tools use on this node.
///
/// fsck.ocfs2 and tunefs.ocfs2 take it from `/sys/fs/ocfs2/cluster_stack` and do not set it
/// themselves; with the boot default `o2cb` they fail on volumes of this stack
/// (ocfs2-cluster-stacks 1).
public struct OCFS2ClusterStack: Sendable {
  /// The label in the superblock of volumes that use the kernel's DLM without a helper daemon.
  public static let label = "pcmk"

  let paths: KernelControlPaths
  let files: any KernelFiles
  let modules: KernelModules

  public init(
    paths: KernelControlPaths = KernelControlPaths(), files: any KernelFiles = HostKernelFiles(),
    modprobe: String = "/sbin/modprobe"
  ) {
    self.paths = paths
    self.files = files
    modules = KernelModules(modprobe: modprobe, paths: paths, files: files)
  }

  public enum Selection: Equatable, Sendable, CustomStringConvertible {
    case selected
    /// No OCFS2 on this node, which other filesystems do not mind.
    case unavailable(KernelControlError)

    public var description: String {
      switch self {
      case .selected: "OCFS2 uses the cluster stack '\(OCFS2ClusterStack.label)'"
      case .unavailable(let reason): "OCFS2 volumes cannot be mounted on this node: \(reason)"
      }
    }
  }

  /// Loads `ocfs2_stack_user` and selects the stack; `unavailable` when the kernel has no OCFS2.
  /// Throws `clusterStackBusy` while volumes of another stack are mounted.
  public func select() throws(KernelControlError) -> Selection {
    do {
      try modules.load("ocfs2_stack_user")
    } catch {
      return .unavailable(error)
    }
    do {
      try files.write(Self.label, to: paths.ocfs2ClusterStack)
    } catch {
      switch error.errno {
      case EBUSY: throw .clusterStackBusy(current: try files.readText(paths.ocfs2ClusterStack))
      case ENOENT: return .unavailable(error)
      default: throw error
      }
    }
    return .selected
  }

  /// A module that makes mkfs.ocfs2, tunefs.ocfs2 and fsck.ocfs2 fail on this stack: they prefer it
  /// to the DLM whenever it is loaded, and the kernel refuses it the cluster (ocfs2-cluster-stacks
  /// 9). Nil when it is not loaded; otherwise what to tell the administrator.
  public func dlmfsWarning() -> String? {
    guard modules.isPresent("ocfs2_dlmfs") else { return nil }
    return "the kernel module ocfs2_dlmfs is loaded: tunefs.ocfs2, fsck.ocfs2 and mkfs.ocfs2 will "
      + "fail with 'Could not create domain'; run: rmmod ocfs2_dlmfs (and set O2CB_ENABLED=false)"
  }
}
