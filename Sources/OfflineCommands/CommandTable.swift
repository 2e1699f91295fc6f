import VolumeCommands

/// The commands of LVM that clvm runs itself.
public struct OfflineCommand: Sendable {
  public let name: String
  public let summary: String
  public let usage: String
  public let options: [CommandOption]
  /// Parses the words behind the name; the result does the work.
  public let prepare: @Sendable (CommandArguments) throws -> (OfflineSession) -> Int32

  /// Changes volume groups that exist; clvmd does it for those that are shared.
  public let groupCommand: (any GroupCommand.Type)?

  private init(
    _ name: String, _ summary: String, _ usage: String, _ options: [CommandOption],
    _ prepare: @escaping @Sendable (CommandArguments) throws -> (OfflineSession) -> Int32
  ) {
    self.name = name
    self.summary = summary
    self.usage = usage
    self.options = CommandOption.commonOptions + options
    self.prepare = { arguments in
      try arguments.check()
      return try prepare(arguments)
    }
    groupCommand = nil
  }

  private init(_ type: any GroupCommand.Type) {
    name = type.name
    summary = type.summary
    usage = type.usage
    options = type.options
    prepare = { arguments in
      try arguments.check()
      let command = try type.init(arguments)
      return { session in session.run(command) }
    }
    groupCommand = type
  }

  public static let all: [OfflineCommand] =
    groupCommands.map { OfflineCommand($0) } + [
      make(CreatePhysicalVolumesCommand.self) { session, command throws(CommandStop) in
        try session.run(command)
      },
      make(RemovePhysicalVolumesCommand.self) { session, command throws(CommandStop) in
        try session.run(command)
      },
      make(CreateGroupCommand.self) { session, command throws(CommandStop) in
        try session.run(command)
      },
      make(ExtendGroupCommand.self) { session, command throws(CommandStop) in
        try session.run(command)
      },
      OfflineCommand(ResizePhysicalVolumesCommand.self) { session, command in
        session.reporting { () throws(CommandStop) in
          try session.underGlobalLock(.shared) { session.run(command) }
        }
      },
      OfflineCommand(ChangePhysicalVolumesCommand.self) { session, command in
        session.reporting { () throws(CommandStop) in
          try session.underGlobalLock(.shared) { session.run(command) }
        }
      },
      OfflineCommand(ReduceGroupCommand.self) { session, command in
        session.reporting { () throws(CommandStop) in
          try session.underGlobalLock(.exclusive) { () throws(CommandStop) in
            try session.run(command)
          }
        }
      },
      OfflineCommand(RemoveGroupCommand.self) { session, command in
        session.reporting { () throws(CommandStop) in
          try session.underGlobalLock(.exclusive) { session.run(command) }
        }
      },
    ]

  /// One that changes which devices are PVs or groups' members.
  private static func make<Command: DeviceCommand>(
    _ type: Command.Type,
    _ run: @escaping @Sendable (OfflineSession, Command) throws(CommandStop) -> Void
  ) -> OfflineCommand {
    OfflineCommand(type) { session, command in
      session.reporting { () throws(CommandStop) in
        try session.underGlobalLock(.exclusive) { () throws(CommandStop) in
          try run(session, command)
          return 0
        }
      }
    }
  }

  private init<Command: DeviceCommand>(
    _ type: Command.Type, _ run: @escaping @Sendable (OfflineSession, Command) -> Int32
  ) {
    self.init(type.name, type.summary, type.usage, type.ownOptions) { arguments in
      let command = try type.init(arguments)
      return { session in run(session, command) }
    }
  }

  public static func named(_ name: String) -> OfflineCommand? { all.first { $0.name == name } }
}

/// A command about devices, or about which of them belong to a group.
protocol DeviceCommand: Sendable {
  static var name: String { get }
  static var summary: String { get }
  static var usage: String { get }
  static var ownOptions: [CommandOption] { get }
  init(_ arguments: CommandArguments) throws(CommandLineError)
}

extension CreatePhysicalVolumesCommand: DeviceCommand {}
extension RemovePhysicalVolumesCommand: DeviceCommand {}
extension ResizePhysicalVolumesCommand: DeviceCommand {}
extension ChangePhysicalVolumesCommand: DeviceCommand {}
extension CreateGroupCommand: DeviceCommand {}
extension ExtendGroupCommand: DeviceCommand {}
extension ReduceGroupCommand: DeviceCommand {}
extension RemoveGroupCommand: DeviceCommand {}

extension OfflineSession {
  /// Prints why a command ends, if it does not end well, and returns its status.
  func reporting(_ body: () throws(CommandStop) -> Int32) -> Int32 {
    do {
      return try body()
    } catch {
      for line in error.messages { self.error(line) }
      return error.status
    }
  }
}
