import ClusterTypes
import Glibc

/// Why the kernel's lock manager could not be driven. Each message says what to do.
public enum KernelControlError: Error, Equatable, Sendable {
  case fileOperation(FileOperation, path: String, errno: Int32)
  /// The kernel took only a part of a value that must arrive in one piece.
  case shortWrite(path: String, written: Int, of: Int)
  /// A file of the kernel holds something that its documentation does not allow.
  case malformedValue(path: String, text: String)
  case modprobeNotStarted(path: String, errno: Int32)
  case moduleUnavailable(name: String, exitStatus: Int32)
  case configfsNotMounted(path: String)
  /// The module is there, its directory in configfs is not.
  case lockManagerMissing(path: String)
  case invalidClusterName(String)
  /// Lockspaces that exist already, and whose members this daemon does not know.
  case uncontrolledLockspaces([String])
  /// The kernel would take the start without a word and do nothing.
  case nothingToStart(LockspaceName, missing: String)
  /// Removing the local entry would cut this node off from its own lock manager.
  case localNodeCannotFail(NodeID)
  case clusterStackBusy(current: String)
  case ueventSocket(operation: String, errno: Int32)

  public enum FileOperation: String, Sendable {
    case open = "open"
    case read = "read"
    case write = "write to"
    case list = "list"
    case makeDirectory = "make directory"
    case removeDirectory = "remove directory"
    case makeDevice = "make device"
    case removeFile = "remove"
    case inspect = "inspect"
  }

  /// The error number of a failed file operation; nil for everything else.
  public var errno: Int32? {
    if case .fileOperation(_, _, let errno) = self { errno } else { nil }
  }
}

extension KernelControlError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .fileOperation(let operation, let path, let errno):
      "cannot \(operation.rawValue) \(path): \(systemMessage(errno))\(advice(path, errno))"
    case .shortWrite(let path, let written, let count):
      "the kernel took \(written) of \(count) bytes written to \(path)"
    case .malformedValue(let path, let text):
      "\(path) holds '\(text)', which is not what the kernel documents for it"
    case .modprobeNotStarted(let path, let errno):
      "cannot run \(path): \(systemMessage(errno)); install the package kmod"
    case .moduleUnavailable(let name, let status):
      "the kernel module \(name) cannot be loaded (modprobe ended with \(status)); install the "
        + "modules of the running kernel"
    case .configfsNotMounted(let path):
      "configfs is not mounted on \(path); run: mount -t configfs none \(path)"
    case .lockManagerMissing(let path):
      "\(path) is missing although configfs is mounted; load the kernel module dlm"
    case .invalidClusterName(let name):
      "'\(name)' cannot name the kernel's cluster: 1 to 63 printable ASCII characters are allowed"
    case .uncontrolledLockspaces(let names):
      "the kernel already has lockspaces that nobody controls: \(names.joined(separator: ", ")); "
        + "unmount their filesystems or reboot this node before clvmd starts"
    case .nothingToStart(let lockspace, let missing):
      "lockspace \(lockspace) cannot start: \(missing)"
    case .localNodeCannotFail(let node):
      "node \(node) is this node: its own entry cannot be removed as that of a failed node"
    case .clusterStackBusy(let current):
      "OCFS2 filesystems are mounted with the cluster stack '\(current)'; unmount them, because "
        + "one kernel uses one stack at a time and clvmd serves 'pcmk'"
    case .ueventSocket(let operation, let errno):
      "cannot \(operation) the kernel's event socket: \(systemMessage(errno))"
    }
  }

  private func advice(_ path: String, _ errno: Int32) -> String {
    switch errno {
    case EPERM, EACCES: "; clvmd must run as root with CAP_SYS_ADMIN"
    case EBUSY where path.hasSuffix("/tcp_port") || path.hasSuffix("/protocol"):
      "; it can change only while this node has no lockspace: unmount the cluster filesystems"
    case ENOTEMPTY: "; something below it is still in use"
    case EADDRINUSE,
      EEXIST where path.hasSuffix("/addr"):
      "; two nodes must not have the same address"
    default: ""
    }
  }
}

private func systemMessage(_ errno: Int32) -> String {
  guard let text = strerror(errno) else { return "error \(errno)" }
  return "\(String(cString: text)) (errno \(errno))"
}
