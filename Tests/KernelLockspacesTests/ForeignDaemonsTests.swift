import Testing

@testable import KernelLockspaces

/// Flags 00010000 mark a socket that accepts connections; `@` an abstract name.
private let sockets = """
  Num       RefCount Protocol Flags    Type St Inode Path
  00000000d4d78379: 00000002 00000000 00010000 0001 01   632 @dlmc_sock
  00000000d4d78380: 00000002 00000000 00010000 0001 01   633 /run/lvm/lvmlockd.socket
  00000000d4d78381: 00000003 00000000 00000000 0001 03   634 /run/connected.socket
  00000000d4d78382: 00000002 00000000 00010000 0001 01   635 /run/with space.socket
  00000000d4d78383: 00000003 00000000 00000000 0001 03   636

  """

@Test func onlyListeningSockets_areSeen() {
  #expect(
    ForeignDaemons.listeningSockets(in: sockets)
      == ["@dlmc_sock", "/run/lvm/lvmlockd.socket", "/run/with space.socket"])
}

@Test func dlmControld_isFoundByItsPidFile() throws {
  let root = try ScratchRoot()
  try root.makeFile("/run/dlm_controld/dlm_controld.pid", "4711\n")
  try root.makeFile("/proc/4711/stat", "4711 (dlm_controld) S 1 4711\n")
  let found = try ForeignDaemons(paths: root.paths).dlmControld()
  #expect(found == .dlmControld(process: 4711))
  #expect("\(try #require(found))".contains("(pid 4711)"))
}

@Test func dlmControld_isFoundByItsSocketsAlone() throws {
  let root = try ScratchRoot()
  try root.makeFile("/proc/net/unix", sockets)
  #expect(try ForeignDaemons(paths: root.paths).dlmControld() == .dlmControld(process: nil))
}

@Test func pidFile_ofADeadDaemonOrOfAnotherProgram_isNoConflict() throws {
  let root = try ScratchRoot()
  try root.makeFile("/run/lvmlockd.pid", "4711\n")
  let daemons = ForeignDaemons(paths: root.paths)
  #expect(try daemons.lvmlockd() == nil)
  try root.makeFile("/proc/4711/stat", "4711 (bash) S 1 4711\n")
  #expect(try daemons.lvmlockd() == nil)
  try root.makeFile("/proc/4711/stat", "4711 (lvmlockd) S 1 4711\n")
  #expect(try daemons.lvmlockd() == .lvmlockd(process: 4711))
}

@Test(arguments: ["", "\n", "-1", "abc", "99999999999"])
func pidFile_withoutANumber_isNoConflict(text: String) throws {
  let root = try ScratchRoot()
  try root.makeFile("/run/lvmlockd.pid", text)
  #expect(try ForeignDaemons(paths: root.paths).lvmlockd() == nil)
}

@Test func lvmlockd_isFoundByItsSocket_whereverThatIs() throws {
  let root = try ScratchRoot()
  try root.makeFile("/proc/net/unix", sockets)
  let daemons = ForeignDaemons(paths: root.paths)
  #expect(try daemons.lvmlockd() == .lvmlockd(process: nil))
  #expect(try daemons.lvmlockd(socket: "/run/other.socket") == nil)
}

@Test func lockspacesInTheKernel_areNamed() throws {
  let root = try ScratchRoot()
  let daemons = ForeignDaemons(paths: root.paths)
  #expect(try daemons.existingLockspaces() == nil)
  try root.makeDirectories("/sys/kernel/dlm/vol")
  #expect(try daemons.existingLockspaces() == .lockspaces(["vol"]))
}

@Test func `a daemon that was killed and whose parent does not ask for it is no conflict`() throws {
  let root = try ScratchRoot()
  try root.makeFile("/run/lvmlockd.pid", "4711\n")
  try root.makeFile("/proc/4711/stat", "4711 (lvmlockd) Z 1 4711\n")
  #expect(try ForeignDaemons(paths: root.paths).lvmlockd() == nil)
}
