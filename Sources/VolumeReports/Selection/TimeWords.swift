import Glibc

/// Times in words: "yesterday", "2 hours ago", "Monday noon", "24 Feb 2015 10:00".
///
/// The rules, and what exactly the words stand for, are those of lvmreport(7).
struct TimeWords {
  private var items: [TimeItem]
  private var granularity = Granularity()

  /// The finest and coarsest units that were named.
  private struct Granularity {
    var finestDate: TimeUnit?
    var coarsestDate: TimeUnit?
    var finestTime: TimeUnit?
    var finestRelative: TimeUnit?
  }

  /// The seconds since 1970 that the words stand for.
  ///
  /// - Parameter now: seconds since 1970.
  /// - Returns: nil when there are no words in `text`.
  /// - Throws: what is wrong with the words.
  static func parse(_ text: String, now: Int64) throws(ReportError) -> ClosedRange<Int64>? {
    guard let items = TimeItem.split(text) else { return nil }
    var words = TimeWords(items: items)
    try words.recognize()
    try words.check()
    return words.translate(now: now)
  }

  private init(items: [TimeItem]) { self.items = items }

  // MARK: - Recognizing

  private mutating func recognize() throws(ReportError) {
    for index in items.indices {
      if case .word = items[index].meaning {
        guard let meaning = TimeItem.meaning(ofWord: items[index].text) else {
          throw ReportError(
            "Unrecognized string in date/time specification at \"\(items[index].text)\".")
        }
        items[index].meaning = meaning
        if meaning.isUnit, index > 0, case .number = items[index - 1].meaning {
          items[index - 1].meaning = .multiplier
        }
      }
      if case .ago = items[index].meaning { makeRelative(before: index) }
    }
    for index in items.indices {
      if case .number = items[index].meaning { recognizeNumber(index) }
      note(items[index].meaning)
    }
  }

  private mutating func makeRelative(before end: Int) {
    for index in (0..<end).reversed() {
      switch items[index].meaning {
      case .ago: return
      case .unit(let unit, isRelative: false): items[index].meaning = .unit(unit, isRelative: true)
      default: break
      }
    }
  }

  /// A number beside the name of a month is a day or a year.
  private mutating func recognizeNumber(_ index: Int) {
    let length = items[index].text.utf8.count
    let isBefore = items.indices.contains(index + 1) && items[index + 1].meaning.isMonth
    let isBehind = index > 0 && items[index - 1].meaning.isMonth
    if isBefore, items.indices.contains(index + 2), case .number = items[index + 2].meaning {
      let isDay = length < items[index + 2].text.utf8.count
      items[index].meaning = isDay ? .day : .year
      items[index + 2].meaning = isDay ? .year : .day
    } else if isBefore || isBehind {
      items[index].meaning = length <= 2 ? .day : .year
    } else {
      items[index].meaning = .year
    }
  }

  private mutating func note(_ meaning: TimeItem.Meaning) {
    guard let unit = meaning.granularity else { return }
    if meaning.isDate, !meaning.isRelative {
      granularity.coarsestDate = max(granularity.coarsestDate ?? unit, unit)
      granularity.finestDate = min(granularity.finestDate ?? unit, unit)
    } else if meaning.isRelative {
      granularity.finestRelative = min(granularity.finestRelative ?? unit, unit)
    } else {
      granularity.finestTime = min(granularity.finestTime ?? unit, unit)
    }
  }

  private func check() throws(ReportError) {
    var dateIsRelative: Bool?
    var timeIsRelative: Bool?
    var hasDateLabel = false
    var hasTimeLabel = false
    for item in items {
      let meaning = item.meaning
      if meaning.isDate {
        if let first = dateIsRelative, first != meaning.isRelative,
          let coarsest = granularity.coarsestDate, let finest = granularity.finestRelative,
          coarsest >= finest
        {
          throw ReportError(
            "Mixed absolute and relative date specification found at \"\(item.text)\".")
        }
        dateIsRelative = dateIsRelative ?? meaning.isRelative
        guard !hasDateLabel else {
          throw ReportError("Ambiguous date specification found at \"\(item.text)\".")
        }
        hasDateLabel = meaning.isDateLabel
      } else if meaning.isTime {
        if let first = timeIsRelative, first != meaning.isRelative {
          throw ReportError(
            "Mixed absolute and relative time specification found at \"\(item.text)\".")
        }
        timeIsRelative = timeIsRelative ?? meaning.isRelative
        guard !hasTimeLabel else {
          throw ReportError("Ambiguous time specification found at \"\(item.text)\".")
        }
        hasTimeLabel = meaning.isTimeLabel
      }
    }
  }

