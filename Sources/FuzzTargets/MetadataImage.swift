import ByteCoding
import Fuzzing
import LVMMetadata

/// A device made of an input: its first bytes are the four label sectors, the header of an area at
/// byte 4096, and the rest is that area's text buffer.
struct MetadataImage {
  private static let areaStart: UInt64 = 4096
  private static let deviceSize: UInt64 = 1 << 20
  private static let labelBytes = 4 * 512
  /// Label sectors and the area's header.
  static let length = labelBytes + 512

  private let input: [UInt8]

  init(_ input: [UInt8]) { self.input = input }

  private func slice(_ range: Range<Int>) -> [UInt8] {
    guard range.lowerBound < input.count else { return [] }
    return Array(input[range.lowerBound..<min(range.upperBound, input.count)])
  }

  /// The device with right checksums in label and header, and in the slots for the text they point
  /// to.
  private func device() -> MemoryDevice {
    let device = MemoryDevice(name: "pv0", sizeBytes: Self.deviceSize)
    for sector in 0..<4 {
      var label = slice((sector * 512)..<(sector * 512 + 512))
      guard label.count == 512 else { continue }
      Self.put(CRC32.lvm(label.dropFirst(20)), into: &label, at: 16)
      device.store(label, at: UInt64(sector * 512))
    }
    device.store(slice(Self.length..<max(Self.length, input.count)), at: Self.areaStart + 512)
    var header = slice(Self.labelBytes..<Self.length)
    guard header.count == 512 else { return device }
    for slot in 0..<2 { seal(slot: 40 + 24 * slot, of: &header, on: device) }
    Self.put(CRC32.lvm(header.dropFirst(4)), into: &header, at: 0)
    device.store(header, at: Self.areaStart)
    return device
  }

  private func seal(slot: Int, of header: inout [UInt8], on device: MemoryDevice) {
    var reader = ByteReader(header[slot...])
    guard let offset = try? reader.read(UInt64.self), let size = try? reader.read(UInt64.self),
      offset >= 512, size > 0, size <= 16384, offset <= Self.deviceSize,
      let text = try? device.read(at: Self.areaStart + offset, count: Int(size))
    else { return }
    Self.put(CRC32.lvm(text), into: &header, at: slot + 16)
  }

  private static func put(_ number: UInt32, into bytes: inout [UInt8], at place: Int) {
    for index in 0..<4 {
      bytes[place + index] = UInt8(truncatingIfNeeded: number >> UInt32(8 * index))
    }
  }

  func run() throws(FuzzFailure) -> UInt64 {
    let device = device()
    var digest = ResultDigest()
    for slot in [MetadataScanner.Slot.committed, .precommitted] {
      let scan = MetadataScanner.scan([device], slot: slot)
      digest.add(scan.physicalVolumes.count)
      digest.add(scan.warnings.count)
      guard let group = scan.groups.first else { continue }
      digest.add(2 + group.volumeGroup.logicalVolumes.count)
      try change(group, device, &digest)
    }
    return digest.value
  }

  /// A change and its revert leave the committed version as it was.
  private func change(
    _ group: ScannedVolumeGroup, _ device: MemoryDevice, _ digest: inout ResultDigest
  ) throws(FuzzFailure) {
    var next = group.volumeGroup
    next.seqno &+= 1
    let text = MetadataText(
      volumeGroup: next,
      provenance: MetadataProvenance(description: "", creationHost: "", creationTime: 0))
    guard var commit = try? MetadataCommit(from: group, to: text), (try? commit.write()) != nil,
      (try? commit.precommit()) != nil
    else { return }
    let seen = MetadataScanner.scan([device]).groups.first
    guard seen?.volumeGroup == group.volumeGroup else {
      throw FuzzFailure("a precommitted change is seen by readers")
    }
    guard commit.revert().isEmpty else { throw FuzzFailure("a change cannot be taken back") }
    guard MetadataScanner.scan([device]).groups.first?.volumeGroup == group.volumeGroup else {
      throw FuzzFailure("a change that was taken back has changed the group")
    }
    digest.add(1)
  }

  /// Each text of the corpus on a device of its own.
  @Sendable static func seeds(of file: CorpusFile) -> [[UInt8]] {
    guard file.name.hasSuffix(".disk"), let text = try? MetadataText(parsing: file.contents),
      let volume = text.volumeGroup.physicalVolumes.first
    else { return [] }
    let area = DiskArea(offset: areaStart, size: deviceSize - areaStart)
    let label = PhysicalVolumeLabel(
      id: volume.id, deviceSizeBytes: deviceSize,
      dataAreas: [DiskArea(offset: deviceSize, size: 0)], metadataAreas: [area], isUsed: true)
    var header = MetadataAreaHeader(area: area)
    header.committed = TextLocation(offset: 512, size: UInt64(file.contents.count), checksum: 0)
    let empty = [UInt8](repeating: 0, count: 512)
    return [empty + label.encoded() + empty + empty + header.encoded() + file.contents]
  }

  static let dictionary: [[UInt8]] =
    [
      Array("LABELONE".utf8), Array("LVM2 001".utf8), [0, 2, 0, 0, 0, 0, 0, 0],
      [0, 0x10, 0, 0, 0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
      [1, 0, 0, 0], [2, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0x7F],
    ] + textDictionary

  static let textDictionary: [[UInt8]] = [
    "{", "}", "[", "]", "=", ",", "\"", "'", "#", "\\", "\n", "0", "-1", "010", "4294967295",
    "9223372036854775807", "\"pv0\"", "a/b = 1", "id = ", "status = [\"READ\"]", "flags = []",
    "segment_count = 2", "segment2 {", "start_extent = 0", "extent_count = 4294967295",
    "stripe_count = 2", "stripe_size = 8", "stripes = [\"pv0\", 0]", "type = \"mirror\"",
    "type = \"thin+X\"", "mirrors = [\"pv0\", 1]", "pe_count = 0", "extent_size = 0",
    "creation_time = 1", "allocation_policy = \"cling\"", "version = 1", "system_id = \"h\"",
    "contents = \"Text Format Volume Group\"",
  ].map { Array($0.utf8) }
}
