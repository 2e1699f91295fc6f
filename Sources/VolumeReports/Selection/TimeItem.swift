/// Units of time, finest first.
enum TimeUnit: Int, Comparable {
  case second
  case minute
  case hour
  case day
  case week
  case month
  case year

  static func < (left: TimeUnit, right: TimeUnit) -> Bool { left.rawValue < right.rawValue }
}

/// A word or number of a time in words.
struct TimeItem {
  enum Meaning {
    case word
    case number
    /// How many of the unit that follows.
    case multiplier
    case day
    case year
    case monthName(Int32)
    case weekday(Int32)
    case today
    case yesterday
    case noon
    case midnight
    case unit(TimeUnit, isRelative: Bool)
    case beforeNoon
    case afternoon
    case ago
    /// Read, but of no consequence: times in words are local.
    case zone

    var isMonth: Bool { if case .monthName = self { true } else { false } }

    /// May have a number before it.
    var isUnit: Bool {
      switch self {
      case .unit, .beforeNoon, .afternoon, .zone: true
      default: false
      }
    }

    var isDateLabel: Bool {
      switch self {
      case .today, .yesterday, .weekday: true
      default: false
      }
    }

    var isTimeLabel: Bool {
      switch self {
      case .noon, .midnight: true
      default: false
      }
    }

    var isRelative: Bool {
      switch self {
      case .ago: true
      case .unit(let unit, let isRelative): isRelative || unit >= .day
      default: false
      }
    }

    var isDate: Bool {
      switch self {
      case .day, .year, .monthName, .weekday, .today, .yesterday, .ago: true
      case .unit(let unit, _): unit >= .day
      default: false
      }
    }

    var isTime: Bool {
      switch self {
      case .noon, .midnight, .beforeNoon, .afternoon, .zone: true
      case .unit(let unit, _): unit < .day
      default: false
      }
    }

    var granularity: TimeUnit? {
      switch self {
      case .day, .weekday, .today, .yesterday: .day
      case .year: .year
      case .monthName: .month
      case .noon, .midnight: .second
      case .unit(let unit, _): unit
      case .beforeNoon, .afternoon: .hour
      case .word, .number, .multiplier, .ago, .zone: nil
      }
    }
  }

  var meaning: Meaning
  /// The digits of a number, or the word.
  var text: String

  // MARK: - Splitting

  /// Nil when there is no word in `text`, or something that is neither word nor number.
  static func split(_ text: String) -> [TimeItem]? {
    var rest = Array(text.utf8)[...]
    var items: [TimeItem] = []
    var hasWords = false
    skipSpace(&rest)
    while let byte = rest.first {
      if isLetter(byte) {
        hasWords = true
        let word = rest.prefix { !isSpace($0) }
        items.append(TimeItem(meaning: .word, text: String(decoding: word, as: UTF8.self)))
        rest = rest.dropFirst(word.count)
      } else if isDigit(byte) {
        guard takeNumber(&rest, &items) else { return nil }
      } else if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") {
        rest = rest.dropFirst()
        guard takeClock(&rest, &items, isZone: true) else { return nil }
      } else {
        return nil
      }
      skipSpace(&rest)
    }
    return hasWords ? items : nil
  }

  private static func takeNumber(
    _ rest: inout ArraySlice<UInt8>, _ items: inout [TimeItem]
  ) -> Bool {
    let digits = rest.prefix { isDigit($0) }
    if rest.dropFirst(digits.count).first == UInt8(ascii: ":") {
      return takeClock(&rest, &items, isZone: false)
    }
    items.append(TimeItem(meaning: .number, text: String(decoding: digits, as: UTF8.self)))
    rest = rest.dropFirst(digits.count)
    return true
  }

  /// `HH:MM` or `HH:MM:SS`; zones have no seconds.
  private static func takeClock(
    _ rest: inout ArraySlice<UInt8>, _ items: inout [TimeItem], isZone: Bool
  ) -> Bool {
    let units: [TimeUnit] = isZone ? [.hour, .minute] : [.hour, .minute, .second]
    for (number, unit) in units.enumerated() {
      let digits = rest.prefix { isDigit($0) }
      rest = rest.dropFirst(digits.count)
      items.append(TimeItem(meaning: .multiplier, text: String(decoding: digits, as: UTF8.self)))
      items.append(
        TimeItem(meaning: isZone ? .zone : .unit(unit, isRelative: false), text: ""))
      guard rest.first == UInt8(ascii: ":") else { return number > 0 }
      guard number + 1 < units.count else { return false }
      rest = rest.dropFirst()
    }
    return true
  }

  private static func skipSpace(_ rest: inout ArraySlice<UInt8>) {
    rest = rest.drop { isSpace($0) }
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  // MARK: - Words

  /// Nil for a word that says nothing about time.
  static func meaning(ofWord word: String) -> Meaning? {
    let small = word.lowercased()
    if let meaning = meanings[small] { return meaning }
    guard word.hasSuffix("s"), pluralWords.contains(String(small.dropLast())) else { return nil }
    return meanings[String(small.dropLast())]
  }

  private static let pluralWords: Set<String> = [
    "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "noon",
    "midnight", "second", "sec", "minute", "min", "hour", "hr", "day", "week", "month", "year",
    "yr",
  ]

  private static let meanings: [String: Meaning] = {
    var meanings: [String: Meaning] = [
      "ago": .ago, "today": .today, "yesterday": .yesterday, "noon": .noon,
      "midnight": .midnight, "am": .beforeNoon, "pm": .afternoon,
    ]
    let units: [(TimeUnit, [String])] = [
      (.second, ["second", "sec", "s"]), (.minute, ["minute", "min", "m"]),
      (.hour, ["hour", "hr", "h"]), (.day, ["day"]), (.week, ["week"]), (.month, ["month"]),
      (.year, ["year", "yr"]),
    ]
    for (unit, names) in units {
      for name in names { meanings[name] = .unit(unit, isRelative: unit >= .day) }
    }
    let weekdays = [
      "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
    ]
    for (number, name) in weekdays.enumerated() {
      meanings[name] = .weekday(Int32(number))
      meanings[String(name.prefix(3))] = .weekday(Int32(number))
    }
    let months = [
      "january", "february", "march", "april", "may", "june", "july", "august", "september",
      "october", "november", "december",
    ]
    for (number, name) in months.enumerated() {
      meanings[name] = .monthName(Int32(number))
      meanings[String(name.prefix(3))] = .monthName(Int32(number))
    }
    return meanings
  }()
}
