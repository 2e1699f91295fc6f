import ByteCoding

/// The first 8 bytes of the value block of `GLLK` and `VGLK`, little-endian (lvmlockd-socket 9).
public struct VersionBlock: Equatable, Sendable {
  /// Bytes of a DLM value block.
  public static let blockLength = 32
  private static let format: UInt16 = 0x0101
  private static let removedFlag: UInt16 = 1

  /// For `GLLK` a counter of exclusive holds, for `VGLK` the metadata's seqno.
  public var version: UInt32
  /// The VG was removed.
  public var isRemoved: Bool

  public init(version: UInt32, isRemoved: Bool = false) {
    self.version = version
    self.isRemoved = isRemoved
  }

  public enum Reading: Equatable, Sendable {
    case version(VersionBlock)
    /// Never written, or lost in a recovery of the lock manager.
    case unknown
    /// Written by a newer, incompatible lvmlockd.
    case incompatible(format: UInt16)
  }

  /// Reads `block`; nil or all zeros is unknown.
  public static func read(_ block: [UInt8]?) -> Reading {
    guard let block, block.contains(where: { $0 != 0 }) else { return .unknown }
    var reader = ByteReader(block)
    guard let format = try? reader.read(UInt16.self), let flags = try? reader.read(UInt16.self),
      let version = try? reader.read(UInt32.self)
    else { return .unknown }
    guard format >> 8 <= Self.format >> 8 else { return .incompatible(format: format) }
    return .version(VersionBlock(version: version, isRemoved: flags & removedFlag != 0))
  }

  /// A whole value block.
  public var bytes: [UInt8] {
    var writer = ByteWriter(reservingCapacity: Self.blockLength)
    writer.write(Self.format)
    writer.write(isRemoved ? Self.removedFlag : 0)
    writer.write(version)
    writer.writeZeros(Self.blockLength - writer.count)
    return writer.bytes
  }
}
