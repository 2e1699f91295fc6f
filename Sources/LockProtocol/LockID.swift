/// The number that one node gives a lock ("lkid"): unique in a lockspace on that node (dlm-wire 1).
public struct LockID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt32

  @inlinable
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }

  /// Zero stands where no lock is meant, or where the other side's number is not known yet.
  @inlinable
  public static var none: Self { Self(rawValue: 0) }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue, radix: 16) }
}
