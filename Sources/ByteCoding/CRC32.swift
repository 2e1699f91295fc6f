/// CRC-32 with the reflected polynomial 0xEDB88320.
///
/// Two users share it: the kernel lockspace id (zlib's convention: initial register all ones,
/// final inversion) and LVM2's checksums (register 0xF597A6CF, no inversion).
public enum CRC32 {
  @usableFromInline static let table: [UInt32] = (0..<256).map { index in
    var register = UInt32(index)
    for _ in 0..<8 {
      register = register & 1 == 1 ? (register >> 1) ^ 0xEDB8_8320 : register >> 1
    }
    return register
  }

  /// The register after `bytes`, starting from `register`.
  @inlinable
  public static func update(_ register: UInt32, with bytes: some Sequence<UInt8>) -> UInt32 {
    var register = register
    for byte in bytes {
      register = (register >> 8) ^ table[Int(UInt8(truncatingIfNeeded: register) ^ byte)]
    }
    return register
  }

  /// zlib's `crc32`.
  @inlinable
  public static func zlib(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~update(0xFFFF_FFFF, with: bytes)
  }

  /// LVM2's checksum of labels, metadata area headers and metadata text.
  @inlinable
  public static func lvm(_ bytes: some Sequence<UInt8>) -> UInt32 {
    update(0xF597_A6CF, with: bytes)
  }
}
