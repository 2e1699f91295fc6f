// Drives the kernel's DLM through configfs and sysfs, as its control daemon must.
//
// Nothing is decided here: which nodes are members, and when a lockspace stops and starts, is what
// the cluster agreed on. This type knows which writes express it, in which order, and which of
// them the kernel would misunderstand. The life of the daemon on one node:
//
//   prepare            modules, leftovers removed, cluster attributes
//   UeventSocket()     from now on no event is missed
//   KernelMonitor()    from now on the kernel knows that it is controlled
//   announceLocalNode  from now on mounts are possible
//   admit              for each other node of the cluster
//
// and of one lockspace, after the event `online` and the cluster's agreement:
//
//   setIdentifier, applyMembers, start, finish(.success)      the joiner
//   stop, applyMembers, start                                 the other members, at each change
//   stop, removeSpace, finish(.success)                       the leaver, after `offline`
//
// Every member has to have stopped before any member starts; the kernel does not check it.

import ClusterTypes
import Glibc

/// The control plane of the kernel's DLM on this node. Synchronous; values of it may be used from
/// several threads as long as no two of them write for the same lockspace or the comms at once.
public struct KernelLockManager: Sendable {
  public let paths: KernelControlPaths
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

  /// Loads the DLM and describes the cluster to it, up to where the node itself becomes known.
  ///
  /// `clusterName` must be the name in the superblocks of the cluster filesystems; `tcpPort` is the
  /// same on all nodes (the kernel's default is 21064). What an earlier run left in configfs is
  /// removed. Refused with `uncontrolledLockspaces` while the kernel has lockspaces: those were
  /// started on a membership that only the earlier run knew (kernel-dlm-control 12).
  public func prepare(clusterName: String, tcpPort: UInt16) throws(KernelControlError) {
    guard (1...63).contains(clusterName.utf8.count),
      clusterName.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { throw .invalidClusterName(clusterName) }
    try modules.load("dlm")
    try checkConfigfs()
    try removeConfiguration()
    try files.ensureDirectory(paths.cluster)
    try files.write(String(tcpPort), to: paths.cluster + "/tcp_port")
    try files.write("0", to: paths.cluster + "/protocol")
    // Without it OCFS2 waits for a control daemon of its own, and no failure is ever reported.
    try files.write("1", to: paths.cluster + "/recover_callbacks")
    // Stored as written: a newline would become a part of the name.
    try files.write(clusterName, to: paths.cluster + "/cluster_name")
  }

  /// Makes the kernel know which node it is; from now on lockspaces can be created.
  ///
  /// The monitor must have been opened before, or the kernel takes the daemon for one of the old
  /// kind and lets lockspaces run uncontrolled; and the socket, or a first event could be missed.
  /// They are arguments so that nobody forgets them. `address` must be configured on this host.
  public func announceLocalNode(
    _ instance: NodeInstance, address: NodeAddress, comms: inout CommsTable,
    monitor: KernelMonitor, uevents: UeventSocket
  ) throws(KernelControlError) {
    try announceLocalNode(instance, address: address, comms: &comms)
  }

  /// The announcement without its evidence, where another process holds monitor and socket, which has
  /// said so.
  public func announceLocalNode(
    _ instance: NodeInstance, address: NodeAddress, comms: inout CommsTable
  ) throws(KernelControlError) {
    precondition(instance.node == comms.localNode, "node \(instance.node) is not the local one")
    try admit(instance, address: address, comms: &comms)
    try files.write("1", to: paths.comms(of: instance.node) + "/local")
  }

  /// Removes all that was told to the kernel: for a clean end of the daemon, and at its start.
  ///
  /// Refused with `uncontrolledLockspaces` while a lockspace exists, because all its members would
  /// look failed afterwards.
  public func removeConfiguration() throws(KernelControlError) {
    let existing = try lockspaces()
    guard existing.isEmpty else { throw .uncontrolledLockspaces(existing) }
    for space in try files.entriesIfPresent(of: paths.spaces) {
      try removeSpaceDirectory("\(paths.spaces)/\(space)")
    }
    for node in try files.entriesIfPresent(of: paths.comms) {
      try files.removeDirectory("\(paths.comms)/\(node)")
    }
    try files.ensureNoDirectory(paths.cluster)
  }

  private func checkConfigfs() throws(KernelControlError) {
    if files.exists(paths.lockManagerConfiguration) { return }
    let mounts = String(decoding: try files.read(paths.mounts), as: UTF8.self)
    let mountPoint = paths.configfs.dropFirst(paths.root.count)
    let isMounted = mounts.split(separator: "\n").contains { line in
      let fields = line.split(separator: " ")
      return fields.count > 2 && fields[1] == mountPoint && fields[2] == "configfs"
    }
    guard isMounted else { throw .configfsNotMounted(path: paths.configfs) }
    throw .lockManagerMissing(path: paths.lockManagerConfiguration)
  }
}
