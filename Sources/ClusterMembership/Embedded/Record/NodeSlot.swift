import ClusterTypes

/// The place of a configured node in the cluster's bitmaps: fixed while the node is configured.
///
/// The record maps slots to node ids (`ConfiguredNode`); inside the embedded provider nodes are
/// named by slot, at its boundary by `NodeID`.
public struct NodeSlot: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Slots are below this number.
  public static let limit = 64

  public let index: UInt8

  /// Nil unless `index` is in `0 ..< limit`.
  public init?(_ index: Int) {
    guard (0..<Self.limit).contains(index) else { return nil }
    self.index = UInt8(index)
  }

  init(bit: Int) { index = UInt8(truncatingIfNeeded: bit & 63) }

  var bit: UInt64 { 1 << UInt64(index & 63) }
  var number: Int { Int(index) }

  public static func < (left: Self, right: Self) -> Bool { left.index < right.index }
  public var description: String { "#\(index)" }
}

/// A set of slots; its elements come in ascending order.
public struct NodeSet: Hashable, Sendable, Sequence, ExpressibleByArrayLiteral {
  public var bits: UInt64

  public init(bits: UInt64 = 0) { self.bits = bits }
  public init(arrayLiteral elements: NodeSlot...) { self.init(elements) }
  public init(_ slots: some Sequence<NodeSlot>) {
    bits = 0
    for slot in slots { bits |= slot.bit }
  }

  public var isEmpty: Bool { bits == 0 }
  public var count: Int { bits.nonzeroBitCount }
  public var first: NodeSlot? { bits == 0 ? nil : NodeSlot(bit: bits.trailingZeroBitCount) }

  public func contains(_ slot: NodeSlot) -> Bool { bits & slot.bit != 0 }
  public func isSubset(of other: Self) -> Bool { bits & ~other.bits == 0 }
  public func union(_ other: Self) -> Self { Self(bits: bits | other.bits) }
  public func intersection(_ other: Self) -> Self { Self(bits: bits & other.bits) }
  public func subtracting(_ other: Self) -> Self { Self(bits: bits & ~other.bits) }
  public mutating func insert(_ slot: NodeSlot) { bits |= slot.bit }
  public mutating func remove(_ slot: NodeSlot) { bits &= ~slot.bit }

  public struct Iterator: IteratorProtocol {
    var bits: UInt64
    public mutating func next() -> NodeSlot? {
      guard bits != 0 else { return nil }
      defer { bits &= bits - 1 }
      return NodeSlot(bit: bits.trailingZeroBitCount)
    }
  }
  public func makeIterator() -> Iterator { Iterator(bits: bits) }
}
