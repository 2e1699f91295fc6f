import Testing
import VolumeActivation

@testable import BlockDevices

@Suite("Finding block devices")
struct BlockDeviceScannerTests {
  private func number(_ minor: UInt32) -> DeviceNumber { DeviceNumber(major: 8, minor: minor) }

  /// A sysfs with a disk, its partition, a small disk, one without a node, a logical volume, a
  /// multipath device with its path, an md member and a controller with a slash in its name.
  private func sysfs() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    func add(_ name: String, _ minor: Int, size: Int = 1_000_000) throws {
      try folder.write("8:\(minor)\n", to: "block/\(name)/dev")
      try folder.write("\(size)\n", to: "block/\(name)/size")
    }
    try add("sda", 0)
    try add("sda/sda1", 1)
    try folder.write("1\n", to: "block/sda/sda1/partition")
    try folder.write("0\n", to: "block/sda/queue/rotational")
    try add("sdb", 2, size: 4095)
    try add("sdc", 3)
    try add("dm-0", 4)
    try folder.write("LVM-xyz\n", to: "block/dm-0/dm/uuid")
    try add("dm-1", 5)
    try folder.write("mpath-abc\n", to: "block/dm-1/dm/uuid")
    try add("sdd", 6)
    try folder.write("mpath-abc\n", to: "block/sdd/holders/dm-1/dm/uuid")
    try add("sde", 7)
    try folder.write("raid1\n", to: "block/sde/holders/md0/md/level")
    try add("cciss!c0d0", 8)
    return folder
  }

  private var nodes: DeviceNodes {
    var names: [DeviceNumber: [String]] = [:]
    for (minor, list) in [
      0: ["/dev/disk/by-id/first", "/dev/sda"], 1: ["/dev/sda1"], 2: ["/dev/sdb"],
      4: ["/dev/mapper/vg-a"], 5: ["/dev/dm-1", "/dev/mapper/mpatha"], 6: ["/dev/sdd"],
      7: ["/dev/sde"], 8: ["/dev/cciss/c0d0"],
    ] { names[number(UInt32(minor))] = list }
    return DeviceNodes(names)
  }

  @Test("only devices that can be physical volumes are candidates, under their usual names")
  func findsCandidates() throws {
    let folder = try sysfs()
    defer { folder.remove() }
    let found = BlockDeviceScanner(systemDirectory: folder.path).candidates(nodes)
    #expect(found.map(\.name) == ["/dev/sda", "/dev/sda1", "/dev/dm-1", "/dev/cciss/c0d0"])
    #expect(found.map(\.number) == [number(0), number(1), number(5), number(8)])
  }

  /// As LVM 2.03.16 read them.
  @Test("devices come by the bytes of their numbers, the lowest first")
  func ordersAsLVM() {
    func candidate(_ number: DeviceNumber?) -> BlockDeviceCandidate {
      BlockDeviceCandidate(name: "x", path: "/dev/x", number: number)
    }
    let loops: [UInt32] = [5, 6, 7, 256, 262, 300, 513]
    let candidates = loops.map { candidate(DeviceNumber(major: 7, minor: $0)) }
    #expect(
      candidates.inScanningOrder().map(\.number?.minor) == [256, 513, 5, 6, 262, 7, 300])
    let withFile = [candidates[1], candidate(nil), candidates[0]]
    #expect(withFile.inScanningOrder() == withFile)
  }

  @Test("the filter sees all names")
  func filtersByEveryName() throws {
    let folder = try sysfs()
    defer { folder.remove() }
    let filter = try DeviceFilter(patterns: ["a|/by-id/|", "a|mpath|", "r|.*|"])
    let found = BlockDeviceScanner(filter: filter, systemDirectory: folder.path).candidates(nodes)
    #expect(found.map(\.path) == ["/dev/disk/by-id/first", "/dev/mapper/mpatha"])
  }

  @Test("how far the kernel reads ahead on a disk")
  func readAhead() throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    try folder.write("384\n", to: "dev/block/8:0/queue/read_ahead_kb")
    func sectors(_ minor: UInt32) -> UInt32 {
      DeviceReadAhead.sectors(of: number(minor), systemDirectory: folder.path)
    }
    #expect(sectors(0) == 768)
    #expect(sectors(2) == 0)
  }

  @Test("a machine without sysfs has no candidates")
  func findsNothing() {
    #expect(BlockDeviceScanner(systemDirectory: "/nonexistent").candidates().isEmpty)
  }

  @Test("an image file may stand for a device")
  func readsListEntries() throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let image = try folder.write([UInt8](repeating: 0, count: 1024), to: "image")
    let candidate = try BlockDeviceCandidate(listed: "/dev/sdz=\(image)")
    #expect(candidate == BlockDeviceCandidate(name: "/dev/sdz", path: image, number: nil))
    #expect(try BlockDeviceCandidate(listed: image).name == image)
    let device = try candidate.open(.readOnly)
    #expect(device.name == "/dev/sdz")
    for text in ["", "=", "/dev/sdz=", "=\(image)", "\(image).absent"] {
      #expect(throws: BlockDeviceListError.self) { try BlockDeviceCandidate(listed: text) }
    }
  }

  @Test("the names below /dev are collected, links included")
  func collectsNodes() {
    // A container may have no block device at all; what is found must lead to what it claims.
    let nodes = DeviceNodes(below: "/dev")
    for path in ["/dev/null", "/dev/zero"] {
      #expect(DeviceNodes.number(ofBlockDevice: path) == nil)
    }
    #expect(nodes.names(of: DeviceNumber(major: 0, minor: 0)).isEmpty)
  }
}
