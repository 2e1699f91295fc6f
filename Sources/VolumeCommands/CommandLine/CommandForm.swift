/// One form of a command line: what it must have, and which options it may have besides.
///
/// LVM finds the form that a command line has by what that must have, and refuses by name what the
/// form does not take (lvm(8), and the SYNTAX of each command's page).
struct CommandForm: Sendable {
  /// An option, or one with a certain value only.
  struct Option: Sendable {
    let name: String
    let literal: String?

    /// - Parameter text: `zero`, or `mirrors=0`.
    init(_ text: Substring) {
      let parts = text.split(separator: "=", maxSplits: 1)
      name = String(parts[0])
      literal = parts.count == 2 ? String(parts[1]) : nil
    }

    /// Whether an option given has the value, where one is asked for.
    func fits(_ value: String) -> Bool {
      guard let literal, literal != value else { return true }
      if let number = Int(literal) { return number == Int(value) }
      // All types of RAID have the same forms.
      return literal == "raid" && value.hasPrefix("raid")
    }
  }

  /// Arguments that are no options.
  struct Operands: Sendable {
    var names: [Substring]
    /// The last one may stand more than once.
    var isRepeated: Bool

    init(_ words: [Substring]) {
      names = words.filter { $0 != "..." }
      isRepeated = words.last == "..."
    }
  }

  let required: [Option]
  let operands: Operands
  /// One of these is required; all are allowed.
  let alternatives: [Option]
  private let optional: [Option]
  private let ignored: [Option]
  let optionalOperands: Operands
  /// The types that the form stands for: with another `--type`, the command line has another form.
  let types: [String]
  /// Options on the left do not go together with those on the right.
  let exclusions: [(options: [Substring], others: [Substring])]

  /// - Parameters:
  ///   - words: required options, with their values where only those will do, and arguments.
  ///   - anyOf: of these one must be given.
  ///   - with: options that may be given.
  ///   - then: arguments that may be given.
  ///   - ignoring: options that may be given and mean nothing.
  init(
    _ words: String, anyOf: String = "", with optional: String = "", then: String = "",
    ignoring: String = "", types: [String] = [], excluding: [(String, String)] = []
  ) {
    var required: [Option] = []
    var operands: [Substring] = []
    for word in words.split(separator: " ") {
      if word.hasPrefix("--") {
        required.append(Option(word.dropFirst(2)))
      } else {
        operands.append(word)
      }
    }
    self.required = required
    self.operands = Operands(operands)
    alternatives = anyOf.split(separator: " ").map(Option.init)
    self.optional = optional.split(separator: " ").map(Option.init)
    ignored = ignoring.split(separator: " ").map(Option.init)
    optionalOperands = Operands(then.split(separator: " "))
    self.types = types
    exclusions = excluding.map { ($0.split(separator: " "), $1.split(separator: " ")) }
  }

  /// The names of all options that the form takes.
  var optionNames: [String] {
    (required + alternatives + optional + ignored).map(\.name)
  }

  func accepts(_ name: String, value: String) -> Bool {
    (required + alternatives).contains { $0.name == name }
      || (optional + ignored).contains { $0.name == name && $0.fits(value) }
  }

  /// Whether a command line with that `--type` may have the form.
  func mayHave(type: String) -> Bool {
    guard types.allSatisfy({ $0 == type }),
      let option = (required + alternatives + optional).first(where: { $0.name == "type" })
    else { return false }
    return option.fits(type)
  }

  /// The types of LVs that the form takes, as LVM calls them; empty for all.
  var volumeTypes: [Substring] {
    guard operands.names.count == 1 else { return [] }
    return operands.names.flatMap { $0.split(separator: "|") }
      .first { $0.hasPrefix("LV_") && $0 != "LV_new" }?.split(separator: "_").dropFirst().map { $0 }
      ?? []
  }

  /// LVM's usage does not tell the types.
  private static func withoutTypes(_ operand: Substring) -> String {
    operand.split(separator: "|").map { kind in
      kind.hasPrefix("LV_") && kind != "LV_new" ? "LV" : String(kind)
    }.joined(separator: "|")
  }

  /// `lvcreate --type linear -L|--size Size[m|UNIT] VG`, without what may be left out.
  func usage(_ command: String) -> String {
    var words = [command]
    for option in required {
      let specification = OptionSpecification.named(option.name)?.of(command)
      if let literal = option.literal {
        words.append("\(specification?.usageName ?? "--\(option.name)") \(literal)")
      } else {
        words.append(specification?.usage(command) ?? "--\(option.name)")
      }
    }
    words += operands.names.map(Self.withoutTypes)
    if operands.isRepeated { words.append("...") }
    return words.joined(separator: " ")
  }
}
