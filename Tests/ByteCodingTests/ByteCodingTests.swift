import ByteCoding
import Testing

@Suite struct ByteCodingTests {
  @Test func integersAreLittleEndianAndReadBack() throws {
    var writer = ByteWriter()
    writer.write(UInt16(0x0102))
    writer.write(Int32(-2))
    writer.writeBigEndian(UInt16(0x0304))
    writer.writeString("vg")
    #expect(writer.bytes == [2, 1, 0xFE, 0xFF, 0xFF, 0xFF, 3, 4, 2, 0, 0, 0, 0x76, 0x67])
    var reader = ByteReader(writer.bytes)
    #expect(try reader.read(UInt16.self) == 0x0102)
    #expect(try reader.read(Int32.self) == -2)
    #expect(try reader.readBigEndian(UInt16.self) == 0x0304)
    #expect(try reader.readString(limit: 2) == "vg")
    try reader.expectEnd()
  }

  @Test func everyTruncationIsAnError() {
    var reader = ByteReader([1, 2, 3])
    #expect(throws: ByteDecodingError.truncated(offset: 0, needed: 4, available: 3)) {
      try reader.read(UInt32.self)
    }
    #expect(throws: ByteDecodingError.self) { try reader.readBytes(-1) }
    var counted = ByteReader([0xFF, 0xFF, 0xFF, 0xFF, 1])
    #expect(throws: ByteDecodingError.self) { try counted.readCounted(limit: 16) }
  }

  /// Vectors of lvm2-metadata.md, section 1.5.
  @Test(
    arguments: [
      ([], 0xF597_A6CF), ([0], 0x0B2E_4887), (Array("123456789".utf8), 0x4991_CF02),
      (Array("LVM2 001".utf8), 0x5B9B_CF05), (Array(0...255), 0x5AF1_DACF),
      ([UInt8](repeating: 0, count: 508), 0x6702_D122),
    ] as [([UInt8], UInt32)])
  func lvmChecksums(bytes: [UInt8], expected: UInt32) {
    #expect(CRC32.lvm(bytes) == expected)
  }

  @Test func theChecksumOfManyBytesIsThatOfEachInTurn() {
    var bytes: [UInt8] = []
    var register: UInt32 = 0xF597_A6CF
    for length in 0..<100 {
      #expect(CRC32.lvm(bytes) == register, "\(length) bytes")
      #expect(CRC32.lvm(bytes[...]) == CRC32.lvm(AnySequence(bytes)))
      let byte = UInt8(truncatingIfNeeded: length * 167 + 13)
      bytes.append(byte)
      register ^= UInt32(byte)
      for _ in 0..<8 {
        register = register & 1 == 1 ? register >> 1 ^ 0xEDB8_8320 : register >> 1
      }
    }
  }

  @Test func zlibChecksumOfALockspaceName() {
    #expect(CRC32.zlib(Array("dlm:ls:foo\0".utf8)) == 1_826_763_677)
  }
}
