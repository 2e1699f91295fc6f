import ByteCoding
import ClusterTypes

/// A node's SCSI-3 reservation key: which cluster, which node, which life of it.
///
///     bits 63-60  5, the mark of clvmd's keys
///     bits 59-40  20 bits of the cluster's id
///     bits 39-24  16 bits of the node's id
///     bits 23-0   24 bits of the incarnation's counter (its upper half)
///
/// A later life has another key, so that an eviction never hits it, and what a key says can be read by
/// an administrator with sg_persist (membership design, section 11).
public struct ReservationKey: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64

  /// Never zero, because of the mark: zero means "no key" on the wire.
  public init(clusterID: UInt64, node: NodeID, incarnation: Incarnation) {
    let cluster = UInt64(CRC32.zlib(withUnsafeBytes(of: clusterID.bigEndian) { Array($0) })) >> 12
    rawValue =
      5 << 60 | cluster << 40 | UInt64(UInt16(truncatingIfNeeded: node.rawValue)) << 24
      | (incarnation.rawValue >> 32) & 0xFF_FFFF
  }

  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Another life of the same node of the same cluster, or this one.
  public func isSameNode(as other: Self) -> Bool { rawValue >> 24 == other.rawValue >> 24 }

  /// Made by clvmd, of the cluster of `other`.
  public func isSameCluster(as other: Self) -> Bool { rawValue >> 40 == other.rawValue >> 40 }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// As sg_persist prints it.
  public var description: String { "0x" + String(rawValue, radix: 16) }
}
