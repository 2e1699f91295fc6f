/// The number of a cluster node: positive, unique in the cluster, fixed by configuration.
///
/// The kernel's DLM uses the same number in its messages and OCFS2 in its slot map, so it
/// should be small and never change.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: Int32

  /// Nil for zero and negative numbers.
  public init?(_ rawValue: Int32) {
    guard rawValue > 0 else { return nil }
    self.rawValue = rawValue
  }

  /// Nil unless `text` is a positive decimal number.
  public init?(_ text: some StringProtocol) {
    guard let number = Int32(text) else { return nil }
    self.init(number)
  }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}
