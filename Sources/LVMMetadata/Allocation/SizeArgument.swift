/// A size on the command line, as `-L` and `-l` take it (lvm2-allocation 2).
public struct SizeArgument: Sendable, Equatable {
  public enum Sign: Sendable, Equatable {
    case absolute
    case increase
    case decrease
  }

  public enum Base: String, Sendable, CaseIterable {
    case volumeGroup = "VG"
    case free = "FREE"
    case physicalVolumes = "PVS"
    case logicalVolume = "LV"
    case origin = "ORIGIN"
  }

  public enum Amount: Sendable, Equatable {
    case sectors(UInt64)
    case extents(Int)
    case percentage(Int, of: Base)
  }

  public var sign: Sign
  public var amount: Amount

  public init(sign: Sign = .absolute, amount: Amount) {
    self.sign = sign
    self.amount = amount
  }

  /// Parses `-L`: `[+|-]number[bskmgtpe]`, the number with an optional fraction, MiB without unit.
  /// Letters mean powers of 1024 in either case. Nil when it is nothing of the kind, or not a whole
  /// number of sectors.
  public init?(size text: String) {
    let (sign, unsigned) = Self.split(text)
    var rest = unsigned
    var unit: UInt8 = UInt8(ascii: "m")
    if let last = rest.utf8.last, !Self.isDigit(last), last != UInt8(ascii: ".") {
      unit = last | 0x20
      rest = rest.dropLast()
    }
    let parts = rest.split(separator: ".", omittingEmptySubsequences: false)
    guard let bytesPerUnit = Self.bytesPerUnit(unit), parts.count <= 2, !rest.isEmpty, rest != ".",
      rest.utf8.allSatisfy({ Self.isDigit($0) || $0 == UInt8(ascii: ".") }),
      let whole = parts[0].isEmpty ? 0 : UInt64(parts[0])
    else { return nil }
    let (product, overflow) = whole.multipliedReportingOverflow(by: bytesPerUnit)
    guard !overflow, product < 1 << 62 else { return nil }
    var bytes = product
    if parts.count == 2, !parts[1].isEmpty {
      // Nine decimals of an exbibyte are finer than any extent.
      let digits = parts[1].prefix(9)
      guard let fraction = UInt64(digits) else { return nil }
      let scale = digits.reduce(UInt64(1)) { power, _ in power * 10 }
      bytes += UInt64(UInt128(bytesPerUnit) * UInt128(fraction) / UInt128(scale))
    }
    guard unit != UInt8(ascii: "b") || bytes % 512 == 0 else { return nil }
    self.init(sign: sign, amount: .sectors((bytes + 511) / 512))
  }

  /// Parses `-l`: `[+|-]number` or `[+|-]number%{VG|FREE|PVS|LV|ORIGIN}`; the base may be
  /// abbreviated to its first letter.
  public init?(extents text: String) {
    let (sign, rest) = Self.split(text)
    let parts = rest.split(separator: "%", omittingEmptySubsequences: false)
    guard let number = UInt32(parts[0]), parts[0].utf8.allSatisfy(Self.isDigit) else { return nil }
    switch parts.count {
    case 1: self.init(sign: sign, amount: .extents(Int(number)))
    case 2:
      let name = parts[1].uppercased()
      guard
        let base = Base.allCases.first(where: {
          $0.rawValue == name || $0.rawValue.prefix(1) == name
        })
      else { return nil }
      self.init(sign: sign, amount: .percentage(Int(number), of: base))
    default: return nil
    }
  }

  private static func split(_ text: String) -> (Sign, Substring) {
    if text.hasPrefix("+") { return (.increase, text.dropFirst()) }
    if text.hasPrefix("-") { return (.decrease, text.dropFirst()) }
    return (.absolute, text[...])
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  private static func bytesPerUnit(_ letter: UInt8) -> UInt64? {
    switch letter {
    case UInt8(ascii: "b"): 1
    case UInt8(ascii: "s"): 512
    case UInt8(ascii: "k"): 1 << 10
    case UInt8(ascii: "m"): 1 << 20
    case UInt8(ascii: "g"): 1 << 30
    case UInt8(ascii: "t"): 1 << 40
    case UInt8(ascii: "p"): 1 << 50
    case UInt8(ascii: "e"): 1 << 60
    default: nil
    }
  }
}
