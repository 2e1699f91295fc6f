import LVMMetadata

/// An option of a command, as LVM spells it.
public struct CommandOption: Sendable, Equatable {
  /// Without the dashes.
  public var name: String
  public var letter: Character?
  public var takesValue: Bool
  /// One line for the help.
  public var help: String

  public init(name: String, letter: Character?, takesValue: Bool, help: String) {
    self.name = name
    self.letter = letter
    self.takesValue = takesValue
    self.help = help
  }

  /// True for options that LVM lets stand more than once.
  var mayRepeat: Bool { Self.repeatable.contains(name) }

  private static let repeatable: Set<String> = [
    "addtag", "cachesettings", "configreport", "debug", "deltag", "devices", "force", "help",
    "major", "minor", "options", "quiet", "rebuild", "replace", "select", "settings", "sort",
    "vdosettings", "verbose", "writemostly", "yes",
  ]

  public static func flag(
    _ name: String, _ letter: Character? = nil, _ help: String
  ) -> CommandOption {
    CommandOption(name: name, letter: letter, takesValue: false, help: help)
  }

  public static func value(
    _ name: String, _ letter: Character? = nil, _ help: String
  ) -> CommandOption {
    CommandOption(name: name, letter: letter, takesValue: true, help: help)
  }

  /// What every command takes. Those that only steer how LVM itself works have no effect here.
  public static let commonOptions: [CommandOption] = [
    .value("devices", nil, "Only use these devices, separated by commas; NAME=FILE."),
    .flag("yes", "y", "Do not ask."),
    .flag("test", "t", "Decide everything, change nothing."),
    .value("devicesfile", nil, "The devices file; empty for none."),
    .value("config", nil, "Settings of lvm.conf for this command."),
    .value("commandprofile", nil, "A profile with settings for this command."),
    .value("profile", nil, "The same."),
    .value("autobackup", "A", "y or n: write a backup of the metadata afterwards."),
    .flag("quiet", "q", "No effect."), .flag("verbose", "v", "No effect."),
    .flag("debug", "d", "No effect."), .flag("noudevsync", nil, "No effect."),
    .flag("nolocking", nil, "Lock nothing: no other command may be at work."),
    .flag("nohints", nil, "No effect."), .flag("help", "h", "Show the options."),
    .value("socket", nil, "The daemon's admin socket."),
  ]
}

/// A wrong command line: nothing has been looked at. LVM's exit status is 3.
public struct CommandLineError: Error, Sendable, Equatable, CustomStringConvertible {
  public var messages: [String]

  public init(_ messages: String...) { self.messages = messages }

  init(_ messages: [String]) { self.messages = messages }

  public var description: String { messages.joined(separator: " ") }

  /// An option that cannot have the value.
  public static func invalidArgument(_ option: String, _ value: String) -> CommandLineError {
    invalidArgument(option, value, nil)
  }

  static func invalidArgument(
    _ option: String, _ value: String, because reason: InvalidSize
  ) -> CommandLineError {
    invalidArgument(option, value, reason.message)
  }

  /// - Parameter reason: what LVM says before that, if anything.
  static func invalidArgument(
    _ option: String, _ value: String, _ reason: String?
  ) -> CommandLineError {
    CommandLineError(
      [
        reason, "Invalid argument for --\(option): \(value)",
        "Error during parsing of command line.",
      ].compactMap { $0 })
  }
}

/// The words of a command line, sorted into options and arguments.
public struct CommandArguments: Sendable, Equatable {
  /// An option as it was given.
  public struct GivenOption: Sendable, Equatable {
    public let name: String
    /// Empty for a flag.
    public let value: String
  }

  public private(set) var positional: [String] = []
  /// All options in the order given.
  public private(set) var inOrder: [GivenOption] = []
  /// The command's name, for messages.
  private let command: String
  /// By the option's name, in the order given; flags have an empty string for each time.
  private var values: [String: [String]] = [:]

