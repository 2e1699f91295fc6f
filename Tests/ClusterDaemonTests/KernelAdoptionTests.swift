import ClusterTypes
import Glibc
import KeeperProtocol
import KernelLockspaces
import Testing

@testable import ClusterDaemon

/// What a new life of the daemon takes up, on files in the place of the kernel's.
@Suite final class KernelAdoptionTests {
  private let root: String
  private let control: KernelLockManager
  private let space = LockspaceName("A0B1").unsafelyUnwrapped
  private let one = NodeInstance(NodeID(1).unsafelyUnwrapped, Incarnation(11))
  private let two = NodeInstance(NodeID(2).unsafelyUnwrapped, Incarnation(22))

  init() throws {
    var template = Array("/tmp/clvmd-adoption-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    root = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    control = KernelLockManager(paths: KernelControlPaths(root: root))
    try makeFolder(control.paths.spaces)
    try makeFolder(control.paths.lockspaces)
  }

  deinit { _ = removeTree(root) }

  private var table: KernelTable {
    KernelTable(
      local: one, comms: [one.node: one.incarnation, two.node: two.incarnation],
      spaces: [space: StartedSpace(generation: 3, members: [one, two])])
  }

  @Test func `what the keeper knows and the kernel confirms is taken up`() throws {
    try makeLockspace(status: "55", members: [1, 2])
    let adoption = KernelAdoption(control)
    #expect(try adoption.claim(try adoption.confirm(table), for: one) == table)
  }

  @Test func `a lockspace that the keeper does not know is refused, unless it only waits to join`()
    throws
  {
    try makeLockspace(status: "55", members: [1, 2])
    let empty = KernelTable(local: one)
    #expect(throws: DaemonError.self) { try KernelAdoption(control).confirm(empty) }
    try makeLockspace(status: "0", members: [], identifier: "0")
    #expect(try KernelAdoption(control).confirm(empty) == empty)
  }

  @Test func `a member that the keeper does not know is refused`() throws {
    try makeLockspace(status: "55", members: [1, 2, 3])
    #expect(throws: DaemonError.self) { try KernelAdoption(control).confirm(table) }
  }

  @Test func `a lockspace that is gone is forgotten`() throws {
    #expect(try KernelAdoption(control).confirm(table).spaces.isEmpty)
  }

  @Test func `another incarnation may not go on with what runs, and may with what only waits`()
    throws
  {
    try makeLockspace(status: "55", members: [1, 2])
    let later = NodeInstance(one.node, Incarnation(12))
    let adoption = KernelAdoption(control)
    let confirmed = try adoption.confirm(table)
    #expect(throws: DaemonError.self) { try adoption.claim(confirmed, for: later) }
    let waiting = try adoption.claim(
      KernelTable(local: one, comms: [one.node: one.incarnation]), for: later)
    #expect(waiting.local == later)
    #expect(waiting.comms[one.node] == later.incarnation)
  }

  @Test(arguments: [("0", false), ("1", true), ("ff", true)])
  func `a start under way counts if the kernel has begun to recover`(
    status: String, hasStarted: Bool
  ) throws {
    var table = table
    let renewed = NodeInstance(two.node, Incarnation(23))
    table.spaces[space]?.next = StartedSpace.Start(generation: 4, members: [one, renewed])
    try makeLockspace(status: status, members: [1, 2])
    let found = try KernelAdoption(control).confirm(table)
    #expect(
      found.spaces[space]
        == (hasStarted
          ? StartedSpace(generation: 4, members: [one, renewed])
          : StartedSpace(generation: 3, members: [one, two])))
    #expect(found.comms[two.node] == (hasStarted ? renewed.incarnation : nil))
  }

  // MARK: - The files

  private func makeLockspace(
    status: String, members: [Int], identifier: String = "1826763677"
  ) throws {
    let folder = "\(control.paths.lockspaces)/\(space)"
    try makeFolder(folder)
    try write("\(identifier)\n", to: folder + "/id")
    try write("\(status)\n", to: folder + "/recover_status")
    try write("0\n", to: folder + "/recover_nodeid")
    _ = removeTree(control.paths.space(space))
    guard !members.isEmpty else { return }
    for member in members { try makeFolder("\(control.paths.members(of: space))/\(member)") }
  }

  private func makeFolder(_ path: String) throws {
    var partial = ""
    for name in path.split(separator: "/") {
      partial += "/\(name)"
      try #require(mkdir(partial, 0o700) == 0 || errno == EEXIST)
    }
  }

  private func write(_ text: String, to path: String) throws {
    let file = try #require(fopen(path, "w"))
    defer { fclose(file) }
    try #require(fputs(text, file) >= 0)
  }

  private func removeTree(_ path: String) -> Bool {
    do {
      for name in try HostKernelFiles().entries(of: path) { _ = removeTree("\(path)/\(name)") }
      return rmdir(path) == 0
    } catch {
      return unlink(path) == 0
    }
  }
}
