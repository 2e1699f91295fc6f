/// One life of the daemon on one node; a later life compares greater.
///
/// Messages and memberships name an incarnation, so that what an earlier life of a node
/// sent or held is never mistaken for the present one.
public struct Incarnation: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64

  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue, radix: 16) }
}

/// A node in one of its lives.
public struct NodeInstance: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let node: NodeID
  public let incarnation: Incarnation

  public init(_ node: NodeID, _ incarnation: Incarnation) {
    self.node = node
    self.incarnation = incarnation
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.node, left.incarnation) < (right.node, right.incarnation)
  }
  public var description: String { "\(node)/\(incarnation)" }
}
