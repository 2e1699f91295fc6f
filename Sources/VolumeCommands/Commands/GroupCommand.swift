import LVMMetadata

/// A command that changes volume groups, each by itself.
public protocol GroupCommand: Sendable {
  static var name: String { get }
  /// One line.
  static var summary: String { get }
  static var usage: String { get }
  /// Without those that all commands have.
  static var ownOptions: [CommandOption] { get }

  init(_ arguments: CommandArguments) throws(CommandLineError)

  /// The groups it changes, in order; nil stands for all there are.
  var groupNames: [String]? { get }

  /// What the command does to one of them.
  func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal)
}

extension GroupCommand {
  public static var options: [CommandOption] { CommandOption.commonOptions + ownOptions }

  /// Parses the words behind the command's name.
  public init(words: [String]) throws(CommandLineError) {
    let arguments = try CommandArguments(words, options: Self.options, command: Self.name)
    try arguments.check()
    try self.init(arguments)
  }

  /// Decides on one group.
  public func edit(
    _ group: VolumeGroup, _ context: CommandContext
  ) -> Result<GroupEdit, GroupCommandFailure> {
    var edit = GroupEdit(group, context: context)
    do {
      try apply(to: &edit)
      return .success(edit)
    } catch {
      let lines = error.messages.map { CommandMessage(.error, $0) }
      return .failure(GroupCommandFailure(messages: edit.messages + lines))
    }
  }
}

/// A command that was refused: everything it printed on the way, and why.
public struct GroupCommandFailure: Error, Sendable, Equatable {
  public var messages: [CommandMessage]
}

/// The commands that change volume groups and leave the set of their PVs alone.
public let groupCommands: [any GroupCommand.Type] = [
  CreateCommand.self, ExtendCommand.self, ReduceCommand.self, ResizeCommand.self,
  ConvertCommand.self, MoveCommand.self, RemoveCommand.self, RenameCommand.self,
  ChangeCommand.self, ChangeGroupCommand.self, RenameGroupCommand.self,
]

extension CommandArguments {
  /// `VG/LV`, or the same behind `/dev/`; a mapped device's path is taken apart. Nil for any other
  /// text.
  static func volumePath(_ text: String) -> (group: String, name: String)? {
    if let parts = mappedParts(text) { return parts }
    let path = withoutFolder(text)
    let parts = path.split(separator: "/")
    guard parts.count == 2, path.first != "/", path.last != "/" else { return nil }
    return (String(parts[0]), String(parts[1]))
  }

  /// The same for a command that has one LV and looks at its path before all else.
  static func logicalVolume(
    _ text: String, _ command: String
  ) throws(CommandLineError) -> (group: String, name: String) {
    guard let path = volumePath(text) else {
      throw .usage(command, "\"\(text)\": Invalid path for Logical Volume.")
    }
    return path
  }

  /// `VG` or `/dev/VG`; nil when the text names an LV.
  static func volumeGroup(_ text: String) -> String? {
    guard mappedParts(text) == nil else { return nil }
    let name = withoutFolder(text)
    return name.isEmpty || name.contains("/") ? nil : String(name)
  }

  private static func withoutFolder(_ text: String) -> Substring {
    text.hasPrefix("/dev/") ? text.dropFirst("/dev/".count) : text[...]
  }

  /// `/dev/mapper/VG-LV`, hyphens in names doubled.
  private static func mappedParts(_ text: String) -> (group: String, name: String)? {
    guard text.hasPrefix("/dev/mapper/") else { return nil }
    var parts = [""]
    var rest = text.dropFirst("/dev/mapper/".count)
    while let character = rest.popFirst() {
      if character != "-" {
        parts[parts.count - 1].append(character)
      } else if rest.first == "-" {
        rest.removeFirst()
        parts[parts.count - 1].append("-")
      } else {
        parts.append("")
      }
    }
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
    return (parts[0], parts[1])
  }

  /// PVs named from the given place on; nil when there are none.
  func physicalVolumes(from place: Int) throws(CommandLineError) -> [PhysicalVolumeArgument]? {
    guard positional.count > place else { return nil }
    var arguments: [PhysicalVolumeArgument] = []
    for text in positional[place...] {
      do throws(VolumeGroupRefusal) {
        arguments.append(try PhysicalVolumeArgument(parsing: text))
      } catch {
        throw CommandLineError(error.message)
      }
    }
    return arguments
  }

  /// `-L` or `-l`, not both.
  func sizeArgument(_ command: String) throws(CommandLineError) -> SizeArgument? {
    let argument = try parsedSize(command)
    switch argument?.amount {
    case .extents(0)?, .percentage(0, _)?: throw .usage(command, "--extents may not be zero.")
    case .sectors(0)?: throw .usage(command, "--size may not be zero.")
    case .extents?, .percentage?, .sectors?, nil: return argument
    }
  }

  private func parsedSize(_ command: String) throws(CommandLineError) -> SizeArgument? {
    switch (value("size"), value("extents")) {
    case (nil, nil): return nil
    case (let size?, nil): return try Self.sizeArgument("size", size)
    case (nil, let extents?):
      do throws(InvalidSize) {
        return try SizeArgument(extents: extents)
      } catch {
        throw .invalidArgument("extents", extents, because: error)
      }
    case (_?, _?):
      throw .usage(command, "Please specify either size or extents (not both).")
    }
  }

  /// The values of `--addtag` and `--deltag`.
  func tags(_ option: String) throws(CommandLineError) -> [String] {
    var tags: [String] = []
    for text in allValues(option) {
      let tag = text.hasPrefix("@") ? String(text.dropFirst()) : text
      guard VolumeName.isValidTag(tag), !tag.hasPrefix("-") else {
        throw .invalidArgument(option, text)
      }
      tags.append(tag)
    }
    return tags
  }

  /// `-r`: "auto", "none" or a size in sectors; whole pages, at least one.
  func readAhead() throws(CommandLineError) -> ReadAhead? {
    guard let text = value("readahead") else { return nil }
    switch text {
    case "auto": return .automatic
    case "none": return .sectors(-1)
    default:
      guard text.utf8.first.map({ (48...57).contains($0) || $0 == 46 }) == true else {
        throw .invalidArgument("readahead", text, "Size requires number argument.")
      }
      guard let sectors = try size("readahead", unit: "s"), sectors < 1 << 30 else {
        throw .invalidArgument("readahead", text)
      }
      guard sectors > 0 else { return .sectors(-1) }
      return .sectors(Int32(max(sectors / 8 * 8, 8)))
    }
  }

  /// LVM's word on a read-ahead that is no number of whole pages.
  func readAheadWarning() throws(CommandLineError) -> String? {
    guard case .sectors(let used)? = try readAhead(), used > 0,
      let given = try size("readahead", unit: "s"), given != UInt64(used)
    else { return nil }
    return "WARNING: Overriding readahead to \(used) sectors, a multiple of 4K page size."
  }

  /// A rate in KiB a second, if no other unit is given.
  func rate(_ name: String) throws(CommandLineError) -> Int? {
    guard let sectors = try size(name, unit: "k") else { return nil }
    guard sectors / 2 <= UInt64(Int32.max) else {
      throw .invalidArgument(name, value(name) ?? "")
    }
    return Int(sectors / 2)
  }
}

/// The value of `--readahead`.
enum ReadAhead: Sendable, Equatable {
  case automatic
  /// −1 for none.
  case sectors(Int32)

  var sectors: Int32? {
    switch self {
    case .automatic: nil
    case .sectors(let sectors): sectors
    }
  }
}
