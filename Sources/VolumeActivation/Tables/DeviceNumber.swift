/// The kernel's number of a block device, written `major:minor` as in device-mapper tables.
public struct DeviceNumber: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let major: UInt32
  public let minor: UInt32

  public init(major: UInt32, minor: UInt32) {
    self.major = major
    self.minor = minor
  }

  /// Nil unless `text` is two decimal numbers joined by a colon.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let major = UInt32(decimal: parts[0]),
      let minor = UInt32(decimal: parts[1])
    else { return nil }
    self.init(major: major, minor: minor)
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }
  public var description: String { "\(major):\(minor)" }
}

extension FixedWidthInteger {
  /// Nil unless `text` is nothing but decimal digits: no sign, no blanks.
  init?(decimal text: some StringProtocol) {
    guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
      return nil
    }
    self.init(text)
  }
}
