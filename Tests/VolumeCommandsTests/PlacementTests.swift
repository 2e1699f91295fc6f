import ConfigText
import LVMMetadata
import Testing

@testable import VolumeCommands

/// Where bytes of volumes lie.
@Suite struct PlacementTests {
  private static let extentBytes: UInt64 = 1 << 20
  private let volumes: [PhysicalVolume]
  private var group: VolumeGroup

  init() {
    var generator = SystemRandomNumberGenerator()
    volumes = (0..<6).map { index in
      PhysicalVolume(
        label: "pv\(index)", id: LVMIdentifier(using: &generator), extentStartSectors: 2048,
        extentCount: 100)
    }
    group = VolumeGroup(
      name: "vg", id: LVMIdentifier(using: &generator), extentSizeSectors: 2048,
      physicalVolumes: volumes)
  }

  private func striped(
    _ name: String, _ areas: [(volume: Int, extent: Int)], count: Int, stripe: UInt64 = 0
  ) -> LogicalVolume {
    var generator = SystemRandomNumberGenerator()
    var volume = LogicalVolume(name: name, id: LVMIdentifier(using: &generator))
    volume.segments = [
      Segment(
        startExtent: 0, extentCount: count,
        kind: .striped(
          StripedLayout(
            areas: areas.map { .physicalVolume(volumes[$0.volume].id, firstExtent: $0.extent) },
            stripeSizeSectors: stripe)))
    ]
    return volume
  }

  /// PV and place of every copy of one byte.
  private func places(_ volume: LogicalVolume, _ offset: UInt64) throws -> [String] {
    try #require(group.placement(of: volume, offset..<offset + 1)).map { piece in
      #expect(piece.offset == offset && piece.byteCount == 1)
      let index = volumes.firstIndex { $0.id == piece.volume } ?? -1
      return "pv\(index)+\(piece.place)\(piece.isFurtherCopy ? " copy" : "")"
    }
  }

  @Test func linearVolumesGoOnInTheirNextSegment() throws {
    var volume = striped("a", [(0, 5)], count: 2)
    volume.segments += striped("a", [(1, 7)], count: 3).segments.map { segment in
      var segment = segment
      segment.startExtent = 2
      return segment
    }
    #expect(try places(volume, 0) == ["pv0+\(5 * Self.extentBytes)"])
    #expect(try places(volume, 2 * Self.extentBytes + 9) == ["pv1+\(7 * Self.extentBytes + 9)"])
    let across = try #require(
      group.placement(of: volume, 2 * Self.extentBytes - 5..<2 * Self.extentBytes + 5))
    #expect(across.map(\.byteCount) == [5, 5])
    #expect(across.map(\.offset) == [2 * Self.extentBytes - 5, 2 * Self.extentBytes])
  }

  @Test func stripesAlternate() throws {
    let volume = striped("a", [(0, 0), (1, 4)], count: 4, stripe: 8)
    #expect(try places(volume, 4095) == ["pv0+4095"])
    #expect(try places(volume, 4096) == ["pv1+\(4 * Self.extentBytes)"])
    #expect(try places(volume, 8192) == ["pv0+4096"])
    #expect(try places(volume, 3 * 4096 + 7) == ["pv1+\(4 * Self.extentBytes + 4096 + 7)"])
    let pieces = try #require(group.placement(of: volume, 4000..<12300))
    #expect(pieces.map(\.byteCount) == [96, 4096, 4096, 12])
  }

  /// The images' numbers of the first data stripes, row by row, as md has them.
  @Test(arguments: [
    ("raid5_ls", 3, [0, 1, 2, 0, 1, 2]), ("raid5_la", 3, [0, 1, 0, 2, 1, 2]),
    ("raid5_rs", 3, [1, 2, 2, 0, 0, 1]), ("raid5_ra", 3, [1, 2, 0, 2, 0, 1]),
    ("raid4", 3, [0, 1, 0, 1]), ("raid5_n", 3, [0, 1, 0, 1]), ("raid0", 2, [0, 1, 0, 1]),
    ("raid6_zr", 5, [2, 3, 4, 0, 3, 4]), ("raid6_nr", 5, [0, 1, 2, 0, 1, 4]),
    ("raid6_nc", 5, [0, 1, 2, 4, 0, 1]), ("raid6_n_6", 5, [0, 1, 2, 0, 1, 2]),
    ("raid6_ls_6", 4, [0, 1, 2, 0, 1, 2]),
  ]) func arraysRotate(type: String, count: Int, expected: [Int]) throws {
    var group = group
    for index in 0..<count {
      group.logicalVolumes.append(striped("r_rimage_\(index)", [(index, 0)], count: 4))
    }
    var section = ConfigSection()
    section.append("stripe_size", number: 8)
    section.append(
      "raids", .list((0..<count).map { ConfigValue.string("r_rimage_\($0)") }))
    var volume = striped("r", [], count: 4)
    volume.segments = [.whole(type, extentCount: 4, section)]
    let found = try expected.indices.map { index in
      let offset = UInt64(index) * 4096
      let piece = try #require(group.placement(of: volume, offset..<offset + 1)?.first)
      return volumes.firstIndex { $0.id == piece.volume } ?? -1
    }
    #expect(found == expected)
  }

  @Test func mirroredBytesAreEverywhere() throws {
    var group = group
    for index in 0..<4 {
      group.logicalVolumes.append(striped("r_rimage_\(index)", [(index, 0)], count: 4))
    }
    var section = ConfigSection()
    section.append("stripe_size", number: 8)
    section.append("raids", .list((0..<4).map { ConfigValue.string("r_rimage_\($0)") }))
    var volume = striped("r", [], count: 4)
    volume.segments = [.whole("raid10", extentCount: 8, section)]
    let second = try #require(group.placement(of: volume, 4096..<4097))
    #expect(second.map(\.volume) == [volumes[2].id, volumes[3].id])
    #expect(second.map(\.isFurtherCopy) == [false, true])
    volume.segments = [.whole("raid1", extentCount: 4, section)]
    let all = try #require(group.placement(of: volume, 4096..<4097))
    #expect(all.map(\.volume) == volumes.prefix(4).map(\.id))
    #expect(all.map(\.isFurtherCopy) == [false, true, true, true])
  }

  @Test func otherTypesAreNotUnderstood() {
    var volume = striped("c", [], count: 4)
    volume.segments = [.whole("cache", extentCount: 4, ConfigSection())]
    #expect(group.placement(of: volume, 0..<1) == nil)
  }
}
