import Testing

/// Conversions that LVM does, or refuses, without a device-mapper: line by line as LVM's.
@Suite(
  .serialized,
  .enabled(
    if: ComparedDisks.obstacle == nil,
    "SKIPPED, not compared with LVM itself: \(ComparedDisks.obstacle ?? "")"))
struct ConversionTests {
  /// What LVM needs a device-mapper for is made by clvm, for both.
  private static let made = """
    vgcreate -s 1m vg pv0 pv1 pv2 pv3 pv4
    lvcreate --type mirror -m 1 -l 6 -n m vg
    lvcreate --type mirror -m 2 -l 6 -n m3 vg
    lvcreate -m 1 -l 6 -n r vg
    lvcreate -i 2 -l 6 -n s vg
    lvcreate -l 6 -n a vg
    lvcreate -l 6 -n o vg
    lvcreate -s -l 3 -n sn vg/o
    lvcreate --type cache-pool -l 6 -n cp vg
    lvcreate --type thin-pool -l 6 -n tp vg
    """.split(separator: "\n").map(String.init)

  private static let compared = """
    lvconvert --splitsnapshot vg/sn
    lvconvert --splitsnapshot vg/sn
    lvconvert --splitsnapshot vg/a
    lvconvert -s vg/o o
    lvconvert -s vg/o sn
    lvconvert -y -s -Zn vg/o sn
    lvconvert -y -s vg/o nosuch
    lvconvert -s vg/o a -c 3k
    lvconvert --mirrorlog core vg/m
    lvconvert -y --mirrorlog core vg/m
    lvconvert --mirrorlog disk vg/m
    lvconvert -m 1 vg/m3
    lvconvert -m 0 vg/m
    lvconvert --mirrorlog core vg/a
    lvconvert --repair vg/r
    lvconvert -m 0 vg/r
    lvconvert -m 2 vg/r
    lvconvert -R 1m vg/r
    lvconvert --splitmirrors 1 -n x vg/a
    lvconvert --type striped vg/r
    lvconvert --type raid5 vg/r
    lvconvert --type raid5 vg/s
    lvconvert -y --type thin-pool vg/tp
    lvconvert -y --type thin-pool vg/cp
    """.split(separator: "\n").map(String.init)

  @Test func conversionsAreTheSame() throws {
    let disks = try ComparedDisks(sizes: [65, 65, 65, 65, 65])
    for line in Self.made {
      let made = try disks.ours(line.split(separator: " ").map(String.init))
      #expect(made.status == 0, "\(line): \(made.errors)")
    }
    try disks.copy(from: "ours")
    let check = try disks.lvm(["vgck", "vg"])
    #expect(check.status == 0 && check.errors.isEmpty, "\(check.errors)")
    for line in Self.compared {
      try disks.compare(line) { result in
        var result = result
        // LVM takes more steps.
        result.text.removeAll { $0.hasPrefix("seqno") }
        return result
      }
    }
  }
}
