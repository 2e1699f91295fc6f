import ClusterSimulation
import Testing

/// Every line, every exit status and every metadata text as LVM's own.
@Suite(
  .serialized,
  .enabled(
    if: ComparedDisks.obstacle == nil,
    "SKIPPED, not compared with LVM itself: \(ComparedDisks.obstacle ?? "")"))
struct ComparisonTests {
  @Test func commandsSayAndWriteTheSame() throws {
    let disks = try ComparedDisks(sizes: [64, 64, 64, 64, 64])
    for line in Self.commands { try disks.compare(line) }
  }

  /// What needs no device-mapper of LVM: it refuses to shrink RAID volumes and to make most of them.
  private static let commands = """
    pvcreate pv0
    pvcreate nosuch
    vgcreate vg pv0 pv1 pv2
    lvcreate -an -Zn -n a -l 3 vg
    lvcreate -an -Zn -n a -l 3 vg
    lvcreate -an -Zn -n x_rimage -l 3 vg
    lvcreate -an -Zn -n pvmove9 -l 3 vg
    lvcreate -an -Zn -n -bad -l 3 vg
    lvcreate -an -Zn -l 3 nosuch
    lvcreate -an -Zn vg
    lvcreate -an -Zn -l 3 -L 4m vg
    lvcreate -an -Zn -l abc vg
    lvcreate -an -Zn -l 0 vg
    lvcreate -an -Zn -l 50%LV vg
    lvcreate -an -Zn -l 3 --foo vg
    lvcreate -an -Zn -i 3 -I 3k -l 3 vg
    lvcreate -an -Zn -i 200 -l 3 vg
    lvcreate -an -Zn -i 5 -l 3 vg
    lvcreate -an -Zn -L 4100k vg pv0:3-900
    lvcreate -an -Zn -l 3 --addtag t1 --addtag @t2 vg
    lvcreate -an -Zn --type raid0 -i 2 -l 4 -n r0 vg
    lvcreate -an -l 1 -pr -r 64k -ky --setautoactivation n -Cy -n attrs vg
    lvextend -l +3 vg/nosuch
    lvextend -l -3 vg/a
    lvextend vg/a
    lvextend -L +1 vg/a pv1 pv9
    lvextend -l +2 vg/r0
    lvextend -i 1 -l +2 vg/a
    lvreduce -l +1 vg/a
    lvreduce -l 50 vg/a
    lvreduce -y -l -1 vg/a
    lvreduce -y -l -100 vg/a
    lvresize -l 5 vg/a
    lvrename vg a b
    lvrename vg/b a
    lvrename vg a a
    lvrename vg nosuch q
    lvrename vg a attrs
    lvrename vg r0 r0x
    lvchange --addtag t1 vg/a
    lvchange --deltag t9 vg/a
    lvchange -pr vg/a
    lvchange -pr vg/a
    lvchange -prw vg/a
    lvchange -px vg/a
    lvchange --alloc cling vg/a
    lvchange --alloc cling vg/a
    lvchange -Cn vg/a
    lvchange -Mn vg/a
    lvchange -r 64k vg/a
    lvchange -r 64k vg/a
    lvchange vg/a
    lvchange --addtag q vg/nosuch
    vgcreate vg pv3
    vgcreate vg2 pv0
    vgcreate -s 1m --addtag q --alloc cling --maxlogicalvolumes 5 -p 6 vg3 pv3
    pvremove pv0
    pvremove pv4
    vgextend vg pv4
    vgextend vg pv3
    vgreduce vg pv0
    vgreduce vg pv4
    vgreduce vg pv4
    vgrename vg wg
    vgrename nosuch q
    vgrename wg wg
    vgrename wg vg
    vgchange --alloc cling vg
    vgchange --alloc cling vg
    vgchange --alloc anywhere vg
    lvcreate -an -Zn -i 9 -l 9 vg
    vgchange --alloc cling vg
    vgchange -x n vg
    vgchange -l 5 vg
    vgchange -x y vg
    vgchange -p 1 vg
    vgchange -l 50 vg
    vgchange --uuid vg
    vgchange -s 2m vg
    vgchange -s 2m vg
    vgchange -s 64m vg
    vgchange vg
    pvresize pv0
    pvresize -y --setphysicalvolumesize 63m pv0
    pvresize -y --setphysicalvolumesize 2m pv0
    pvresize -y --setphysicalvolumesize 4100k pv0
    pvchange -x n pv0
    pvchange -x n pv0
    pvchange --addtag t pv0
    pvchange --uuid pv0
    pvchange -x n pv4
    lvremove vg/nosuch
    lvremove -y vg/a
    vgremove vg
    vgremove -y vg
    vgremove vg
    pvremove pv4
    pvcreate --pvmetadatacopies 2 pv4
    pvresize -y --setphysicalvolumesize 40m pv4
    pvresize pv4
    pvresize -y --setphysicalvolumesize 50m pv4
    vgcreate -s 1m vg4 pv4
    lvcreate -an -Zn -n a -l 5 vg4
    pvresize pv4
    pvresize -y --setphysicalvolumesize 30m pv4
    pvresize -y --setphysicalvolumesize 30500k pv4
    pvresize -y --setphysicalvolumesize 6m pv4
    lvcreate -an -Zn -n b -l 2 vg4
    lvremove -y vg4/a
    pvresize -y --setphysicalvolumesize 8m pv4
    pvresize -y --setphysicalvolumesize 2m pv4
    pvresize pv4
    """.split(separator: "\n").map(String.init)

