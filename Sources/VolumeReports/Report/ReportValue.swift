/// What stands in one cell of a report, before it is shown in a style.
enum ReportValue: Equatable {
  case text(String)
  /// A volume that LVM made for itself: shown in brackets, sorted and selected without.
  case hidden(String)
  /// A volume that is gone: shown with a hyphen before its name, sorted and selected without.
  case gone(String)
  /// Shown with commas between, or as an array.
  case list([String])
  /// Shown with spaces between, or as an array.
  case spacedList([String])
  case number(UInt64)
  case signed(Int64)
  /// Something that holds or does not: the word or nothing, or 1 or 0.
  case flag(Bool, String)
  /// Nobody can tell whether it holds.
  case unknownFlag
  case sectors(UInt64)
  /// A number that has no meaning here; shown as nothing.
  case undefined
  /// A size that has no meaning here and counts as 0.
  case noSize
  /// A size or number that stands for something else, sorted and selected by its bits.
  case named(String, bits: UInt64)
  case percent(Percent?)
  /// Seconds since 1970; 0 is shown as nothing.
  case time(UInt64)

  static func optional(_ text: String?) -> ReportValue { .text(text ?? "") }

  static func count(_ number: Int) -> ReportValue { .number(UInt64(clamping: number)) }

  /// The 64 bits by which numbers, sizes (as a double, in sectors), percentages and times are
  /// sorted and selected; nil for texts.
  var bits: UInt64? {
    switch self {
    case .text, .hidden, .gone, .list, .spacedList: nil
    case .number(let number), .time(let number): number
    case .signed(let number): UInt64(bitPattern: number)
    case .flag(let holds, _): holds ? 1 : 0
    case .unknownFlag, .undefined: .max
    case .sectors(let sectors): Double(sectors).bitPattern
    case .noSize: 0
    case .named(_, let bits): bits
    case .percent(let percent): percent.map { UInt64(bitPattern: Int64($0.millionths)) } ?? .max
    }
  }

  /// The text by which texts and lists are sorted and selected.
  var sortText: String {
    switch self {
    case .text(let text), .hidden(let text), .gone(let text): text
    case .list(let items): items.joined(separator: ",")
    case .spacedList(let items): items.joined(separator: " ")
    default: ""
    }
  }

  var items: [String] {
    switch self {
    case .list(let items), .spacedList(let items): items
    default: []
    }
  }
}
