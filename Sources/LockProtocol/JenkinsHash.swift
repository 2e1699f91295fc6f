/// Bob Jenkins' lookup3 hash, initial value 0, words little-endian: what the kernel calls `jhash`
/// (dlm-wire 11.1). Every member must compute the same, or directories disagree.
enum JenkinsHash {
  static func hash(_ bytes: [UInt8]) -> UInt32 {
    let initial = 0xDEAD_BEEF &+ UInt32(truncatingIfNeeded: bytes.count)
    guard !bytes.isEmpty else { return initial }
    var a = initial
    var b = initial
    var c = initial
    bytes.withUnsafeBytes { bytes in
      var start = 0
      while bytes.count - start > 12 {
        a &+= wholeWord(of: bytes, at: start)
        b &+= wholeWord(of: bytes, at: start + 4)
        c &+= wholeWord(of: bytes, at: start + 8)
        mix(&a, &b, &c)
        start += 12
      }
      a &+= word(of: bytes, at: start)
      b &+= word(of: bytes, at: start + 4)
      c &+= word(of: bytes, at: start + 8)
    }
    finish(&a, &b, &c)
    return c
  }

  private static func wholeWord(of bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
    UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// Four bytes at `offset`; bytes after the end count as zero.
  private static func word(of bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
    if offset + 4 <= bytes.count { return wholeWord(of: bytes, at: offset) }
    var word: UInt32 = 0
    for index in 0..<4 where offset + index < bytes.count {
      word |= UInt32(bytes[offset + index]) << UInt32(8 * index)
    }
    return word
  }

  private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 {
    value << count | value >> (32 - count)
  }

  private static func mix(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32) {
    mixOnce(&a, &b, &c, 4, 6, 8)
    mixOnce(&a, &b, &c, 16, 19, 4)
  }

  private static func mixOnce(
    _ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32, _ first: UInt32, _ second: UInt32,
    _ third: UInt32
  ) {
    a = (a &- c) ^ rotate(c, first)
    c &+= b
    b = (b &- a) ^ rotate(a, second)
    a &+= c
    c = (c &- b) ^ rotate(b, third)
    b &+= a
  }

  private static func finish(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32) {
    c = (c ^ b) &- rotate(b, 14)
    a = (a ^ c) &- rotate(c, 11)
    b = (b ^ a) &- rotate(a, 25)
    c = (c ^ b) &- rotate(b, 16)
    a = (a ^ c) &- rotate(c, 4)
    b = (b ^ a) &- rotate(a, 14)
    c = (c ^ b) &- rotate(b, 24)
  }
}
