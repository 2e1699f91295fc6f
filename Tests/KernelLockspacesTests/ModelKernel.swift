import ClusterTypes
import Glibc
import Synchronization

@testable import KernelLockspaces

/// The kernel's DLM as far as its configuration shows: creation sequences of comms directories, and
/// what a start tells the filesystem about members that are gone (kernel-dlm-control 1 to 4).
final class ModelKernel: KernelFiles {
  struct State {
    /// Directories and files with their content.
    var directories: Set<String> = []
    var files: [String: [UInt8]] = [:]
    var writes: [String] = []
    /// Errors of changes, by path.
    var failures: [String: Int32] = [:]

    var nextSequence = 1
    var commsSequence: [String: Int] = [:]
    /// Sequence of the comms directory when the member's node id was written, by member directory.
    var memberSequence: [String: Int] = [:]
    /// Members of the last start, by lockspace, with their directory's sequence.
    var started: [String: [String: Int]] = [:]
    /// `lockspace:node` for each failure that a filesystem was told of.
    var recoveredSlots: [String] = []
  }

  let state: Mutex<State>
  let paths = KernelControlPaths()

  init(lockspaces: [String] = []) {
    var state = State()
    state.directories = ["/sys/kernel/config/dlm", "/sys/kernel/dlm", "/sys/module/dlm"]
    self.state = Mutex(state)
    for lockspace in lockspaces { create(lockspace) }
  }

  /// Somebody creates a lockspace and waits.
  func create(_ lockspace: String) {
    state.withLock { state in
      let directory = "/sys/kernel/dlm/\(lockspace)"
      state.directories.insert(directory)
      state.files["\(directory)/control"] = []
      state.files["\(directory)/event_done"] = []
      state.files["\(directory)/id"] = Array("0\n".utf8)
      state.files["\(directory)/recover_status"] = Array("0\n".utf8)
      state.files["\(directory)/recover_nodeid"] = Array("0\n".utf8)
    }
  }

  func makeFile(_ path: String, _ text: String) {
    state.withLock { $0.files[path] = Array(text.utf8) }
  }

  func fail(_ path: String, with errno: Int32) { state.withLock { $0.failures[path] = errno } }
  func repair() { state.withLock { $0.failures = [:] } }

  /// All that was written since the last call, shortened to what follows the cluster's directory.
  func takeWrites() -> [String] {
    state.withLock { state in
      defer { state.writes = [] }
      return state.writes.map { line in
        for prefix in ["/sys/kernel/config/dlm/cluster", "/sys/kernel/dlm/"] {
          if let range = line.firstRange(of: prefix) {
            let rest = line[range.upperBound...].drop { $0 == "/" }
            return String(line[..<range.lowerBound] + rest)
          }
        }
        return line
      }
    }
  }

  func text(_ path: String) -> String? {
    state.withLock { $0.files[path].map { String(decoding: $0, as: UTF8.self) } }
  }

  /// `lockspace:node` for each failure that a filesystem was told of so far.
  var recoveredSlots: [String] { state.withLock { $0.recoveredSlots } }

  // MARK: The file operations

  func makeDirectory(_ path: String) throws(KernelControlError) {
    try check(path, .makeDirectory)
    let failure: Int32? = state.withLock { state in
      let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
      guard state.directories.contains(parent) else { return ENOENT }
      guard state.directories.insert(path).inserted else { return EEXIST }
      state.writes.append("mkdir \(path)")
      let name = String(path.dropFirst(parent.count + 1))
      if path == paths.cluster {
        state.directories.formUnion([paths.comms, paths.spaces])
        for attribute in ["tcp_port", "protocol", "recover_callbacks", "cluster_name"] {
          state.files["\(path)/\(attribute)"] = []
        }
      } else if parent == paths.comms {
        for attribute in ["nodeid", "addr", "local"] { state.files["\(path)/\(attribute)"] = [] }
        state.commsSequence[name] = state.nextSequence
        state.nextSequence += 1
      } else if parent == paths.spaces {
        state.directories.insert("\(path)/nodes")
      } else if path.hasPrefix(paths.spaces) {
        state.files["\(path)/nodeid"] = []
      }
      return nil
    }
    if let failure { throw .fileOperation(.makeDirectory, path: path, errno: failure) }
  }

