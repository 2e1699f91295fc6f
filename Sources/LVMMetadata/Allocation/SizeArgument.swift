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

  /// Parses `-L`: `[+|-]number[bskmgtpe]`, the number with an optional fraction. Letters mean
  /// powers of 1024 in either case, and what follows the unit's letter is ignored (`4MiB`); a part of
  /// a sector is dropped, of bytes refused.
  public init(size text: String, defaultUnit: Unicode.Scalar = "m") throws(InvalidSize) {
    let (sign, unsigned) = try Self.split(text)
    let digits = unsigned.utf8.prefix { Self.isDigit($0) || $0 == UInt8(ascii: ".") }
    let parts = digits.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard digits.contains(where: Self.isDigit) else {
      throw InvalidSize("Size requires number argument.")
    }
    let unit =
      unsigned.utf8[digits.endIndex...].first.map { $0 | 0x20 } ?? UInt8(ascii: defaultUnit)
    guard parts.count <= 2, let bytesPerUnit = Self.bytesPerUnit(unit) else {
      throw InvalidSize("Can't parse size argument.")
    }
    guard let whole = parts[0].isEmpty ? 0 : UInt64(Substring(parts[0])),
      whole <= UInt64.max / bytesPerUnit
    else { throw InvalidSize("Size is too big (>=16EiB).") }
    var bytes = whole * bytesPerUnit
    // Nine decimals of an exbibyte are finer than any extent.
    if parts.count == 2, let fraction = UInt64(Substring(parts[1].prefix(9))) {
      let scale = parts[1].prefix(9).reduce(UInt64(1)) { power, _ in power * 10 }
      bytes += UInt64(UInt128(bytesPerUnit) * UInt128(fraction) / UInt128(scale))
    }
    let sectors = bytes / 512
    guard unit != UInt8(ascii: "b") || bytes % 512 == 0 else {
      throw InvalidSize(
        "Size is not a multiple of 512. Try using \(sectors * 512) or \((sectors + 1) * 512).")
    }
    self.init(sign: sign, amount: .sectors(sectors))
  }

  /// Parses `-l`: `[+|-]number` or `[+|-]number%{VG|FREE|PVS|LV|ORIGIN}`; the base may be
  /// abbreviated to its first letter.
  public init(extents text: String) throws(InvalidSize) {
    let (sign, rest) = try Self.split(text)
    let digits = rest.prefix { $0.utf8.allSatisfy(Self.isDigit) }
    guard let number = UInt32(digits) else { throw InvalidSize(nil) }
    let base = rest[digits.endIndex...]
    if base.isEmpty {
      self.init(sign: sign, amount: .extents(Int(number)))
      return
    }
    guard base.first == "%" else { throw InvalidSize(nil) }
    let name = base.dropFirst().uppercased()
    guard
      let base = Base.allCases.first(where: {
        $0.rawValue == name || $0.rawValue.prefix(1) == name
      })
    else { throw InvalidSize("Specified \(base) is unknown.") }
    self.init(sign: sign, amount: .percentage(Int(number), of: base))
  }

  private static func split(_ text: String) throws(InvalidSize) -> (Sign, Substring) {
    let sign: Sign =
      switch text.first {
      case "+": .increase
      case "-": .decrease
      default: .absolute
      }
    let rest = sign == .absolute ? text[...] : text.dropFirst()
    if sign != .absolute, rest.first == "+" || rest.first == "-" {
      throw InvalidSize("Multiple sign symbols detected.")
    }
    return (sign, rest)
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

/// Why a text is no size.
public struct InvalidSize: Error, Sendable, Equatable {
  /// In LVM's words; nil where LVM says no more than which argument it is.
  public let message: String?

  init(_ message: String?) {
    self.message = message
  }
}
