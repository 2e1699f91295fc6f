/// The comments in which LVM repeats numbers for human readers.
enum TextHint {
  /// "4 Megabytes": at most 1024 of a unit, six significant digits.
  static func size(sectors: UInt64) -> String {
    let units = ["Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Petabytes", "Exabytes"]
    var sectorsPerUnit: UInt128 = 2
    var unit = 0
    while UInt128(sectors) > 1024 * sectorsPerUnit, unit < units.count - 1 {
      sectorsPerUnit *= 1024
      unit += 1
    }
    return "\(sixDigits(UInt128(sectors), per: sectorsPerUnit)) \(units[unit])"
  }

  /// C's `%g` of `amount / unit`, for quotients up to a million. Whole numbers throughout: the
  /// rounding of floating point would need the C library's mathematics.
  private static func sixDigits(_ amount: UInt128, per unit: UInt128) -> String {
    var scale: UInt128 = 100_000
    var bound: UInt128 = 10
    while scale > 1, amount >= bound * unit {
      bound *= 10
      scale /= 10
    }
    var (scaled, rest) = (amount * scale).quotientAndRemainder(dividingBy: unit)
    if 2 * rest > unit || (2 * rest == unit && scaled % 2 == 1) { scaled += 1 }
    let whole = scaled / scale
    rest = scaled % scale
    guard rest > 0 else { return "\(whole)" }
    // The leading 1 keeps the zeros behind the point.
    var digits = "\(scale + rest)".dropFirst()
    while digits.last == "0" { digits.removeLast() }
    return "\(whole).\(digits)"
  }

  /// "2026-11-22 20:26:20 +0000"
  ///
  /// - Parameter offset: seconds by which the local time is ahead of UTC.
  static func timestamp(_ seconds: UInt64, offset: Int) -> String {
    let time = CalendarTime(secondsSince1970: seconds, offset: offset)
    let minutes = offset.magnitude / 60
    let zone = (offset < 0 ? "-" : "+") + two(Int(minutes / 60)) + two(Int(minutes % 60))
    return "\(time.year)-\(two(time.month))-\(two(time.day)) \(clock(time)) \(zone)"
  }

  /// "Sun Nov 22 20:26:20 2026", as C's `ctime`, without its newline.
  static func ctime(_ seconds: UInt64, offset: Int) -> String {
    let time = CalendarTime(secondsSince1970: seconds, offset: offset)
    let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    let day = time.day < 10 ? " \(time.day)" : "\(time.day)"
    return "\(weekdays[time.weekday]) \(months[time.month - 1]) \(day) \(clock(time)) \(time.year)"
  }

  private static func clock(_ time: CalendarTime) -> String {
    "\(two(time.hour)):\(two(time.minute)):\(two(time.second))"
  }

  private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

/// A moment in local time by the Gregorian calendar.
struct CalendarTime: Equatable {
  var year: Int
  /// 1 to 12.
  var month: Int
  /// 1 to 31.
  var day: Int
  var hour: Int
  var minute: Int
  var second: Int
  /// 0 is Sunday.
  var weekday: Int

  /// - Parameter offset: seconds by which the local time is ahead of UTC.
  init(secondsSince1970 seconds: UInt64, offset: Int) {
    // Years of more than seven digits help nobody; the bound keeps the arithmetic small.
    let seconds = max(0, Int(min(seconds, 1 << 48)) + min(max(offset, -86_400), 86_400))
    let days = seconds / 86_400
    let ofDay = seconds % 86_400
    hour = ofDay / 3600
    minute = ofDay / 60 % 60
    second = ofDay % 60
    weekday = (days + 4) % 7
    // Eras of 400 years that begin on 1 March of the year 0: leap days come last in a year.
    let sinceEraZero = days + 719_468
    let era = sinceEraZero / 146_097
    let dayOfEra = sinceEraZero % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }
}
