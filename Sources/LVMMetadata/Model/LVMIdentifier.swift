/// The identifier of a PV, VG or LV: 32 characters of `0-9a-zA-Z!#` (lvm2-metadata 8.3).
///
/// Labels and device-mapper UUIDs hold the plain form, the metadata text the dashed one.
public struct LVMIdentifier: Hashable, Sendable, CustomStringConvertible {
  /// The characters, eight in each word from the highest byte to the lowest: tens of thousands of
  /// identifiers are kept, compared and hashed.
  private let words: SIMD4<UInt64>

  /// Reads either form; hyphens are skipped wherever they stand. Nil for anything else.
  public init?(_ text: some StringProtocol) { self.init(characters: text.utf8) }

  /// Reads either form, as it stands in a PV label or in a metadata text.
  public init?(bytes: some Sequence<UInt8>) { self.init(characters: bytes) }

  private init?(characters: some Sequence<UInt8>) {
    var words = SIMD4<UInt64>()
    var count = 0
    for byte in characters where byte != UInt8(ascii: "-") {
      guard count < Self.characterCount, Self.isAllowed(byte) else { return nil }
      words[count >> 3] = words[count >> 3] << 8 | UInt64(byte)
      count += 1
    }
    guard count == Self.characterCount else { return nil }
    self.words = words
  }

  private static let characterCount = 32

  /// A new one of letters and digits, as LVM makes them.
  public init(using generator: inout some RandomNumberGenerator) {
    let characters = Array("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    var words = SIMD4<UInt64>()
    for place in 0..<Self.characterCount {
      let character = characters[Int.random(in: characters.indices, using: &generator)]
      words[place >> 3] = words[place >> 3] << 8 | UInt64(character)
    }
    self.words = words
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "!"), UInt8(ascii: "#"):
      true
    default: false
    }
  }

  private func character(_ index: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: words[index >> 3] >> UInt64(56 - 8 * (index & 7)))
  }

  /// The 32 characters without hyphens.
  public var plain: String {
    String(unsafeUninitializedCapacity: Self.characterCount) { buffer in
      for index in 0..<Self.characterCount { buffer[index] = character(index) }
      return Self.characterCount
    }
  }

  /// Groups of 6-4-4-4-4-4-6 characters joined by hyphens.
  public var dashed: String {
    String(unsafeUninitializedCapacity: Self.characterCount + 6) { buffer in
      var position = 0
      for index in 0..<Self.characterCount {
        if index >= 6, index <= 26, (index - 6) % 4 == 0 {
          buffer[position] = UInt8(ascii: "-")
          position += 1
        }
        buffer[position] = character(index)
        position += 1
      }
      return position
    }
  }

  public var description: String { dashed }
}
