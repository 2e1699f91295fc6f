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
  /// The command's name.
  public let command: String
  /// By the option's name, in the order given; flags have an empty string for each time.
  private var values: [String: [String]] = [:]
  /// How options were called first; some have older names.
  private var givenNames: [String: String] = [:]
  /// Options of the command that clvm does not carry out.
  private let refused: Set<String>

  /// What getopt knows of an option.
  private struct KnownOption {
    let name: String
    let letter: Character?
    let value: OptionValue
    let repeats: Bool
    /// Not LVM's: its name is never cut short.
    let isOwn: Bool
  }

  /// Parses by getopt's rules: options anywhere, letters joined, long names cut short, `--` ends
  /// them. Values that an option cannot have are refused on the way, as LVM does it.
  ///
  /// LVM's options that are not among `options` are recognised, too: `check()` refuses them by name.
  ///
  /// - Parameters:
  ///   - words: without the command's name.
  ///   - command: for messages.
  public init(
    _ words: [String], options: [CommandOption], command: String
  ) throws(CommandLineError) {
    self.command = command
    let syntax = CommandSyntax(command)
    let names = Set(options.map(\.name))
    var known: [KnownOption] = (syntax?.options ?? []).map {
      KnownOption(
        name: $0.name, letter: $0.letter, value: $0.value, repeats: $0.repeats, isOwn: false)
    }
    let standard = Set(known.map(\.name))
    refused = standard.subtracting(names).subtracting(CommandSyntax.optionsWithoutEffect)
      .subtracting(CommandSyntax.commonOptions)
    // An option that LVM has, but not for this command, is not recognised.
    for option in options
    where !standard.contains(option.name)
      && (syntax == nil || OptionSpecification.named(option.name) == nil)
    {
      known.append(
        KnownOption(
          name: option.name, letter: option.letter,
          value: option.takesValue ? .text("VALUE") : .flag, repeats: syntax == nil,
          isOwn: syntax != nil))
    }
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        positional += rest
        break
      }
      if word.hasPrefix("--") {
        try readLong(word.dropFirst(2), &rest, known)
      } else if word.hasPrefix("-"), word.utf8.count > 1 {
        try readLetters(word.dropFirst(), &rest, known)
      } else {
        positional.append(word)
      }
    }
  }

  /// Throws unless the command line has a form that LVM knows, and clvm carries all of it out.
  public func check() throws(CommandLineError) {
    guard let syntax = CommandSyntax(command), !has("help"), !has("longhelp"), !has("version")
    else { return }
    try syntax.check(self)
    for name in optionNames where refused.contains(name) {
      throw CommandLineError("clvm \(command) does not do --\(name): use LVM's own \(command).")
    }
  }

  private mutating func readLong(
    _ text: Substring, _ rest: inout ArraySlice<String>, _ options: [KnownOption]
  ) throws(CommandLineError) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = parts[0]
    let matches = options.filter { $0.name == name || !$0.isOwn && $0.name.hasPrefix(name) }
    guard let option = matches.first(where: { $0.name == name }) ?? matches.first, !name.isEmpty
    else { throw .parsing("\(command): unrecognized option '--\(text)'") }
    guard option.name == name || matches.count == 1 else {
      let names = matches.map { " '--\($0.name)'" }.joined()
      throw .parsing("\(command): option '--\(name)' is ambiguous; possibilities:\(names)")
    }
    guard !option.value.isFlag else {
      guard parts.count == 1 else {
        throw .parsing("\(command): option '--\(option.name)' doesn't allow an argument")
      }
      return try add(option, "")
    }
    guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
      throw .parsing("\(command): option '--\(option.name)' requires an argument")
    }
    try add(option, value)
  }

  private mutating func readLetters(
    _ text: Substring, _ rest: inout ArraySlice<String>, _ options: [KnownOption]
  ) throws(CommandLineError) {
    var letters = text
    while let letter = letters.popFirst() {
      guard let option = options.first(where: { $0.letter == letter }) else {
        throw .parsing("\(command): invalid option -- '\(letter)'")
      }
      guard !option.value.isFlag else {
        try add(option, "")
        continue
      }
      guard let value = letters.isEmpty ? rest.popFirst() : String(letters) else {
        throw .parsing("\(command): option requires an argument -- '\(letter)'")
      }
      return try add(option, value)
    }
  }

  private mutating func add(_ option: KnownOption, _ value: String) throws(CommandLineError) {
    let name = OptionSpecification.standardName(option.name, command: command)
    if let before = givenNames[name], before != option.name {
      throw .usage(
        command,
        "--\(name == before ? option.name : before) and --\(name) are synonyms.  "
          + "Please only supply one.")
    }
    givenNames[name] = option.name
    guard option.repeats || values[name] == nil else {
      let letter = option.letter.map { "-\($0)/" } ?? ""
      throw .parsing("Option \(letter)--\(option.name) may not be repeated.")
    }
    do throws(InvalidOptionValue) {
      try option.value.check(value)
    } catch {
      throw .invalidArgument(option.name, value, error.reason)
    }
    let meant = option.name == "corelog" ? "core" : value
    values[name, default: []].append(meant)
    inOrder.append(GivenOption(name: name, value: meant))
  }

  public func has(_ name: String) -> Bool { values[name] != nil }

  /// The last value given.
  public func value(_ name: String) -> String? { values[name]?.last }

  public func allValues(_ name: String) -> [String] { values[name] ?? [] }

  /// Of the options given, each once, in LVM's order.
  var optionNames: [String] {
    values.keys.sorted {
      let places = (OptionSpecification.place(of: $0), OptionSpecification.place(of: $1))
      return places.0 == places.1 ? $0 < $1 : places.0 < places.1
    }
  }
}

extension CommandLineError {
  /// Words that cannot be sorted into options and arguments.
  static func parsing(_ message: String) -> CommandLineError {
    CommandLineError(message, "Error during parsing of command line.")
  }
}
