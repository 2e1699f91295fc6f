/// A new size as LVM's commands take it: `-L` with units, `-l` with extents or percentages, each
/// absolute, or relative with a sign.
public struct SizeArgument: Equatable, Sendable {
  public enum Sign: String, Sendable {
    case absolute = ""
    case plus = "+"
    case minus = "-"
  }

  /// What a percentage is taken of.
  public enum Base: String, Sendable, CaseIterable {
    case volumeGroup = "VG"
    case free = "FREE"
    case physicalVolumes = "PVS"
    case logicalVolume = "LV"
    case origin = "ORIGIN"
  }

  public enum Amount: Equatable, Sendable {
    /// 512-byte sectors.
    case sectors(UInt64)
    case extents(UInt64)
    case percent(UInt32, of: Base)
  }

  public var sign: Sign
  public var amount: Amount

  public init(sign: Sign, amount: Amount) {
    self.sign = sign
    self.amount = amount
  }
}

/// Why an argument is no size; the text is for the user.
public struct InvalidSize: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
}

extension SizeArgument {
  /// The argument of `-L`: a number with an optional fraction and unit, MiB without one. Units
  /// count in powers of two whatever their case, `b` is bytes and `s` sectors of 512 bytes.
  public init(sizeArgument: String) throws(InvalidSize) {
    let (sign, rest) = Self.splitSign(sizeArgument)
    var digits = Substring(rest)
    var unit: Character = "m"
    if let last = digits.last, !last.isNumber, last != "." {
      unit = Character(last.lowercased())
      digits = digits.dropLast()
    }
    guard let sectors = Self.sectors(digits, unit: unit) else {
      throw InvalidSize(description: "Invalid argument for --size: \(sizeArgument)")
    }
    if unit == "b", sectors.isRounded {
      throw InvalidSize(
        description: "Size is not a multiple of 512. Try using "
          + "\(sectors.count * 512) or \((sectors.count + 1) * 512).")
    }
    self.init(sign: sign, amount: .sectors(sectors.count))
  }

  /// The argument of `-l`: extents, or a percentage such as `50%FREE`.
  public init(extentsArgument: String) throws(InvalidSize) {
    let (sign, rest) = Self.splitSign(extentsArgument)
    if let percent = rest.firstIndex(of: "%") {
      guard let number = UInt32(rest[..<percent]), number <= 1_000_000,
        let base = Base(rawValue: rest[rest.index(after: percent)...].uppercased())
      else {
        throw InvalidSize(
          description: "Invalid argument for --extents: \(extentsArgument). A percentage is of "
            + "VG, FREE, PVS, LV or ORIGIN.")
      }
      self.init(sign: sign, amount: .percent(number, of: base))
    } else if let number = UInt32(rest) {
      self.init(sign: sign, amount: .extents(UInt64(number)))
    } else {
      throw InvalidSize(description: "Invalid argument for --extents: \(extentsArgument)")
    }
  }

  private static func splitSign(_ text: String) -> (Sign, Substring) {
    switch text.first {
    case "+": (.plus, text.dropFirst())
    case "-": (.minus, text.dropFirst())
    default: (.absolute, text[...])
    }
  }

  /// Sectors of a decimal number with a unit, rounded down; nil for nonsense and overflow.
  private static func sectors(
    _ digits: Substring, unit: Character
  ) -> (count: UInt64, isRounded: Bool)? {
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), digits.contains(where: \.isNumber),
      digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E })
    else { return nil }
    let powers: [Character: Int] = ["k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6]
    let bytesPerUnit: UInt64
    switch unit {
    case "b": bytesPerUnit = 1
    case "s": bytesPerUnit = 512
    case let letter:
      guard let power = powers[letter] else { return nil }
      bytesPerUnit = 1 << UInt64(10 * power)
    }
    guard let whole = parts[0].isEmpty ? 0 : UInt64(parts[0]) else { return nil }
    // Digits beyond the eighteenth cannot change the number of sectors of any size that exists.
    let fraction = parts.count == 2 ? parts[1].prefix(18) : ""
    guard let numerator = fraction.isEmpty ? 0 : UInt64(fraction) else { return nil }
    let denominator = (0..<fraction.count).reduce(UInt64(1)) { product, _ in product * 10 }
    let (bytes, overflow) = whole.multipliedReportingOverflow(by: bytesPerUnit)
    let (high, low) = numerator.multipliedFullWidth(by: bytesPerUnit)
    guard !overflow, high < denominator else { return nil }
    let (more, _) = denominator.dividingFullWidth((high, low))
    let (total, overflow2) = bytes.addingReportingOverflow(more)
    guard !overflow2 else { return nil }
    return (total / 512, total % 512 != 0)
  }

  /// On the wire: sign, number, then `s`, `x` or `%BASE`.
  var wireText: String {
    switch amount {
    case .sectors(let count): "\(sign.rawValue)\(count)s"
    case .extents(let count): "\(sign.rawValue)\(count)x"
    case .percent(let number, let base): "\(sign.rawValue)\(number)%\(base.rawValue)"
    }
  }

  init?(wireText: String) {
    let (sign, rest) = Self.splitSign(wireText)
    if let percent = rest.firstIndex(of: "%") {
      guard let number = UInt32(rest[..<percent]),
        let base = Base(rawValue: String(rest[rest.index(after: percent)...]))
      else { return nil }
      self.init(sign: sign, amount: .percent(number, of: base))
      return
    }
    guard let number = UInt64(rest.dropLast()) else { return nil }
    switch rest.last {
    case "s": self.init(sign: sign, amount: .sectors(number))
    case "x": self.init(sign: sign, amount: .extents(number))
    default: return nil
    }
  }
}