  /// Options that do not go together, with the type or at all: LVM's words and status for each.
  @Test func wrongOptionsAreRefusedAlike() throws {
    let disks = try ComparedDisks(sizes: [64, 64, 64])
    for line in Self.wrongLines { try disks.compare(line) }
  }

  private static let wrongLines = """
    vgcreate vg pv0 pv1 pv2
    lvcreate -an -Zn -n a -l 3 vg
    lvcreate --type linear -l 4 vg -i 2
    lvcreate --type linear -l 4 vg --minrecoveryrate 20 --maxrecoveryrate 10
    lvcreate --type linear -l 4 vg --nosync
    lvcreate --type linear -l 4 vg --mirrorlog foo
    lvcreate -l 4 vg -I 64k
    lvcreate -l 4 -l 5 vg
    lvcreate -l 4 vg -R 3k
    lvcreate -l 4 vg -R 0
    lvcreate -l 4 vg --discards foo
    lvcreate -l 4 vg --alloc foo
    lvcreate -l 4 vg -C y --alloc cling
    lvcreate -l 4 vg -r foo
    lvcreate -l 4 vg -M y
    lvcreate -l 4 vg -M y --minor 9999999
    lvcreate -l 4 vg -Z y -an
    lvcreate -l 4 vg --type foo
    lvcreate -an -Zn -n r -l 1 -r 3 vg
    lvcreate --type mirror -m 1 -l 4 vg -T
    lvcreate --type mirror -m 1 -l 4 vg --setautoactivation n
    lvcreate --type raid1 -m 1 -l 4 vg -i 2
    lvcreate --type raid5 -i 2 -I 64k -l 4 vg -m 1
    lvcreate --type raid5 -i 2 -I 64k -l 4 vg --minrecoveryrate 10
    lvcreate --type raid6 -i 3 -I 64k -l 6 vg --nosync
    lvcreate --type raid10 -i 2 -I 64k -l 4 vg -m 2
    lvcreate -m 1 -l 4 vg --mirrorlog core
    lvcreate -an --type error -n e -l 4 vg
    lvcreate -an --type zero -n z -l 200 vg
    lvcreate --type error -l 4 vg pv0
    lvcreate -s -l 4 vg/a -Z n
    lvcreate -s -l 4 vg/a -c 3k
    lvcreate -s -l 4 vg/a -c 0
    lvcreate --type thin-pool -l 4 vg --errorwhenfull y
    lvcreate --type thin-pool -l 4 vg -p r
    lvcreate --type thin-pool -l 3 -i 3 -I 64k vg pv0:0
    lvcreate -T -l 4 vg/np -c 3k
    lvcreate -T -l 4 vg/np -n nn
    lvcreate -T -l 4 vg/np --minor 5
    lvcreate -V 20m --thinpool pool vg -Z n
    lvcreate -V 20m --thinpool pool vg pv0
    """.split(separator: "\n").map(String.init)

