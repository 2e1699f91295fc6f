import Glibc

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
    /// "4.00". Units chosen by the size keep their letter all the same.
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

  /// Nil for anything that LVM would refuse, and for units beyond 16 EiB.
  public init?(_ text: String) {
    guard let letter = text.last, letter.isASCII else { return nil }
    let small = Character(letter.lowercased())
    isDecimal = letter.isUppercase
    if small == "r" || small == "h" {
      guard Self.factor(text.dropLast()) != nil else { return nil }
      choice = .bySize(marksRounding: small == "r")
      return
    }
    let multiplier: UInt64
    switch small {
    case "b": multiplier = 1
    case "s": multiplier = 512
    default:
      guard let index = Self.letters.firstIndex(of: small) else { return nil }
      let base: UInt64 = letter.isUppercase ? 1000 : 1024
      multiplier = (0...index).reduce(1) { product, _ in product * base }
    }
    guard let factor = Self.factor(text.dropLast()),
      factor < Double(UInt64.max) / Double(multiplier)
    else { return nil }
    let (whole, overflow) = UInt64(factor).multipliedReportingOverflow(by: multiplier)
    guard !overflow else { return nil }
    let bytes =
      factor == factor.rounded(.down) ? whole : UInt64(factor * Double(multiplier))
    guard bytes > 0 else { return nil }
    let isPlain = UInt64(factor) == 1
    let ownSuffix = small == "b" || small == "s" ? small.uppercased() : String(letter)
    choice = .fixed(bytes: bytes, suffix: isPlain ? ownSuffix : "U")
  }

  /// The number before the letter; 1 when there is none. Nil when it is no number.
  private static func factor(_ text: Substring) -> Double? {
    if text.isEmpty { return 1 }
    guard text.first?.isWholeNumber == true,
      text.allSatisfy({ $0.isASCII && ($0.isWholeNumber || $0 == ".") })
    else { return nil }
    return Double(text)
  }

  private static let letters: [Character] = ["k", "m", "g", "t", "p", "e"]

  /// The size with two decimals, or none when the unit is bytes or sectors.
  public func text(bytes: UInt64, style: Style = .compact) -> String {
    let (unit, suffix) = unit(for: bytes)
    if bytes == 0 {
      switch style {
      case .bare: return "0"
      case .compact: return "0" + (isBySize ? " " : suffix)
      case .spaced: return isBySize ? "0   " : "0 \(longSuffix(suffix))"
      }
    }
    let isWhole = suffix == "B" || suffix == "S"
    let (number, isRoundedUp) = Self.divide(bytes, by: unit, hundredths: !isWhole)
    let mark = isRoundedUp && choice == .bySize(marksRounding: true) ? "<" : ""
    switch style {
    case .compact: return mark + number + suffix
    case .bare: return isBySize ? mark + number + suffix : number
    case .spaced: return mark + number + " " + longSuffix(suffix)
    }
  }

  func text(sectors: UInt64, hasSuffix: Bool) -> String {
    text(bytes: sectors &* 512, style: hasSuffix ? .compact : .bare)
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

  /// Rounds as C's printf does with the quotient as a double: exactly, half to even, where the unit
  /// is a power of two.
  private static func divide(
    _ bytes: UInt64, by unit: UInt64, hundredths: Bool
  ) -> (text: String, isRoundedUp: Bool) {
    let (high, low) = bytes.multipliedFullWidth(by: hundredths ? 100 : 1)
    guard high < unit else { return (String(bytes / unit), false) }
    var (quotient, remainder) = unit.dividingFullWidth((high, low))
    let isUp =
      remainder > unit - remainder || (remainder == unit - remainder && quotient % 2 == 1)
    if unit.nonzeroBitCount > 1, remainder == unit - remainder {
      return (printed(Double(bytes) / Double(unit), decimals: hundredths ? 2 : 0), isUp)
    }
    if isUp { quotient += 1 }
    guard hundredths else { return (String(quotient), isUp) }
    let cents = quotient % 100
    return ("\(quotient / 100)." + (cents < 10 ? "0" : "") + String(cents), isUp)
  }

  private static func printed(_ number: Double, decimals: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      let length = withVaList([decimals, number]) {
        vsnprintf(buffer.baseAddress, buffer.count, "%.*f", $0)
      }
      let count = min(max(Int(length), 0), buffer.count - 1)
      return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
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
