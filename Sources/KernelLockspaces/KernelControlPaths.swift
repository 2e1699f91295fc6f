import ClusterTypes

/// Where the kernel shows its DLM, below a root that is `/` in the daemon and a scratch directory
/// in tests (kernel-dlm-control 2 to 4).
public struct KernelControlPaths: Equatable, Sendable {
  /// Prefix of every path, without a trailing slash; empty for the real root.
  public let root: String

  public init(root: String = "") {
    self.root = root.hasSuffix("/") ? String(root.dropLast()) : root
  }

  /// Where configfs is mounted.
  public var configfs: String { root + "/sys/kernel/config" }
  /// Made by the module `dlm`.
  public var lockManagerConfiguration: String { configfs + "/dlm" }
  /// The one cluster of the kernel's DLM. Its name is free; every control daemon calls it so.
  public var cluster: String { lockManagerConfiguration + "/cluster" }
  /// One directory for each node of the cluster that the kernel may talk to.
  public var comms: String { cluster + "/comms" }
  /// One directory for each lockspace of this node.
  public var spaces: String { cluster + "/spaces" }
  /// One directory for each lockspace that exists in the kernel.
  public var lockspaces: String { root + "/sys/kernel/dlm" }

  public func comms(of node: NodeID) -> String { "\(comms)/\(node)" }
  public func space(_ lockspace: LockspaceName) -> String { "\(spaces)/\(lockspace)" }
  public func members(of lockspace: LockspaceName) -> String { space(lockspace) + "/nodes" }
  public func member(_ node: NodeID, of lockspace: LockspaceName) -> String {
    "\(members(of: lockspace))/\(node)"
  }

  /// A file of `/sys/kernel/dlm/<lockspace>`.
  public func lockspaceFile(_ file: LockspaceFile, of lockspace: LockspaceName) -> String {
    "\(lockspaces)/\(lockspace)/\(file.rawValue)"
  }

  /// The files of a kernel lockspace that the control plane uses (kernel-dlm-control 4).
  public enum LockspaceFile: String, Sendable {
    case control
    case eventDone = "event_done"
    case identifier = "id"
    case recoverStatus = "recover_status"
    case recoverNode = "recover_nodeid"
  }

  /// Which of OCFS2's cluster stacks is in use; there after `modprobe ocfs2_stack_user`.
  public var ocfs2ClusterStack: String { root + "/sys/fs/ocfs2/cluster_stack" }
  public func module(_ name: String) -> String { root + "/sys/module/" + name }
  public var mounts: String { root + "/proc/mounts" }
  public var miscDevices: String { root + "/proc/misc" }
  public var unixSockets: String { root + "/proc/net/unix" }
  public func process(_ identifier: Int32) -> String { "\(root)/proc/\(identifier)" }
  public var devices: String { root + "/dev" }
  /// Where libdlm and ocfs2-tools look for the DLM's devices.
  public var miscDeviceNodes: String { root + "/dev/misc" }
  /// There while udevd runs.
  public var udevControl: String { root + "/run/udev/control" }
}