  /// Layouts that nobody thought of: from a seed, sizes, policies, ranges, percentages, tags.
  @Test(arguments: [20, 21, 22, 23] as [UInt64]) func randomLayoutsAreTheSame(
    seed: UInt64
  ) throws {
    var random = SeededGenerator(seed: seed)
    let count = Int.random(in: 2...6, using: &random)
    let sizes = (0..<count).map { _ in [13, 17, 21, 33].randomElement(using: &random) ?? 13 }
    let settings = ["", "maximise_cling = 0", "cling_tag_list = [ \"@*\" ]"]
    let disks = try ComparedDisks(
      sizes: sizes, allocation: settings.randomElement(using: &random) ?? "")
    let note = "seed \(seed)"
    let extentSize = ["1m", "64k", "2m"].randomElement(using: &random) ?? "1m"
    let names = (0..<count).map { "pv\($0)" }
    try disks.compare("vgcreate -s \(extentSize) vg \(names.joined(separator: " "))", note)
    for name in names where random.chance(50) {
      try disks.compare(
        "pvchange --addtag s\(Int.random(in: 1...2, using: &random)) \(name)", note)
    }
    var volumes: [String] = []
    for round in 0..<14 {
      if volumes.isEmpty || random.chance(50) {
        let name = "l\(round)"
        let type = random.chance(20) ? "--type raid0 -i 2" : Self.stripes(count, &random)
        try disks.compare(
          "lvcreate -an -Zn -n \(name) \(type) \(Self.options(count, &random, sign: "")) vg"
            + Self.physicalVolumes(count, &random), note)
        volumes.append(name)
      } else {
        let name = volumes.randomElement(using: &random) ?? ""
        let sign = random.chance(80) ? "+" : ""
        try disks.compare(
          "lvextend \(Self.options(count, &random, sign: sign)) vg/\(name)"
            + Self.physicalVolumes(count, &random), note)
      }
    }
  }

  private static func stripes(_ count: Int, _ random: inout SeededGenerator) -> String {
    guard random.chance(40) else { return "" }
    let size =
      random.chance(40) ? " -I \(["4k", "1m", "2m"].randomElement(using: &random) ?? "4k")" : ""
    return "-i \(Int.random(in: 1...(count + 1), using: &random))\(size)"
  }

  private static func options(
    _ count: Int, _ random: inout SeededGenerator, sign: String
  ) -> String {
    let policies = ["contiguous", "cling", "normal", "anywhere", "cling_by_tags", "inherit"]
    let policy = random.chance(30) ? "--alloc \(policies.randomElement(using: &random) ?? "") " : ""
    switch Int.random(in: 0..<3, using: &random) {
    case 0: return "\(policy)-l \(sign)\(Int.random(in: 1...30, using: &random))"
    case 1:
      let base = ["FREE", "VG", "PVS"].randomElement(using: &random) ?? "FREE"
      return "\(policy)-l \(sign)\(Int.random(in: 1...60, using: &random))%\(base)"
    default: return "\(policy)-L \(sign)\(Int.random(in: 1...20, using: &random))m"
    }
  }

  private static func physicalVolumes(_ count: Int, _ random: inout SeededGenerator) -> String {
    guard random.chance(30) else { return "" }
    return (0..<count).shuffled(using: &random).prefix(Int.random(in: 1...count, using: &random))
      .map { index in
        random.chance(40)
          ? " pv\(index):\(Int.random(in: 0...3, using: &random))-\(Int.random(in: 4...5, using: &random))"
          : " pv\(index)"
      }.joined()
  }

