import Glibc
import RealLVM
import Testing

/// LVM's commands and ours on one host exclude each other.
@Suite(
  .serialized,
  .enabled(
    if: ComparedDisks.obstacle == nil,
    "SKIPPED, not compared with LVM itself: \(ComparedDisks.obstacle ?? "")"))
struct HostLockingTests {
  private let disks: ComparedDisks

  init() throws {
    disks = try ComparedDisks(sizes: [64, 64])
    for line in ["vgcreate vg pv0", "lvcreate -an -Zn -n a -l 3 vg"] {
      let made = try disks.lvm(line.split(separator: " ").map(String.init))
      #expect(made.status == 0, "\(made.errors)")
    }
    try disks.copy(from: "lvm")
  }

  private static let impatient = ["--config", "global/wait_for_locks=0"]

  private func words(_ line: String) -> [String] {
    line.split(separator: " ").map(String.init) + Self.impatient
  }

  /// Commands of each sort, with the lock that stops them.
  private static let commands: [(line: String, group: String?)] = [
    ("lvchange --addtag t vg/a", "vg"), ("lvcreate -an -Zn -n b -l 1 vg", "vg"),
    ("lvextend -l +1 vg/a", "vg"), ("lvremove vg/a", "vg"), ("lvrename vg a b", "vg"),
    ("vgchange --addtag t vg", "vg"), ("vgchange --addtag t vg", "vg"), ("vgremove vg", "vg"),
    ("vgextend vg pv1", "vg"), ("vgreduce vg pv0", "vg"), ("vgrename vg wg", "wg"),
    ("vgcreate wg pv1", "wg"), ("pvresize pv0", "vg"), ("pvchange -x n pv0", "vg"),
    ("pvcreate pv1", nil), ("pvremove pv1", nil), ("vgchange --addtag t", nil),
  ]

  /// The lock is held by this process: both sides find it so, say which, and change nothing.
  @Test func heldLocksStopBothAlike() throws {
    for (line, group) in Self.commands {
      let locks = try disks.locks()
      try locks.acquire(group.map { .volumeGroup($0) } ?? .global, .exclusive)
      let theirs = try disks.lvm(words(line))
      let ours = try disks.ours(words(line))
      #expect(ours.status == 5 && theirs.status == 5, "\(line)")
      #expect(ours.errors.first == theirs.errors.first, "\(line)")
      #expect(ours.errors.first?.contains(": flock failed: ") == true, "\(line)")
      #expect(ours.text == theirs.text, "\(line)")
    }
  }

  /// LVM itself holds the lock while it asks.
  @Test func lvmAtWorkStopsUs() throws {
    let asking = try disks.startLVM(["vgremove", "vg"])
    while !asking.errors.contains("[y/n]") { sched_yield() }
    let ours = try disks.ours(words("lvchange --addtag t vg/a"))
    #expect(ours.status == 5)
    #expect(ours.errors.last == "Cannot process volume group vg")
    _ = try asking.finish(answer: "n\n")
    #expect(try disks.ours(words("lvchange --addtag t vg/a")).status == 0)
  }
}
