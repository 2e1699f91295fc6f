/// The bits of a lockspace's `recover_status` (kernel-dlm-control 4). Empty while it is stopped.
public struct RecoverStatus: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// This node has reached the step.
  public static let nodes = Self(rawValue: 0x01)
  public static let directory = Self(rawValue: 0x04)
  public static let locks = Self(rawValue: 0x10)
  public static let done = Self(rawValue: 0x40)

  /// All nodes have reached it: set on the member with the lowest node id only.
  public static let allNodes = Self(rawValue: 0x02)
  public static let allDirectory = Self(rawValue: 0x08)
  public static let allLocks = Self(rawValue: 0x20)
  public static let allDone = Self(rawValue: 0x80)

  /// Recovery has ended on this node and the lockspace serves locks.
  public var isRunning: Bool { contains(.done) }

  /// Nil unless `text` is hexadecimal, as the kernel prints it.
  public init?(hexadecimal text: some StringProtocol) {
    guard let bits = UInt32(text, radix: 16) else { return nil }
    self.init(rawValue: bits)
  }
}