  /// Parses by getopt's rules: options anywhere, letters joined, long names cut short, `--` ends
  /// them.
  ///
  /// - Parameters:
  ///   - words: without the command's name.
  ///   - command: for messages.
  public init(
    _ words: [String], options: [CommandOption], command: String
  ) throws(CommandLineError) {
    self.command = command
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        positional += rest
        break
      }
      if word.hasPrefix("--") {
        try readLong(word.dropFirst(2), &rest, options, command)
      } else if word.hasPrefix("-"), word.utf8.count > 1 {
        try readLetters(word.dropFirst(), &rest, options, command)
      } else {
        positional.append(word)
      }
    }
    for option in options where allValues(option.name).count > 1 && !option.mayRepeat {
      let letter = option.letter.map { "-\($0)/" } ?? ""
      throw CommandLineError(
        "Option \(letter)--\(option.name) may not be repeated.",
        "Error during parsing of command line.")
    }
  }

  private mutating func readLong(
    _ text: Substring, _ rest: inout ArraySlice<String>, _ options: [CommandOption],
    _ command: String
  ) throws(CommandLineError) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = parts[0]
    let matches = options.filter { $0.name.hasPrefix(name) }
    guard let option = matches.first(where: { $0.name == name }) ?? matches.first, !name.isEmpty
    else {
      throw CommandLineError(
        "\(command): unrecognized option '--\(name)'", "Error during parsing of command line.")
    }
    guard option.name == name || matches.count == 1 else {
      // LVM's table has the options without a letter first.
      let sorted = matches.filter { $0.letter == nil } + matches.filter { $0.letter != nil }
      let names = sorted.map { " '--\($0.name)'" }.joined()
      throw CommandLineError(
        "\(command): option '--\(name)' is ambiguous; possibilities:\(names)",
        "Error during parsing of command line.")
    }
    guard option.takesValue else {
      guard parts.count == 1 else {
        throw CommandLineError(
          "\(command): option '--\(option.name)' doesn't allow an argument",
          "Error during parsing of command line.")
      }
      return add(option, "")
    }
    guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
      throw CommandLineError(
        "\(command): option '--\(option.name)' requires an argument",
        "Error during parsing of command line.")
    }
    add(option, value)
  }

  private mutating func add(_ option: CommandOption, _ value: String) {
    values[option.name, default: []].append(value)
    inOrder.append(GivenOption(name: option.name, value: value))
  }

  private mutating func readLetters(
    _ text: Substring, _ rest: inout ArraySlice<String>, _ options: [CommandOption],
    _ command: String
  ) throws(CommandLineError) {
    var letters = text
    while let letter = letters.popFirst() {
      guard let option = options.first(where: { $0.letter == letter }) else {
        throw CommandLineError(
          "\(command): invalid option -- '\(letter)'", "Error during parsing of command line.")
      }
      guard option.takesValue else {
        add(option, "")
        continue
      }
      guard let value = letters.isEmpty ? rest.popFirst() : String(letters) else {
        throw CommandLineError(
          "\(command): option requires an argument -- '\(letter)'",
          "Error during parsing of command line.")
      }
      return add(option, value)
    }
  }

  public func has(_ name: String) -> Bool { values[name] != nil }

  /// The last value given.
  public func value(_ name: String) -> String? { values[name]?.last }

  public func allValues(_ name: String) -> [String] { values[name] ?? [] }
}

/// What the values of options mean.
extension CommandArguments {
  /// `y` or `n`, in LVM's spellings.
  public func bool(_ name: String) throws(CommandLineError) -> Bool? {
    guard let text = value(name) else { return nil }
    switch text {
    case "y", "yes", "1", "e", "enable", "on", "t", "true": return true
    case "n", "no", "0", "d", "disable", "off", "f", "false": return false
    default: throw .invalidArgument(name, text)
    }
  }

  public func number(_ name: String, in range: ClosedRange<Int>) throws(CommandLineError) -> Int? {
    guard let text = value(name) else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw .invalidArgument(name, text)
    }
    return number
  }

  /// A size in sectors; `unit` is meant when none is given.
  public func size(_ name: String, unit: Unicode.Scalar) throws(CommandLineError) -> UInt64? {
    guard let text = value(name) else { return nil }
    let size = try Self.sizeArgument(name, text, unit: unit)
    guard size.sign == .absolute, case .sectors(let sectors) = size.amount else {
      throw .invalidArgument(name, text)
    }
    return sectors
  }

  static func sizeArgument(
    _ name: String, _ text: String, unit: Unicode.Scalar = "m"
  ) throws(CommandLineError) -> SizeArgument {
    do throws(InvalidSize) {
      return try SizeArgument(size: text, defaultUnit: unit)
    } catch {
      throw .invalidArgument(name, text, because: error)
    }
  }

  /// `-i` and `-I`, the latter in KiB if no unit is given.
  func stripes(_ command: String) throws(CommandLineError) -> (count: Int?, sectors: UInt64?) {
    let count = try number("stripes", in: 0...Int(Int32.max))
    if let count, !(1...128).contains(count) {
      throw .usage(command, "Number of stripes (\(count)) must be between 1 and 128.")
    }
    let sectors = try size("stripesize", unit: "k")
    guard sectors != 0 else { throw .usage(command, "--stripesize may not be zero.") }
    if let sectors, sectors < 8 || sectors.nonzeroBitCount != 1 {
      throw .usage(command, "Invalid stripe size \(DisplayUnit.message(sectors: sectors)).")
    }
    return (count, sectors)
  }

  public func allocationPolicy() throws(CommandLineError) -> AllocationChoice? {
    let contiguous = try bool("contiguous")
    guard let text = value("alloc") else {
      return contiguous.map { $0 ? .policy(.contiguous) : .inherit }
    }
    guard contiguous != true || text == "contiguous" else {
      throw CommandLineError(
        "Conflicting contiguous and alloc arguments.",
        "Run `\(command) --help' for more information.")
    }
    if text == "inherit" { return .inherit }
    guard let policy = AllocationPolicy(rawValue: text) else {
      throw .invalidArgument("alloc", text, "Unrecognised allocation policy \(text)")
    }
    // LVM has one policy with two names.
    return .policy(policy == .clingByTags ? .cling : policy)
  }
}

/// The value of `--alloc`.
public enum AllocationChoice: Sendable, Equatable {
  case policy(AllocationPolicy)
  /// The volume group's.
  case inherit

  var policy: AllocationPolicy? {
    switch self {
    case .policy(let policy): policy
    case .inherit: nil
    }
  }
}
