import BlockDevices
import LVMMetadata
import VolumeCommands

/// LVM's command lines that make volumes active or inactive, in the words that `ActivationArguments`
/// takes: long names, no abbreviations, groups and volumes by name.
struct ActivationCommandLine {
  private let arguments: CommandArguments
  /// Properties are to be changed before; nil when there are none.
  let propertyWords: [String]?

  /// Nil for other command lines.
  ///
  /// - Throws: `CommandLineError` as `CommandArguments` does.
  init?(_ words: [String], _ options: [CommandOption], command: String) throws(CommandLineError) {
    guard ["lvchange", "vgchange"].contains(command) else { return nil }
    let arguments = try CommandArguments(
      words, options: options + Self.options, command: command)
    guard arguments.has("activate") || arguments.has("refresh"), !arguments.has("help") else {
      return nil
    }
    try arguments.check()
    self.arguments = arguments
    guard command == "lvchange", arguments.changesProperties else {
      propertyWords = nil
      return
    }
    propertyWords =
      arguments.inOrder.filter { $0.name != "activate" }.flatMap { given in
        given.value.isEmpty ? ["--\(given.name)"] : ["--\(given.name)", given.value]
      } + ["--"] + arguments.positional
  }

  private static let options: [CommandOption] = [
    .value("activate", "a", ""), .flag("refresh", nil, ""), .flag("ignoreactivationskip", "K", ""),
    .value("activationmode", nil, ""), .flag("partial", "P", ""), .flag("sysinit", nil, ""),
    .flag("ignorelockingfailure", nil, ""), .flag("readonly", nil, ""), .value("nodes", nil, ""),
    .value("socket", nil, ""), .flag("json", nil, ""), .select,
  ]

  /// Nil when tags and `--select` leave nothing to be done: no names would stand for all groups.
  ///
  /// - Throws: `CommandFailure` when the command line cannot be carried out.
  func words() throws -> [String]? {
    guard !arguments.has("test") else {
      throw CommandFailure(
        "clvm \(arguments.command) does not do --test with --activate or --refresh.",
        status: .invalidCommandLine)
    }
    guard !arguments.has("partial") || !arguments.has("activationmode") else {
      throw CommandFailure(
        "--partial and --activationmode are mutually exclusive arguments",
        status: .invalidCommandLine)
    }
    if let mode = arguments.value("activationmode"),
      !["complete", "degraded", "partial"].contains(mode)
    {
      throw CommandFailure(
        "Invalid activation mode given.",
        "Run `\(arguments.command) --help' for more information.", status: .invalidCommandLine)
    }
    if arguments.has("partial") || arguments.value("activationmode") == "partial" {
      Output.error("  PARTIAL MODE. Incomplete logical volumes will be processed.")
    }
    var words = [arguments.command]
    for given in arguments.inOrder {
      switch given.name {
      case "activate": words += ["--activate", Self.activation(given.value)]
      case "refresh", "ignoreactivationskip", "nolocking", "yes", "ignorelockingfailure", "json":
        words.append("--\(given.name)")
      case "sysinit": words.append("--ignorelockingfailure")
      case "partial": words += ["--activationmode", "partial"]
      case "activationmode", "devices", "devicesfile", "config", "commandprofile", "nodes",
        "socket":
        words.append("--\(given.name)=\(given.value)")
      case "profile" where !arguments.changesProperties:
        words.append("--commandprofile=\(given.value)")
      default: break
      }
    }
    guard let names = try names() else { return nil }
    return words + ["--"] + names
  }

  private static func activation(_ word: String) -> String {
    switch word {
    case "e", "ye": "ey"
    case "s", "ys": "sy"
    case "a", "ya": "ay"
    case "en", "ne": "n"
    case "nl": "ln"
    case "yl": "ly"
    default: word
    }
  }

  /// The arguments, or what tags and `--select` mean. Those that have another meaning once the locks are
  /// taken are not found then. Nil when they mean none.
  private func names() throws -> [String]? {
    let selection = try ObjectSelection(arguments)
    let hasTags = arguments.positional.contains { $0.hasPrefix("@") }
    guard selection != nil || hasTags else { return arguments.positional }
    let scan = MetadataScanner.scan(try DeviceChoice(arguments).open(.readOnly))
    let selected = selection?.identifiers(in: scan)
    let groups = scan.groups.map(\.volumeGroup)
    let isSelected: (LVMIdentifier) -> Bool = { selected?.contains($0) ?? true }
    let names: [String]
    if arguments.command == "vgchange" {
      names = try arguments.groups(among: groups, where: isSelected)
    } else {
      names = try arguments.volumes(of: groups, where: isSelected)
    }
    return names.isEmpty ? nil : names
  }
}
