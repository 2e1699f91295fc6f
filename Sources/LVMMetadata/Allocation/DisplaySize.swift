/// How a size is shown: one of LVM's `--units` (lvm2's dm_size_to_string is the model).
public struct DisplayUnit: Sendable, Equatable {
  /// The letter of `--units`.
  public let letter: Character

  /// `b s k m g t p e` (powers of 1024), `B S K M G T P E` (powers of 1000; `B` and `S` as `b`
  /// and `s`), `h r` (the largest fitting unit), `H R` (the same with powers of 1000). `r` and `R`
  /// mark with `<` what rounding made larger.
  public init?(_ letter: Character) {
    guard "bskmgtpeBSKMGTPEhrHR".contains(letter) else { return nil }
    self.letter = letter
  }

  private init(known letter: Character) { self.letter = letter }

  /// LVM's default.
  public static let rounded = DisplayUnit(known: "r")

  public enum Suffix: Sendable {
    /// "4.00"; units that vary with the size show their letter all the same.
    case none
    /// "4.00m", as in reports; bytes and sectors are always a capital `B` and `S`.
    case letter
    /// "4.00 MiB", as in messages.
    case word
  }

  private static let prefixes: [Character] = ["k", "m", "g", "t", "p", "e"]

  /// The size in this unit, "0" for nothing.
  public func string(sectors: UInt64, suffix: Suffix = .letter) -> String {
    let bytes = UInt128(sectors) * 512
    switch letter {
    case "b", "B": return "\(bytes)" + Self.text(suffix, letter: "B", word: "B")
    case "s", "S": return "\(sectors)" + Self.text(suffix, letter: "S", word: "Se")
    case "h", "r": return Self.varying(bytes, base: 1024, marks: letter == "r", suffix)
    case "H", "R": return Self.varying(bytes, base: 1000, marks: letter == "R", suffix)
    default: break
    }
    let isDecimal = letter.isUppercase
    let small = Character(letter.lowercased())
    let power = (Self.prefixes.firstIndex(of: small) ?? 0) + 1
    let unit = Self.power(isDecimal ? 1000 : 1024, power)
    let shown = bytes == 0 ? "0" : Self.hundredths(bytes, per: unit)
    let word = "\(small.uppercased())\(isDecimal ? "" : "i")B"
    return shown + Self.text(suffix, letter: letter, word: word)
  }

  /// "36.00 MiB", as messages show sizes.
  public static func message(sectors: UInt64) -> String {
    rounded.string(sectors: sectors, suffix: .word)
  }

  private static func varying(
    _ bytes: UInt128, base: UInt128, marks: Bool, _ suffix: Suffix
  ) -> String {
    // LVM shows nothing at all with a blank for a unit.
    guard bytes > 0 else { return if case .word = suffix { "0   " } else { "0 " } }
    var power = prefixes.count
    while power > 0, bytes < Self.power(base, power) { power -= 1 }
    let kind: Suffix = if case .none = suffix { .letter } else { suffix }
    guard power > 0 else { return "\(bytes)" + text(kind, letter: "B", word: "B") }
    let unit = Self.power(base, power)
    let rest = bytes * 100 % unit
    // Ties are rounded to even.
    let isRoundedUp = 2 * rest > unit || (2 * rest == unit && bytes * 100 / unit % 2 == 1)
    let small = prefixes[power - 1]
    let isDecimal = base == 1000
    let letter = isDecimal ? Character(small.uppercased()) : small
    return (marks && isRoundedUp ? "<" : "") + hundredths(bytes, per: unit)
      + text(kind, letter: letter, word: "\(small.uppercased())\(isDecimal ? "" : "i")B")
  }

  private static func power(_ base: UInt128, _ exponent: Int) -> UInt128 {
    (0..<exponent).reduce(1) { product, _ in product * base }
  }

  /// `amount / unit` with two decimals, ties to even as in C.
  private static func hundredths(_ amount: UInt128, per unit: UInt128) -> String {
    var (count, rest) = (amount * 100).quotientAndRemainder(dividingBy: unit)
    if 2 * rest > unit || (2 * rest == unit && count % 2 == 1) { count += 1 }
    rest = count % 100
    return "\(count / 100).\(rest < 10 ? "0" : "")\(rest)"
  }

  private static func text(_ suffix: Suffix, letter: Character, word: String) -> String {
    switch suffix {
    case .none: ""
    case .letter: String(letter)
    case .word: " \(word)"
    }
  }
}
