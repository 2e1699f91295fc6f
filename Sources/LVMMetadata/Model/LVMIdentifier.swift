/// The identifier of a PV, VG or LV: 32 characters of `0-9a-zA-Z!#` (lvm2-metadata 8.3).
///
/// Labels and device-mapper UUIDs hold the plain form, the metadata text the dashed one.
public struct LVMIdentifier: Hashable, Sendable, CustomStringConvertible {
  /// The characters, eight in each word from the highest byte to the lowest: tens of thousands of
  /// identifiers are kept, compared and hashed.
  private let first: UInt64
  private let second: UInt64
  private let third: UInt64
  private let fourth: UInt64

  /// Reads either form; hyphens are skipped wherever they stand. Nil for anything else.
  public init?(_ text: some StringProtocol) { self.init(characters: text.utf8) }

  /// Reads either form, as it stands in a PV label or in a metadata text.
  public init?(bytes: some Sequence<UInt8>) { self.init(characters: bytes) }

  private init?(characters: some Sequence<UInt8>) {
    var words: [4 of UInt64] = .init(repeating: 0)
    var count = 0
    for byte in characters where byte != UInt8(ascii: "-") {
      guard count < Self.characterCount, Self.isAllowed(byte) else { return nil }
      words[count >> 3] = words[count >> 3] << 8 | UInt64(byte)
      count += 1
    }
    guard count == Self.characterCount else { return nil }
    (first, second, third, fourth) = (words[0], words[1], words[2], words[3])
  }

  private static let characterCount = 32

  /// A new one of letters and digits, as LVM makes them.
  public init(using generator: inout some RandomNumberGenerator) {
    first = Self.randomWord(using: &generator)
    second = Self.randomWord(using: &generator)
    third = Self.randomWord(using: &generator)
    fourth = Self.randomWord(using: &generator)
  }

  private static let newCharacters = Array(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)

  private static func randomWord(using generator: inout some RandomNumberGenerator) -> UInt64 {
    (0..<8).reduce(0) { word, _ in
      word << 8 | UInt64(newCharacters[Int.random(in: newCharacters.indices, using: &generator)])
    }
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    // A bit for each of the digits, `!` and `#`, and for each of the letters.
    let mask: UInt64 = byte < 64 ? 0x03FF_000A_0000_0000 : 0x07FF_FFFE_07FF_FFFE
    return byte < 128 && mask >> UInt64(byte & 63) & 1 == 1
  }

  private func character(_ index: Int) -> UInt8 {
    let word =
      switch index >> 3 {
      case 0: first
      case 1: second
      case 2: third
      default: fourth
      }
    return UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * (index & 7)))
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