  // MARK: - Translating

  private func translate(now: Int64) -> ClosedRange<Int64>? {
    var moment = time_t(now)
    var today = tm()
    localtime_r(&moment, &today)
    var time = PointInTime(today)
    var previous: TimeItem.Meaning?
    for item in items {
      time.apply(item, after: previous)
      previous = item.meaning
    }
    adjust(&time.parts)
    return span(time)
  }

  /// What is finer than what was named counts as its beginning.
  private func adjust(_ parts: inout tm) {
    switch granularity.finestDate {
    case .year:
      parts.tm_mon = 0
      parts.tm_mday = 1
    case .month: parts.tm_mday = 1
    default: break
    }
    func clearTime() {
      parts.tm_hour = 0
      parts.tm_min = 0
      parts.tm_sec = 0
    }
    switch granularity.finestTime {
    case .hour:
      parts.tm_min = 0
      parts.tm_sec = 0
    case .minute: parts.tm_sec = 0
    case nil:
      if let finest = granularity.finestRelative, finest < .day { break }
      clearTime()
    default: break
    }
  }

  private func span(_ time: PointInTime) -> ClosedRange<Int64>? {
    var parts = time.parts
    var first = Int64(mktime(&parts)) - time.secondsBack
    var last = first
    if let finest = granularity.finestTime {
      if finest == .minute { last += 59 }
      if finest == .hour { last += 3599 }
    } else if let finest = granularity.finestRelative {
      switch finest {
      case .minute: first -= 61
      case .hour: first -= 3601
      case .second: break
      default: last += 86_399
      }
    } else if granularity.finestDate == .month {
      let days = Calendar.days(inMonth: parts.tm_mon + 1, of: parts.tm_year + 1900)
      last += Int64(days) * 86_400 - 1
    } else if granularity.finestDate != nil {
      last += 86_399
    }
    first -= Self.summerTime(at: first)
    last -= Self.summerTime(at: last)
    return first <= last ? first...last : nil
  }

  /// Times are counted in winter time first.
  private static func summerTime(at seconds: Int64) -> Int64 {
    var moment = time_t(seconds)
    var parts = tm()
    localtime_r(&moment, &parts)
    return parts.tm_isdst > 0 ? 3600 : 0
  }
}

/// A point in time that is put together from words.
private struct PointInTime {
  var parts: tm
  /// How far before `parts` the point is.
  var secondsBack: Int64 = 0
  private let today: tm
  private var multiplier: Int32 = 1

  init(_ today: tm) {
    self.today = today
    parts = today
    parts.tm_isdst = 0
  }

  mutating func apply(_ item: TimeItem, after previous: TimeItem.Meaning?) {
    // Nobody means more than this; mktime normalizes what is left.
    let number = min(Int32(item.text) ?? 0, 1_000_000)
    switch item.meaning {
    case .multiplier: multiplier = number
    case .day: parts.tm_mday = number
    case .year: parts.tm_year = number - 1900
    case .monthName(let month): parts.tm_mon = month
    case .weekday(let day):
      let days = today.tm_wday < day ? 7 - day + today.tm_wday : today.tm_wday - day
      secondsBack += Int64(days) * 86_400
    case .yesterday: secondsBack += 86_400
    case .noon: setTime(hour: 12)
    case .midnight: setTime(hour: 0)
    case .unit(let unit, let isRelative): apply(unit, isRelative: isRelative)
    case .beforeNoon:
      if case .multiplier? = previous { parts.tm_hour = multiplier }
    case .afternoon:
      if case .multiplier? = previous {
        parts.tm_hour = multiplier + 12
      } else if previous?.isUnit == true {
        secondsBack -= 12 * 3600
      }
    case .word, .number, .ago, .today, .zone: break
    }
  }

  private mutating func setTime(hour: Int32) {
    parts.tm_hour = hour
    parts.tm_min = 0
    parts.tm_sec = 0
  }

  private mutating func apply(_ unit: TimeUnit, isRelative: Bool) {
    let count = Int64(multiplier)
    switch unit {
    case .second where !isRelative: parts.tm_sec = multiplier
    case .minute where !isRelative: parts.tm_min = multiplier
    case .hour where !isRelative: parts.tm_hour = multiplier
    case .second: secondsBack += count
    case .minute: secondsBack += count * 60
    case .hour: secondsBack += count * 3600
    case .day: secondsBack += count * 86_400
    case .week: secondsBack += count * 7 * 86_400
    case .month: parts.tm_mon -= multiplier
    case .year: parts.tm_year -= multiplier
    }
  }
}
