import LVMMetadata
import Testing

@testable import BlockDevices

@Suite("Reading and writing image files")
struct BlockDeviceTests {
  private let folder: TemporaryFolder
  private let path: String
  private let content: [UInt8]

  init() throws {
    folder = try TemporaryFolder()
    // More than one transfer of a mebibyte.
    content = (0..<(3 << 19)).map { UInt8(truncatingIfNeeded: $0 ^ ($0 >> 8)) }
    path = try folder.write(content, to: "image")
  }

  @Test("any range is read, wherever it begins and ends")
  func readsUnaligned() throws {
    defer { folder.remove() }
    let device = try BlockDevice(path: path, access: .readOnly)
    #expect(device.sizeBytes == UInt64(content.count))
    #expect(device.logicalSectorSize == 512)
    #expect(device.number == nil)
    for (offset, count) in [
      (0, 0), (0, 1), (1, 511), (511, 2), (1000, 5000), (1 << 20, 512), ((1 << 20) - 3, 7),
      (0, content.count), (content.count, 0), (content.count - 1, 1),
    ] {
      let bytes = try device.read(at: UInt64(offset), count: count)
      #expect(bytes == Array(content[offset..<(offset + count)]), "\(count) at \(offset)")
    }
  }

  @Test("whole sectors are written, and read back through another descriptor")
  func writesSectors() throws {
    defer { folder.remove() }
    let device = try BlockDevice(path: path, name: "/dev/x", access: .readWrite)
    let bytes = [UInt8](repeating: 7, count: (1 << 20) + 512)
    try device.write(bytes, at: 1024)
    try device.flush()
    let other = try BlockDevice(path: path, access: .readOnly)
    let expected = content[..<1024] + bytes + content[(1024 + bytes.count)...]
    #expect(try other.read(at: 0, count: content.count) == Array(expected))
  }

  @Test("ranges beyond the end and parts of sectors are refused by name")
  func refusesBadRanges() throws {
    defer { folder.remove() }
    let device = try BlockDevice(path: path, name: "/dev/x", access: .readWrite)
    let size = UInt64(content.count)
    for (offset, count) in [(size, 1), (size + 1, 0), (UInt64.max, 1), (0, Int.max), (0, -1)] {
      let error = #expect(throws: MetadataDeviceError.self) {
        try device.read(at: offset, count: count)
      }
      #expect(error?.device == "/dev/x")
    }
    #expect(throws: MetadataDeviceError.self) { try device.write([1], at: 0) }
    #expect(throws: MetadataDeviceError.self) {
      try device.write([UInt8](repeating: 0, count: 512), at: 1)
    }
    #expect(throws: MetadataDeviceError.self) {
      try device.write([UInt8](repeating: 0, count: 512), at: size)
    }
    #expect(try device.read(at: 0, count: 512) == Array(content[..<512]))
  }

  @Test("what cannot be opened or written says so")
  func refusesOpening() throws {
    defer { folder.remove() }
    for path in ["\(folder.path)/absent", folder.path, "/dev/null"] {
      let error = #expect(throws: MetadataDeviceError.self) {
        try BlockDevice(path: path, access: .readOnly)
      }
      #expect(error?.operation == .open)
    }
    let device = try BlockDevice(path: path, access: .readOnly)
    let error = #expect(throws: MetadataDeviceError.self) {
      try device.write([UInt8](repeating: 0, count: 512), at: 0)
    }
    #expect(error?.operation == .write)
  }

  @Test("the odd end of a file does not count")
  func roundsSizeDown() throws {
    defer { folder.remove() }
    let file = try folder.write([UInt8](repeating: 1, count: 1500), to: "odd")
    #expect(try BlockDevice(path: file, access: .readOnly).sizeBytes == 1024)
  }
}
