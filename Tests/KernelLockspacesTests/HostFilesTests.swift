import ClusterTypes
import Glibc
import Testing

@testable import KernelLockspaces

/// A directory that plays the root of the file system, and goes with the object.
final class ScratchRoot {
  let path: String
  var paths: KernelControlPaths { KernelControlPaths(root: path) }

  init() throws {
    var template = Array("/tmp/clvmd-kernel-XXXXXX".utf8CString)
    path = String(cString: try #require(mkdtemp(&template)))
  }

  deinit { Self.removeTree(path) }

  private static func removeTree(_ path: String) {
    for name in (try? HostKernelFiles().entries(of: path)) ?? [] { removeTree("\(path)/\(name)") }
    remove(path)
  }

  func makeDirectories(_ directory: String) throws {
    var made = path
    for part in directory.split(separator: "/") {
      made += "/" + part
      try #require(mkdir(made, 0o755) == 0 || errno == EEXIST)
    }
  }

  func makeFile(_ file: String, _ text: String) throws {
    try makeDirectories(String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)]))
    let descriptor = open(path + file, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try #require(write(descriptor, text, text.utf8.count) == text.utf8.count)
  }
}

@Test func write_toAnAttributeThatDoesNotExist_failsInsteadOfMakingIt() throws {
  let root = try ScratchRoot()
  let path = root.path + "/attribute"
  #expect(throws: KernelControlError.fileOperation(.open, path: path, errno: ENOENT)) {
    try HostKernelFiles().write("1", to: path)
  }
}

@Test func directories_areMadeListedAndRemovedOnce() throws {
  let root = try ScratchRoot()
  let files = HostKernelFiles()
  #expect(try files.ensureDirectory(root.path + "/b"))
  #expect(try !files.ensureDirectory(root.path + "/b"))
  try files.makeDirectory(root.path + "/a")
  #expect(try files.entries(of: root.path) == ["a", "b"])
  #expect(try files.ensureNoDirectory(root.path + "/a"))
  #expect(try !files.ensureNoDirectory(root.path + "/a"))
  #expect(try files.entriesIfPresent(of: root.path + "/a") == [])
}

@Test func attributes_areReadWithoutTheirNewline() throws {
  let root = try ScratchRoot()
  try root.makeFile("/sys/kernel/dlm/vol/recover_status", "ff\n")
  let manager = KernelLockManager(paths: root.paths)
  #expect(try manager.recoverStatus(try lockspace("vol")).contains(.allDone))
}

@Test func stop_writesZeroToTheControlFile() throws {
  let root = try ScratchRoot()
  try root.makeFile("/sys/kernel/dlm/vol/control", "")
  try KernelLockManager(paths: root.paths).stop(try lockspace("vol"))
  #expect(try HostKernelFiles().readText(root.path + "/sys/kernel/dlm/vol/control") == "0")
}

@Test func monitor_isFoundInDevAndInMisc_andItsAbsenceIsNamed() throws {
  let root = try ScratchRoot()
  let missing = root.path + "/dev/misc/dlm-monitor"
  #expect(throws: KernelControlError.fileOperation(.open, path: missing, errno: ENOENT)) {
    try KernelMonitor(paths: root.paths)
  }
  try root.makeFile("/dev/misc/dlm-monitor", "")
  #expect(try KernelMonitor(paths: root.paths).descriptor >= 0)
}

@Test func module_thatIsPresent_needsNoModprobe() throws {
  let root = try ScratchRoot()
  try root.makeDirectories("/sys/module/dlm")
  try KernelModules(modprobe: "/nonexistent", paths: root.paths).load("dlm")
}

@Test func module_thatCannotBeLoaded_isNamed() throws {
  let root = try ScratchRoot()
  #expect(throws: KernelControlError.moduleUnavailable(name: "dlm", exitStatus: 1)) {
    try KernelModules(modprobe: "/bin/false", paths: root.paths).load("dlm")
  }
  #expect(throws: KernelControlError.modprobeNotStarted(path: "/nonexistent", errno: ENOENT)) {
    try KernelModules(modprobe: "/nonexistent", paths: root.paths).load("dlm")
  }
}

@Test func ueventSocket_withoutEvents_returnsAtOnce() throws {
  let socket: UeventSocket
  do {
    socket = try UeventSocket()
  } catch .ueventSocket(_, let reason)
    where [EPERM, EPROTONOSUPPORT, EAFNOSUPPORT].contains(reason)
  {
    return  // Some containers forbid netlink.
  }
  #expect(try socket.readAvailable().events == [])
  #expect(try !socket.waitUntilReadable(timeoutMilliseconds: 0))
}
