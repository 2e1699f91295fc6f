/// The name of a lockspace: 1 to 64 bytes, the kernel's limit, of printable ASCII without
/// white space and '/', because it becomes a directory in sysfs and configfs.
public struct LockspaceName: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let text: String

  public static let maximumLength = 64

  /// Nil when `text` cannot name a lockspace.
  public init?(_ text: String) {
    guard (1...Self.maximumLength).contains(text.utf8.count),
      text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") }),
      text != ".", text != ".."
    else { return nil }
    self.text = text
  }

  public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
  public var description: String { text }
}
