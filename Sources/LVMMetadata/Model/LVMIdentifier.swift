/// The identifier of a PV, VG or LV: 32 characters of `0-9a-zA-Z!#` (lvm2-metadata 8.3).
///
/// Labels and device-mapper UUIDs hold the plain form, the metadata text the dashed one.
public struct LVMIdentifier: Hashable, Sendable, CustomStringConvertible {
  /// The 32 characters without hyphens.
  public let plain: String

  /// Reads either form; hyphens are skipped wherever they stand. Nil for anything else.
  public init?(_ text: some StringProtocol) { self.init(characters: text.utf8) }

  /// Reads 32 characters as they stand in a PV label.
  public init?(bytes: some Sequence<UInt8>) { self.init(characters: bytes) }

  private init?(characters: some Sequence<UInt8>) {
    var plain: [UInt8] = []
    for byte in characters where byte != UInt8(ascii: "-") {
      guard plain.count < 32, Self.isAllowed(byte) else { return nil }
      plain.append(byte)
    }
    guard plain.count == 32 else { return nil }
    self.plain = String(decoding: plain, as: UTF8.self)
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "!"), UInt8(ascii: "#"):
      true
    default: false
    }
  }

  /// Groups of 6-4-4-4-4-4-6 characters joined by hyphens.
  public var dashed: String {
    var text = ""
    for (index, character) in plain.utf8.enumerated() {
      if index >= 6, index <= 26, (index - 6) % 4 == 0 { text += "-" }
      text.unicodeScalars.append(Unicode.Scalar(character))
    }
    return text
  }

  public var description: String { dashed }
}
