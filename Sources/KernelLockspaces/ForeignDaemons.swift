import Glibc

/// Something else on this node that does what clvmd is about to do.
public enum ForeignController: Equatable, Sendable, CustomStringConvertible {
  /// `process` is nil when only its sockets are seen: it runs in another process namespace.
  case dlmControld(process: Int32?)
  case lvmlockd(process: Int32?)
  /// Lockspaces that were there before clvmd: nobody can say who their members are.
  case lockspaces([String])

  public var description: String {
    switch self {
    case .dlmControld(let process):
      "dlm_controld\(Self.text(process)) controls the kernel's lock manager; run: "
        + "systemctl disable --now dlm.service"
    case .lvmlockd(let process):
      "lvmlockd\(Self.text(process)) serves LVM's lock requests; run: "
        + "systemctl disable --now lvmlocks.service lvmlockd.service"
    case .lockspaces(let names):
      "the kernel already has lockspaces that nobody controls: \(names.joined(separator: ", ")); "
        + "unmount their filesystems or reboot this node"
    }
  }

  private static func text(_ process: Int32?) -> String { process.map { " (pid \($0))" } ?? "" }
}

/// Looks for other daemons before clvmd touches anything. corosync by itself is no conflict.
public struct ForeignDaemons: Sendable {
  let paths: KernelControlPaths
  let files: any KernelFiles

  public init(
    paths: KernelControlPaths = KernelControlPaths(), files: any KernelFiles = HostKernelFiles()
  ) {
    self.paths = paths
    self.files = files
  }

  /// A daemon whose pid file names a live process other than this one, or that listens on the
  /// kernel-wide DLM sockets.
  public func dlmControld() throws(KernelControlError) -> ForeignController? {
    let process = try liveProcess(
      named: "dlm_controld", pidFile: "/run/dlm_controld/dlm_controld.pid")
    if let process { return .dlmControld(process: process) }
    let sockets = try listeningSockets()
    let isListening = sockets.contains("@dlmc_sock") || sockets.contains("@dlmc_query_sock")
    return isListening ? .dlmControld(process: nil) : nil
  }

  /// `pidFile` and `socket` are those which clvmd itself is going to use: a process that wrote the
  /// one or listens on the other and is named lvmlockd, or whose name cannot be known.
  public func lvmlockd(
    pidFile: String = "/run/lvmlockd.pid", socket: String = "/run/lvm/lvmlockd.socket"
  ) throws(KernelControlError) -> ForeignController? {
    if let process = try liveProcess(named: "lvmlockd", pidFile: pidFile) {
      return .lvmlockd(process: process)
    }
    return try listeningSockets().contains(socket) ? .lvmlockd(process: nil) : nil
  }

  /// Lockspaces in the kernel, whoever made them.
  public func existingLockspaces() throws(KernelControlError) -> ForeignController? {
    let names = try files.entriesIfPresent(of: paths.lockspaces)
    return names.isEmpty ? nil : .lockspaces(names)
  }

  /// The process in `pidFile`, if it lives and has that name. A file that a dead daemon left, or
  /// whose number now belongs to another program, is no conflict.
  private func liveProcess(
    named name: String, pidFile: String
  ) throws(KernelControlError) -> Int32? {
    guard let content = try readIfPresent(paths.root + pidFile),
      let process = Int32(content.prefix { $0.isNumber }), process > 0,
      let status = try readIfPresent(paths.process(process) + "/stat")
    else { return nil }
    return Self.isAlive(name, status: status) ? process : nil
  }

  /// `status` is "PID (NAME) STATE …". A process that has ended stays there, as a zombie, until its
  /// parent asks for its exit code; in a container perhaps nobody ever does.
  private static func isAlive(_ name: String, status: String) -> Bool {
    guard let opening = status.firstIndex(of: "("), let closing = status.lastIndex(of: ")"),
      opening < closing, status[opening..<closing].dropFirst() == name,
      let state = status[closing...].dropFirst().first(where: { $0 != " " })
    else { return false }
    return state != "Z" && state != "X"
  }

  private func readIfPresent(_ path: String) throws(KernelControlError) -> String? {
    do {
      return try files.readText(path)
    } catch {
      // A process that ends meanwhile gives ESRCH.
      guard error.errno == ENOENT || error.errno == ESRCH else { throw error }
      return nil
    }
  }

  /// Paths of the unix sockets that listen; abstract names start with `@`.
  private func listeningSockets() throws(KernelControlError) -> Set<String> {
    Self.listeningSockets(in: try readIfPresent(paths.unixSockets) ?? "")
  }

  /// The columns of `/proc/net/unix` are Num, RefCount, Protocol, Flags, Type, St, Inode, Path.
  static func listeningSockets(in text: String) -> Set<String> {
    let acceptsConnections: UInt32 = 1 << 16
    var sockets: Set<String> = []
    for line in text.split(separator: "\n").dropFirst() {
      let fields = line.split(separator: " ", maxSplits: 7)
      guard fields.count == 8, let flags = UInt32(fields[3], radix: 16),
        flags & acceptsConnections != 0
      else { continue }
      sockets.insert(String(fields[7]))
    }
    return sockets
  }
}
