import Glibc

/// A date, or a date with a time of day, as ISO 8601 writes them, possibly cut off on the right:
/// `2024`, `2024-01-31`, `20240131 1200`, `2024-01-31 12:00:00 +0100`. It stands for all seconds that
/// are written so.
struct WrittenTime {
  private var digits: Substring.UTF8View
  private var parts = tm()
  private var unit = Unit.year

  private enum Unit {
    case year
    case month
    case day
    case hour
    case minute
    case second
  }

  /// Seconds since 1970; nil when the text is no such time.
  static func parse(_ text: String) -> ClosedRange<Int64>? {
    var time = WrittenTime(digits: Substring(text).utf8)
    time.parts.tm_isdst = -1
    guard time.takeDate(), time.takeTimeOfDay() else { return nil }
    let hasZone = !time.digits.isEmpty
    guard let offset = time.takeZone(), time.digits.isEmpty else { return nil }
    return time.range(zoneOffset: hasZone ? offset : nil)
  }

  private init(digits: Substring.UTF8View) { self.digits = digits }

  private mutating func skipSpace() { digits = digits.drop { $0 == 0x20 || $0 == 0x09 } }

  /// The digits that come next.
  private mutating func takeDigits() -> [Int32] {
    let run = digits.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    digits = digits.dropFirst(run.count)
    return run.map { Int32($0 - UInt8(ascii: "0")) }
  }

  /// Groups of digits with `separator` between, or one group cut by `widths`. Nil when the digits
  /// do not fit.
  private mutating func takeGroups(separator: UInt8, widths: [Int]) -> [Int32]? {
    func number(_ digits: some Sequence<Int32>) -> Int32 { digits.reduce(0) { $0 * 10 + $1 } }
    let first = takeDigits()
    guard !first.isEmpty, first.count <= 8 else { return nil }
    guard digits.first == separator else {
      var rest = first[...]
      var groups: [Int32] = []
      for width in widths where !rest.isEmpty {
        guard rest.count >= width else { return nil }
        groups.append(number(rest.prefix(width)))
        rest = rest.dropFirst(width)
      }
      return rest.isEmpty ? groups : nil
    }
    guard first.count <= widths[0] else { return nil }
    var groups = [number(first)]
    while groups.count < widths.count, digits.first == separator {
      digits = digits.dropFirst()
      let next = takeDigits()
      guard !next.isEmpty, next.count <= 2 else { return nil }
      groups.append(number(next))
    }
    return groups
  }

  private mutating func takeDate() -> Bool {
    guard let groups = takeGroups(separator: UInt8(ascii: "-"), widths: [4, 2, 2]) else {
      return false
    }
    let month = groups.count > 1 ? groups[1] : 1
    let day = groups.count > 2 ? groups[2] : 1
    guard (1...12).contains(month), day >= 1, day <= Calendar.days(inMonth: month, of: groups[0])
    else { return false }
    parts.tm_year = groups[0] - 1900
    parts.tm_mon = month - 1
    parts.tm_mday = day
    unit = [.year, .month, .day][groups.count - 1]
    skipSpace()
    return true
  }

  private mutating func takeTimeOfDay() -> Bool {
    guard let first = digits.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
      return true
    }
    guard unit == .day,
      let groups = takeGroups(separator: UInt8(ascii: ":"), widths: [2, 2, 2]),
      groups[0] <= 23, groups.dropFirst().allSatisfy({ $0 <= 60 })
    else { return false }
    parts.tm_hour = groups[0]
    parts.tm_min = groups.count > 1 ? groups[1] : 0
    parts.tm_sec = groups.count > 2 ? groups[2] : 0
    unit = [.hour, .minute, .second][groups.count - 1]
    skipSpace()
    return true
  }

  /// Seconds east of Greenwich.
  private mutating func takeZone() -> Int64? {
    guard let sign = digits.first else { return 0 }
    let isWest = sign == UInt8(ascii: "-")
    if isWest || sign == UInt8(ascii: "+") { digits = digits.dropFirst() }
    guard let groups = takeGroups(separator: UInt8(ascii: ":"), widths: [2, 2]), groups[0] <= 14
    else { return nil }
    let minutes = groups.count > 1 ? groups[1] : 0
    guard minutes <= 60 else { return nil }
    skipSpace()
    let seconds = Int64(groups[0]) * 3600 + Int64(minutes) * 60
    return isWest ? -seconds : seconds
  }

  private func range(zoneOffset: Int64?) -> ClosedRange<Int64>? {
    var begin = parts
    var end = parts
    switch unit {
    case .year: end.tm_year += 1
    case .month: end.tm_mon += 1
    case .day: end.tm_mday += 1
    case .hour: end.tm_hour += 1
    case .minute: end.tm_min += 1
    case .second: end.tm_sec += 1
    }
    if let zoneOffset {
      let first = Int64(timegm(&begin)) - zoneOffset
      let last = Int64(timegm(&end)) - zoneOffset - 1
      return first <= last ? first...last : nil
    }
    let first = Int64(mktime(&begin))
    let last = Int64(mktime(&end)) - 1
    return first <= last ? first...last : nil
  }
}

enum Calendar {
  /// - Parameter month: 1 to 12.
  static func days(inMonth month: Int32, of year: Int32) -> Int32 {
    switch month {
    case 4, 6, 9, 11: return 30
    case 2:
      let isLeap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0
      return isLeap ? 29 : 28
    default: return 31
    }
  }
}
