import Testing

/// Which options go with which form of a command line, which values they may have, and what is said of
/// the others: as LVM itself, before anything is touched.
@Suite(
  .serialized,
  .enabled(
    if: ComparedDisks.obstacle == nil,
    "SKIPPED, not compared with LVM itself: \(ComparedDisks.obstacle ?? "")"))
struct OptionTests {
  @Test func linesAreTakenAndRefusedAlike() throws {
    let disks = try ComparedDisks(sizes: [64, 64, 64, 64])
    for line in Self.lines { try disks.compare(line) }
  }

  private static let lines = """
    vgcreate vg pv0 pv1
    vgcreate --addtag vt wg pv2
    lvcreate -an -Zn -n a -l 3 vg
    lvcreate -an -Zn -n b -l 3 --addtag t1 vg
    lvcreate -an -Zn -n c -l 3 --addtag t1 --addtag t2 vg
    lvcreate -an -Zn -n s -i 2 -I 64k -l 4 vg
    lvcreate -an -Zn -n x -l 3 wg
    lvcreate -an -Zn -l 1 --setauto n --addt q1 -n short vg
    lvcreate -an -Zn -l 1 --s vg
    lvcreate -an -Zn -l 1 --foo=bar vg
    lvcreate -an -Zn -l 1 -y -y vg
    lvcreate -an -Zn -l 1 -Zx vg
    lvcreate -an -Zn -l 1 -Zyes vg
    lvcreate -an -Zn -L 1,5g vg
    lvcreate -an -Zn -L +-4m vg
    lvcreate -an -Zn -l 1x vg
    lvcreate -an -Zn -l 1 -Cy --alloc normal vg
    lvcreate -an -Zn -l 1 --mirrors -1 vg
    lvcreate -an -Zn -l 1 -i 1x vg
    lvcreate -an -Zn -l 1 --usepolicies vg
    lvcreate -an -Zn -l 1 vg --cachemode fast
    lvcreate -an -Zn -l 1 vg --cachemetadataformat 3
    lvcreate -an --type striped -l 4 vg --cachemode writeback -c 64k
    lvchange --addtag t3 @t2
    lvchange --addtag t4 @vt
    lvchange --addtag t5 @nosuch
    lvchange --addtag t6 vg/nosuch vg/a
    lvchange --addtag t7 vg/a/b
    lvchange --addtag t8 vg/a nosuch/b
    lvchange --addtag t9 -Cy --alloc cling vg/a
    lvchange --addtag t! vg/a
    lvchange --discards passdown vg/a
    lvchange --minrecoveryrate 10 vg/a
    lvchange --minrecoveryrate 10 vg
    lvchange --zero y vg
    lvchange --resizeable y vg/a
    lvchange --resync --addtag t vg/a
    lvchange -Mn --minor 5 vg/a
    lvchange -My --minor 5 vg/a vg/b
    lvextend -L +4m
    lvextend vg/a
    lvextend vg/a --type striped -l +1
    lvextend vg/a --type raid1 -l +1
    lvextend vg -l +1
    lvextend @t1 -l +1
    lvextend vg/a/b -l +1
    lvextend vg/a -l +0
    lvextend vg/a -L 0
    lvextend vg/s -i 0 -l +2
    lvextend vg/a -l +1 -L +4m
    lvextend vg/a -l +1 --poolmetadatasize 0
    lvextend vg/a --poolmetadatasize 4m
    lvextend vg/a nosuch --poolmetadatasize 4m
    lvextend vg/a --usepolicies
    lvextend vg/a -L -4m
    lvextend vg/a -l +1 -r
    lvextend vg/a -l +1 --nofsck --noudevsync --reportformat basic
    lvreduce -y -l +1 vg/a
    lvreduce -y vg/a
    lvreduce -y -L -4m vg/a pv0
    lvreduce -y -L -4m --alloc normal vg/a
    lvresize -l -200%LV vg/a
    lvresize -l 10%nosuch vg/a
    lvrename vg
    lvrename vg a
    lvrename vg/a wg/b
    lvrename wg vg/a n
    lvrename vg/a/b n
    lvrename vg a b c
    lvrename vg a x_tmeta
    lvrename vg a b/c
    lvremove
    lvremove @nosuch
    lvremove -y @t2
    lvremove -y vg/nosuch vg/b
    lvremove -y vg/a/b
    lvremove --nosuch vg/a
    lvremove -y -A n vg/a
    vgcreate
    vgcreate vg3
    vgcreate -s 3x vg3 pv3
    vgcreate --pvmetadatacopies 3 vg3 pv3
    vgcreate -l -1 vg3 pv3
    vgcreate --norestorefile vg3 pv3
    vgextend vg pv0 pv1
    vgchange --addtag q @vt
    vgchange --addtag q @nosuch
    vgchange --addtag q vg/a
    vgchange --resizable n vg
    vgchange --resizable y --resizeable y vg
    vgchange -x maybe vg
    vgchange --systemid h vg wg
    vgextend vg
    vgextend --labelsector 9 vg pv3
    vgreduce vg
    vgreduce --all
    vgreduce --all vg pv1
    vgrename vg
    vgrename vg nv xx
    vgremove @nosuch
    vgremove -y @vt
    vgremove --nohistory vg
    pvcreate
    pvcreate --uuid x pv3
    pvcreate -M lvm1 pv3
    pvcreate --metadatasize -1 pv3
    pvcreate -A y pv3
    pvremove
    pvresize
    pvchange -x y
    pvchange pv0
    pvchange -u -x y
    """.split(separator: "\n").map(String.init)

