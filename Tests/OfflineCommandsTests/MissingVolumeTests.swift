import Testing

/// Groups that physical volumes are missing from, or were: what they become is what LVM makes of them.
@Suite(
  .serialized,
  .enabled(
    if: ComparedDisks.obstacle == nil,
    "SKIPPED, not compared with LVM itself: \(ComparedDisks.obstacle ?? "")"))
struct MissingVolumeTests {
  private static let labelByteCount = 4096

  private let disks: ComparedDisks
  private let labels: [[UInt8]]

  init() throws {
    disks = try ComparedDisks(sizes: [64, 64, 64, 64])
    for line in [
      "vgcreate vg pv0 pv1 pv2 pv3", "lvcreate -an -Zn -n a -l 3 vg pv2",
      "lvcreate -an -Zn -n b -l 20 vg pv1 pv2", "lvcreate -an -Zn -n c -l 2 vg pv0",
    ] {
      let made = try disks.lvm(line.split(separator: " ").map(String.init))
      try #require(made.status == 0, "\(line): \(made.errors)")
    }
    try disks.copy(from: "lvm")
    labels = try (0..<4).map { [disks] in
      try disks.ourBytes(at: 0, count: Self.labelByteCount, on: $0)
    }
  }

  private func takeAway(_ indices: Int...) throws {
    for index in indices {
      try disks.write([UInt8](repeating: 0, count: Self.labelByteCount), at: 0, on: index)
    }
  }

  private func giveBack(_ indices: Int...) throws {
    for index in indices { try disks.write(labels[index], at: 0, on: index) }
  }

  /// What both say of what they found has other words, and LVM writes more versions on the way.
  private func compare(_ line: String) throws {
    func comparable(_ result: ComparedDisks.Result) -> ComparedDisks.Result {
      var result = result
      result.errors.removeAll { line in
        [
          "WARNING: Couldn't find", "WARNING: VG", "WARNING: ignoring", "WARNING: Inconsistent",
          "See vgck", "WARNING: updating", "WARNING: outdated", "mirror LVs use:", "Proceeding to",
          "TEST MODE",
          "WARNING: PV", "WARNING: the label",
        ].contains { line.contains($0) } && !line.contains("not missing")
      }
      result.text.removeAll { $0.hasPrefix("seqno") }
      return result
    }
    try disks.compare(line, "", comparable)
  }

  @Test func consistentGroupsStayAsTheyAre() throws {
    for line in [
      "vgreduce --removemissing vg", "vgreduce --removemissing --force vg",
      "vgreduce --removemissing vg pv0", "vgreduce --removemissing -a vg",
      "vgreduce --removemissing nosuch", "vgextend --restoremissing vg pv0",
      "vgextend --restoremissing nosuch pv0",
    ] {
      try compare(line)
    }
  }

  @Test func emptyOnesAreRemoved() throws {
    try takeAway(3)
    try compare("vgreduce -t --removemissing vg")
    try compare("vgreduce --removemissing vg")
    try compare("vgreduce --removemissing vg")
    try compare("lvcreate -an -Zn -n d -l 2 vg")
  }

  @Test func volumesThatArePartialAreKeptUntilForced() throws {
    try takeAway(2, 3)
    try compare("vgreduce --removemissing vg")
    try compare("vgreduce --removemissing --force vg")
    try compare("vgreduce --removemissing vg")
  }

  @Test func returnedOnesAreTakenBack() throws {
    try takeAway(2, 3)
    // LVM notes that they are missing.
    let changed = try disks.lvm(["vgchange", "--addtag", "x", "vg"])
    try #require(changed.status == 0)
    try disks.copy(from: "lvm")
    try giveBack(2, 3)
    try compare("vgextend --restoremissing vg pv3 pv1")
    try compare("vgextend --restoremissing vg pv2 pv2")
    try compare("vgextend --restoremissing vg pv2")
    try compare("lvextend -l +1 vg/a")
  }
}
