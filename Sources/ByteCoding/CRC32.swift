/// CRC-32 with the reflected polynomial 0xEDB88320.
///
/// Two users share it: the kernel lockspace id (zlib's convention: initial register all ones,
/// final inversion) and LVM2's checksums (register 0xF597A6CF, no inversion).
public enum CRC32 {
  /// Row 0 takes one byte; row n takes one that n more bytes follow. With eight rows eight bytes
  /// are taken in one step, which the checksums of megabytes of metadata need.
  private static let table: [UInt32] = {
    var table = [UInt32](repeating: 0, count: 8 * 256)
    for index in 0..<256 {
      var register = UInt32(index)
      for _ in 0..<8 {
        register = register & 1 == 1 ? (register >> 1) ^ 0xEDB8_8320 : register >> 1
      }
      table[index] = register
    }
    for index in 256..<table.count {
      let before = table[index - 256]
      table[index] = before >> 8 ^ table[Int(before & 0xFF)]
    }
    return table
  }()

  /// The register after `bytes`, starting from `register`.
  public static func update(_ register: UInt32, with bytes: some Sequence<UInt8>) -> UInt32 {
    if let result = bytes.withContiguousStorageIfAvailable({ update(register, with: $0) }) {
      return result
    }
    return update(register, with: Array(bytes))
  }

  private static func update(
    _ register: UInt32, with bytes: UnsafeBufferPointer<UInt8>
  ) -> UInt32 {
    let bytes = UnsafeRawBufferPointer(bytes)
    let table = table.span
    var register = register
    var index = 0
    while index + 8 <= bytes.count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      let mixed = word ^ UInt64(register)
      register = 0
      for row in 0..<8 {
        let byte = Int(truncatingIfNeeded: mixed >> UInt64(8 * row) & 0xFF)
        register ^= table[256 * (7 - row) + byte]
      }
      index += 8
    }
    while index < bytes.count {
      register = register >> 8 ^ table[Int(UInt8(truncatingIfNeeded: register) ^ bytes[index])]
      index += 1
    }
    return register
  }

  /// zlib's `crc32`.
  public static func zlib(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~update(0xFFFF_FFFF, with: bytes)
  }

  /// LVM2's checksum of labels, metadata area headers and metadata text.
  public static func lvm(_ bytes: some Sequence<UInt8>) -> UInt32 {
    update(0xF597_A6CF, with: bytes)
  }
}