  /// Nothing is touched in a group that lacks PVs, not even a device that would become one.
  @Test func incompleteGroupsAreLeftAlone() throws {
    let disks = try ComparedDisks(sizes: [64, 64, 64])
    for line in ["vgcreate vg pv0 pv1", "lvcreate -an -Zn -n a -l 3 vg"] {
      _ = try disks.lvm(line.split(separator: " ").map(String.init))
    }
    try disks.copy(from: "lvm")
    for side in [0, 1] { try disks.wipeLabel(on: 1, ofOurs: side == 1) }
    for line in ["lvextend -l +1 vg/a", "lvrename vg a b"] {
      let words = line.split(separator: " ").map(String.init)
      let theirs = try disks.lvm(words)
      let ours = try disks.ours(words)
      #expect(ours.status == theirs.status, "\(line)")
      #expect(ours.output == theirs.output, "\(line)")
      #expect(ours.errors.suffix(3) == theirs.errors.suffix(3), "\(line)")
    }
    // LVM does these; we leave them to it.
    for line in ["vgextend vg pv2", "lvchange --addtag t vg/a", "vgreduce vg pv0"] {
      let ours = try disks.ours(line.split(separator: " ").map(String.init))
      #expect(ours.status == 5, "\(line)")
      #expect(ours.output == [], "\(line)")
      #expect(ours.errors.contains("Cannot change VG vg while PVs are missing."), "\(line)")
    }
    #expect(try disks.ourBytes(at: 512, count: 8, on: 2) == [UInt8](repeating: 0, count: 8))
  }

  @Test func detachedAndAttachedProfilesAreTheSame() throws {
    let disks = try ComparedDisks(sizes: [64])
    try disks.addProfile("fast", "allocation { thin_pool_zero = 0 }\n")
    for line in [
      "vgcreate --metadataprofile nosuch vg pv0", "vgcreate --metadataprofile fast vg pv0",
      "lvcreate -an -Zn -n a -l 1 --metadataprofile fast vg", "lvchange --profile nosuch vg/a",
      "lvchange --detachprofile vg/a", "lvchange --profile fast vg/a",
      "lvchange --detachprofile --metadataprofile fast vg/a", "vgchange --detachprofile vg",
      "vgchange --profile fast vg",
    ] {
      let words = line.split(separator: " ").map(String.init)
      let theirs = try disks.lvm(words)
      // Which profiles there are is looked at by the program.
      guard !line.contains("nosuch") else {
        #expect(theirs.status != 0)
        continue
      }
      let ours = try disks.ours(words)
      #expect(ours == theirs, "\(line)")
    }
  }
}
