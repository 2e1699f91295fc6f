/// The units in which sizes are shown: the argument of LVM's `--units`.
///
/// Small letters count in powers of 1024, capitals in powers of 1000; a number before the letter
/// makes a unit of its own. `r` and `h` choose the unit by the size, and `r` marks with `<` that
/// the size was rounded up.
public struct SizeUnits: Sendable, Equatable {
  public enum Style: Sendable {
    /// "4.00m", as in reports.
    case compact
    /// "4.00 MiB", as in messages.
    case spaced
    /// "4.00".
    case bare
  }

  private enum Choice: Equatable {
    case bySize(marksRounding: Bool)
    case fixed(bytes: UInt64, suffix: String)
  }

  private let choice: Choice
  private let isDecimal: Bool

  /// LVM's default, `r`.
  public static let humanReadable = SizeUnits(
    choice: .bySize(marksRounding: true), isDecimal: false)

  private init(choice: Choice, isDecimal: Bool) {
    self.choice = choice
    self.isDecimal = isDecimal
  }

  /// Nil for anything that LVM would refuse.
  public init?(_ text: String) {
    guard let letter = text.last else { return nil }
    let small = Character(letter.lowercased())
    isDecimal = letter.isUppercase
    let number = text.dropLast()
    guard let factor = number.isEmpty ? 1 : UInt64(number), factor > 0 else { return nil }
    switch small {
    case "r", "h":
      guard number.isEmpty else { return nil }
      choice = .bySize(marksRounding: small == "r")
    case "b", "s":
      let (bytes, overflow) = factor.multipliedReportingOverflow(by: small == "b" ? 1 : 512)
      guard !overflow else { return nil }
      choice = .fixed(bytes: bytes, suffix: number.isEmpty ? small.uppercased() : "U")
    default:
      guard let index = Self.letters.firstIndex(of: small) else { return nil }
      let base: UInt64 = letter.isUppercase ? 1000 : 1024
      var bytes = factor
      for _ in 0...index {
        let (product, overflow) = bytes.multipliedReportingOverflow(by: base)
        guard !overflow else { return nil }
        bytes = product
      }
      choice = .fixed(bytes: bytes, suffix: number.isEmpty ? String(letter) : "U")
    }
  }

  private static let letters: [Character] = ["k", "m", "g", "t", "p", "e"]

  /// The size with two decimals, or none when the unit is bytes or sectors.
  public func text(bytes: UInt64, style: Style = .compact) -> String {
    let (unit, suffix) = unit(for: bytes)
    if bytes == 0 {
      return style == .bare ? "0" : "0" + (isBySize ? " " : suffix)
    }
    let isWhole = suffix == "B" || suffix == "S"
    let (number, isRoundedUp) = Self.divide(bytes, by: unit, hundredths: !isWhole)
    let mark = isRoundedUp && choice == .bySize(marksRounding: true) ? "<" : ""
    switch style {
    case .compact: return mark + number + suffix
    case .bare: return mark + number
    case .spaced: return mark + number + " " + longSuffix(suffix)
    }
  }

  private var isBySize: Bool {
    switch choice {
    case .bySize: true
    case .fixed: false
    }
  }

  private func unit(for bytes: UInt64) -> (bytes: UInt64, suffix: String) {
    switch choice {
    case .fixed(let bytes, let suffix): return (bytes, suffix)
    case .bySize:
      let base: UInt64 = isDecimal ? 1000 : 1024
      var unit: (bytes: UInt64, suffix: String) = (1, "B")
      for letter in Self.letters {
        let next = unit.bytes * base
        guard bytes >= next else { break }
        unit = (next, isDecimal ? letter.uppercased() : String(letter))
      }
      return unit
    }
  }

  /// Rounds half to even, as C's printf does.
  private static func divide(
    _ bytes: UInt64, by unit: UInt64, hundredths: Bool
  ) -> (text: String, isRoundedUp: Bool) {
    let (high, low) = bytes.multipliedFullWidth(by: hundredths ? 100 : 1)
    guard high < unit else { return (String(bytes / unit), false) }
    var (quotient, remainder) = unit.dividingFullWidth((high, low))
    let isUp =
      remainder > unit - remainder || (remainder == unit - remainder && quotient % 2 == 1)
    if isUp { quotient += 1 }
    guard hundredths else { return (String(quotient), isUp) }
    let cents = quotient % 100
    return ("\(quotient / 100)." + (cents < 10 ? "0" : "") + String(cents), isUp)
  }

  private func longSuffix(_ suffix: String) -> String {
    switch suffix {
    case "B": "Byte"
    case "S": "Se"
    case "U": "Un"
    default: suffix.uppercased() + (isDecimal ? "B" : "iB")
    }
  }
}
