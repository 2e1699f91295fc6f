/// The version of the protocol in message headers (dlm-wire 4).
public struct ProtocolVersion: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// Major version in the upper 16 bits, minor in the lower.
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Every message stands alone; kernels before 5.14.
  public static let version3dot1 = Self(rawValue: 0x0003_0001)
  /// Lock messages are numbered and acknowledged; kernels from 5.14.
  public static let version3dot2 = Self(rawValue: 0x0003_0002)

  public var description: String { "\(rawValue >> 16).\(rawValue & 0xFFFF)" }
}