  func removeDirectory(_ path: String) throws(KernelControlError) {
    try check(path, .removeDirectory)
    let failure: Int32? = state.withLock { state in
      guard state.directories.contains(path) else { return ENOENT }
      // Default groups go with their directory; what was made by mkdir does not.
      let defaults = [paths.comms, paths.spaces, "\(path)/nodes"]
      let children = state.directories.filter { $0.hasPrefix(path + "/") && !defaults.contains($0) }
      guard children.isEmpty else { return ENOTEMPTY }
      state.directories = state.directories.filter { $0 != path && !$0.hasPrefix(path + "/") }
      state.files = state.files.filter { !$0.key.hasPrefix(path + "/") }
      state.commsSequence[String(path.dropFirst(paths.comms.count + 1))] = nil
      state.memberSequence[path] = nil
      state.writes.append("rmdir \(path)")
      return nil
    }
    if let failure { throw .fileOperation(.removeDirectory, path: path, errno: failure) }
  }

  func write(_ bytes: [UInt8], to path: String) throws(KernelControlError) {
    try check(path, .write)
    let failure: Int32? = state.withLock { state in
      guard state.files[path] != nil else { return ENOENT }
      let text = String(decoding: bytes, as: UTF8.self)
      if path.hasSuffix("/addr") {
        guard bytes.count == 128 else { return EINVAL }
        guard state.files[path.dropLast(4) + "nodeid"] != [] else { return EINVAL }
      }
      state.files[path] = bytes
      state.writes.append("\(path)=\(path.hasSuffix("/addr") ? "address" : text)")
      if path.hasPrefix(paths.spaces) {
        state.memberSequence[String(path.dropLast("/nodeid".count))] =
          state.commsSequence[text] ?? 0
      }
      if path.hasSuffix("/control"), text == "1" {
        let lockspace = String(path.dropFirst("/sys/kernel/dlm/".count).dropLast(8))
        start(lockspace, &state)
      }
      return nil
    }
    if let failure { throw .fileOperation(.write, path: path, errno: failure) }
  }

  /// Members that are gone, or whose directory is new: failed if their comms directory is not the
  /// one that was there when they were added.
  private func start(_ lockspace: String, _ state: inout State) {
    let directory = "\(paths.spaces)/\(lockspace)/nodes/"
    var members: [String: Int] = [:]
    for (path, sequence) in state.memberSequence where path.hasPrefix(directory) {
      members[String(path.dropFirst(directory.count))] = sequence
    }
    for (node, sequence) in state.started[lockspace, default: [:]].sorted(by: { $0.key < $1.key })
    where members[node] != sequence {
      if state.commsSequence[node] != sequence {
        state.recoveredSlots.append("\(lockspace):\(node)")
      }
    }
    state.started[lockspace] = members
  }

  func read(_ path: String) throws(KernelControlError) -> [UInt8] {
    guard let content = state.withLock({ $0.files[path] }) else {
      throw .fileOperation(.open, path: path, errno: ENOENT)
    }
    return content
  }

  func entries(of directory: String) throws(KernelControlError) -> [String] {
    return try state.withLock { state throws(KernelControlError) in
      guard state.directories.contains(directory) else {
        throw .fileOperation(.list, path: directory, errno: ENOENT)
      }
      return state.directories
        .filter { $0.hasPrefix(directory + "/") }
        .map { $0.dropFirst(directory.count + 1) }
        .filter { !$0.contains("/") }.map(String.init).sorted()
    }
  }

  func exists(_ path: String) -> Bool {
    state.withLock { $0.directories.contains(path) || $0.files[path] != nil }
  }

  private func check(
    _ path: String, _ operation: KernelControlError.FileOperation
  ) throws(KernelControlError) {
    if let errno = state.withLock({ $0.failures[path] }) {
      throw .fileOperation(operation, path: path, errno: errno)
    }
  }
}
