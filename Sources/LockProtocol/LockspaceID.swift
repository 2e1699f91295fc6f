import ByteCoding
import ClusterTypes

/// The number of a lockspace in message headers.
///
/// The control plane chooses it; all members must agree, so it follows from the name by the rule
/// of the existing dlm_controld (dlm-wire 6).
public struct LockspaceID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }

  public init(name: LockspaceName) {
    rawValue = CRC32.zlib(Array("dlm:ls:\(name.text)".utf8) + [0])
  }

  public var description: String { String(rawValue, radix: 16) }
}
