import LVMMetadata
import RealLVM
import Testing

/// Debian's pvck and ours look into the same devices, good ones and damaged ones: the same lines.
@Suite(
  .serialized,
  .enabled(
    if: RealLVM.obstacle == nil,
    "SKIPPED, not compared with LVM itself: \(RealLVM.obstacle ?? "")"))
struct InspectionTests {
  private struct Inspected {
    var lines: [String]
    var isGood: Bool
  }

  /// A device of a group that was changed some times, with bytes overwritten.
  private func lvm(
    _ damage: [(offset: UInt64, byte: UInt8)], _ arguments: [String]
  ) throws -> RealLVM {
    let lvm = try RealLVM(sizes: [16 << 20])
    try lvm.succeed(["vgcreate"] + arguments + ["vg", lvm.paths[0]])
    for tag in ["a", "b", "c"] { try lvm.succeed(["vgchange", "--addtag", tag, "vg"]) }
    let device = try device(lvm, lvm.paths[0])
    guard !damage.isEmpty else { return lvm }
    for (offset, byte) in damage { device.store([byte], at: offset) }
    return try RealLVM([device])
  }

  /// What is on LVM's device.
  private func device(_ lvm: RealLVM, _ name: String) throws -> MemoryDevice {
    let bytes = try lvm.bytes(of: "disk0")
    let device = MemoryDevice(name: name, sizeBytes: UInt64(bytes.count))
    for start in stride(from: 0, to: bytes.count, by: 1 << 16) {
      let part = bytes[start..<min(start + 1 << 16, bytes.count)]
      if part.contains(where: { $0 != 0 }) { device.store(Array(part), at: UInt64(start)) }
    }
    return device
  }

  private func ours(_ lvm: RealLVM, _ dump: PhysicalVolumeInspection.Dump?) throws -> Inspected {
    let device = try device(lvm, lvm.paths[0])
    var inspection = try PhysicalVolumeInspection(device)
    if let dump { try inspection.dump(dump) } else { inspection.check() }
    return Inspected(
      lines: inspection.lines.map { "  \($0.text)" }.sorted(), isGood: inspection.isGood)
  }

  @Test(
    arguments: [
      [], [(25, 0)], [(700, 1)], [(512, 0)], [(4096, 0)], [(4100, 0)], [(5200, 1)],
      [(4096 + 16 + 8, 7)], [(4136, 1), (4137, 1)],
    ] as [[(UInt64, UInt8)]])
  func everyDump(damage: [(UInt64, UInt8)]) throws {
    // Each is many processes.
    for arguments in damage.isEmpty ? [[], ["--pvmetadatacopies", "2"]] : [[]] {
      let lvm = try lvm(damage.map { (offset: $0.0, byte: $0.1) }, arguments)
      for dump in [nil, .headers, .metadata, .metadataAll, .metadataSearch]
        as [PhysicalVolumeInspection.Dump?]
      {
        let words = dump.map { ["--dump", $0.rawValue] } ?? []
        let theirs = try lvm(["pvck"] + words + [lvm.paths[0]])
        let ours = try ours(lvm, dump)
        let expected = (theirs.output + theirs.errors).split(separator: "\n").map(String.init)
          .filter { $0.hasPrefix("  ") && $0 != "  ---" && !$0.contains("Command failed") }
          .filter { !$0.contains("ctivation disabled") }.sorted()
        #expect(
          ours.isGood == (theirs.status == 0), "\(damage) \(arguments) \(words)")
        #expect(
          ours.lines.difference(from: expected).isEmpty,
          "\(damage) \(arguments) \(words): \(ours.lines.difference(from: expected))")
      }
    }
  }

  @Test func labelIsRepairedWhereWhatFollowsItIsRight() throws {
    let lvm = try lvm([(700, 1)], [])
    let device = try device(lvm, "pv")
    #expect(MetadataScanner.scan([device]).groups.isEmpty)
    let repair = try #require(try PhysicalVolumeInspection(device).labelRepair)
    try repair.write()
    #expect(MetadataScanner.scan([device]).groups.map(\.volumeGroup.name) == ["vg"])
    #expect(try PhysicalVolumeInspection(device).labelRepair == nil)
    let blank = MemoryDevice(name: "blank", sizeBytes: 16 << 20)
    #expect(try PhysicalVolumeInspection(blank).labelRepair == nil)
  }
}