  /// Which areas are chosen is everybody's own affair; how many are in use is not.
  @Test func metadataAreasInUse() throws {
    let disks = try ComparedDisks(sizes: [17, 17, 17, 17, 17])
    for line in Self.areaCommands {
      try disks.compare(line)
      let counts = try disks.areaCounts()
      #expect(counts.ours == counts.lvm, "\(line)")
    }
  }

  private static let areaCommands = """
    vgcreate --metadatacopies 2 vg pv0 pv1 pv2
    vgchange --metadatacopies 1 vg
    vgchange --vgmetadatacopies 3 vg
    vgextend vg pv3
    vgchange --metadatacopies unmanaged vg
    vgchange --metadatacopies unmanaged vg
    vgchange --metadatacopies 2 vg
    vgchange --metadatacopies all vg
    vgchange --metadatacopies x vg
    pvchange --metadataignore y pv1
    pvchange --metadataignore y pv1
    pvchange --metadataignore n pv1
    pvchange --metadataignore n pv1
    pvchange --metadataignore y pv0
    pvchange --metadataignore y pv1
    pvchange --metadataignore y pv2
    pvchange --metadataignore y pv3
    vgchange --addtag x vg
    vgchange --metadatacopies 4 vg
    vgchange --metadatacopies unmanaged vg
    pvcreate --metadataignore y pv4
    pvchange --metadataignore n pv4
    pvchange --metadataignore y pv4
    pvchange --uuid --metadataignore n pv4
    pvchange --metadataignore n pv4
    pvchange --uuid --metadataignore y pv4
    pvchange --metadataignore y pv4
    pvchange --uuid --addtag t pv4
    pvchange --uuid -x n pv4
    pvchange --addtag t -x n pv4
    vgextend vg pv4
    vgchange --metadatacopies 2 vg
    vgreduce vg pv4
    """.split(separator: "\n").map(String.init)

  /// Caches, which LVM makes with the kernel only: it must accept ours.
  @Test func lvmAcceptsOurCaches() throws {
    let disks = try ComparedDisks(sizes: [65, 65])
    try disks.compare("vgcreate vg pv0 pv1")
    for name in ["o", "fast"] { try disks.compare("lvcreate -an -Zn -n \(name) -l 5 vg") }
    for line in [
      "lvconvert -y --type cache --cachevol fast vg/o", "lvconvert --splitcache vg/o",
      "lvconvert -y --type writecache --cachevol fast --cachesettings block_size=512 vg/o",
    ] {
      let made = try disks.ours(line.split(separator: " ").map(String.init))
      #expect(made.status == 0, "\(line): \(made.errors)")
      try disks.copy(from: "ours")
      let check = try disks.lvm(["vgck", "vg"])
      #expect(check.status == 0 && check.errors.isEmpty, "\(line): \(check.errors)")
      #expect(check.text == made.text)
    }
  }

  /// LVM cannot make these here, but it must accept ours and extend them as we do.
  @Test func lvmTakesOverWhatWeMade() throws {
    let disks = try ComparedDisks(sizes: [33, 33, 33, 33, 33, 33])
    try disks.compare("vgcreate -s 1m vg pv0 pv1 pv2 pv3 pv4 pv5")
    for type in ["raid1 -m 2", "raid5 -i 2", "raid10 -i 2", "raid6 -i 3", "mirror -m 1"] {
      let name = String(type.prefix { $0 != " " })
      let made = try disks.ours(
        "lvcreate --type \(type) -n \(name) -l 6 vg".split(separator: " ").map(String.init))
      #expect(made.status == 0, "\(made.errors)")
      try disks.copy(from: "ours")
      let check = try disks.lvm(["vgck", "vg"])
      #expect(check.status == 0 && check.errors.isEmpty, "\(check.errors)")
      #expect(check.text == made.text)
      try disks.compare("lvextend -l +5 vg/\(name)")
      try disks.compare("lvrename vg \(name) x\(name)")
    }
    try disks.compare("lvremove -y vg/xraid5 vg/xmirror")
  }
}
