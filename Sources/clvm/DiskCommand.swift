import ClusterDaemon
import VolumeCommands

/// A command of LVM that reads the disks and prints what it finds.
///
/// Its command line is read by getopt's rules as LVM's is. What the library for the other commands'
/// lines does at a start takes longer than reading the disks.
protocol DiskCommand: SendableMetatype {
  static var name: String { get }
  static var summary: String { get }
  /// The command line, without `clvm`.
  static var usage: String { get }
  static var options: [CommandOption] { get }

  init(_ arguments: CommandArguments) throws
  func run() throws
}

/// All of them.
enum DiskCommands {
  static let all: [any DiskCommand.Type] = [
    LogicalVolumesCommand.self, VolumeGroupsCommand.self, PhysicalVolumesCommand.self,
    FullReportCommand.self, LogicalVolumeDisplayCommand.self, VolumeGroupDisplayCommand.self,
    PhysicalVolumeDisplayCommand.self, LogicalVolumeScanCommand.self, VolumeGroupScanCommand.self,
    PhysicalVolumeScanCommand.self,
  ]

  /// Runs the command and returns its exit status; nil when it is none of them.
  static func run(_ words: [String]) -> ExitStatus? {
    guard let name = words.first, let type = all.first(where: { $0.name == name }) else {
      return nil
    }
    do {
      let arguments = try CommandArguments(
        Array(words.dropFirst()), options: type.options, command: type.name)
      if arguments.has("help") || arguments.has("longhelp") {
        CommandHelp.show(type.name, type.summary, type.usage, type.options)
      } else if arguments.has("version") {
        return CommandHelp.showVersion()
      } else {
        try arguments.check()
        try type.init(arguments).run()
      }
      Output.flush()
      return .success
    } catch let error as CommandLineError {
      return error.show(type.name)
    } catch {
      return CommandFailure.show(error)
    }
  }
}

/// The help of commands with LVM's command lines.
enum CommandHelp {
  static func showVersion() -> ExitStatus {
    Output.line("  clvm version:  \(DaemonRelease.text)")
    Output.flush()
    return .success
  }

  static func show(_ name: String, _ summary: String, _ usage: String, _ options: [CommandOption]) {
    Output.lines(["clvm \(name): \(summary)", "", "  clvm \(usage)", ""])
    for option in options {
      let letter = option.letter.map { "-\($0), " } ?? "    "
      let value = option.takesValue ? " VALUE" : ""
      let left = "  \(letter)--\(option.name)\(value)"
      let padding = String(repeating: " ", count: max(1, 34 - left.count))
      Output.line(left + padding + option.help)
    }
    Output.flush()
  }
}

extension CommandLineError {
  /// Prints what is wrong; getopt's own complaints stand at the margin.
  func show(_ command: String) -> ExitStatus {
    for line in messages { Output.error(line.hasPrefix("\(command): ") ? line : "  " + line) }
    if let usage { Output.line("  " + usage) }
    Output.flush()
    return .other(status)
  }
}

extension CommandFailure {
  /// Prints what was found so far and why the command ends.
  static func show(_ error: any Error) -> ExitStatus {
    Output.flush()
    let failure = error as? CommandFailure ?? CommandFailure("\(error)")
    for line in failure.messages { Output.error("  " + line) }
    return failure.status
  }
}
