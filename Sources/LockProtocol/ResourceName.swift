/// The name of what is locked: 1 to 64 arbitrary bytes, never text (dlm-wire 1, 17.3).
public struct ResourceName: Hashable, Sendable {
  public let bytes: [UInt8]

  public static let maximumLength = 64

  /// Nil unless there are 1 to 64 bytes.
  @inlinable
  public init?(_ bytes: some Sequence<UInt8>) {
    let bytes = Array(bytes)
    guard (1...Self.maximumLength).contains(bytes.count) else { return nil }
    self.bytes = bytes
  }

  /// Nil unless the UTF-8 of `text` has 1 to 64 bytes.
  public init?(_ text: String) { self.init(text.utf8) }

  /// The hash that picks the directory node and travels in messages (dlm-wire 11.1).
  public var hash: UInt32 { JenkinsHash.hash(bytes) }
}

extension ResourceName: Comparable {
  public static func < (left: Self, right: Self) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

extension ResourceName: CustomStringConvertible {
  /// Printable ASCII as it is, every other byte as `\xNN`.
  public var description: String {
    var text = ""
    for byte in bytes {
      if (0x21...0x7E).contains(byte), byte != UInt8(ascii: "\\") {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let digits = String(byte, radix: 16)
        text += digits.count == 1 ? "\\x0\(digits)" : "\\x\(digits)"
      }
    }
    return text
  }
}
