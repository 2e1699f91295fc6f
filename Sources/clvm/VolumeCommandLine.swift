import AdminProtocol
import ArgumentParser
import BlockDevices
import DeviceMapper
import Glibc
import LVMMetadata
import LVMSystemDirectory
import OfflineCommands
import VolumeActivation
import VolumeCommands

/// LVM's own command lines: `clvm lvcreate …`, `clvm vgextend …`.
enum VolumeCommandLine {
  /// What is to be done with a command line.
  enum Outcome {
    case done(ExitStatus)
    /// These words are for the commands that are made of other libraries, or the daemon's.
    case words([String])
  }

  /// Runs the command if it is one of LVM's that this process can carry out itself.
  static func run(_ words: [String]) -> Outcome {
    guard let name = words.first, let command = OfflineCommand.named(name) else {
      return .words(words)
    }
    let rest = Array(words.dropFirst())
    do {
      if let activation = try ActivationCommandLine(rest, command.options, command: name) {
        if let properties = activation.propertyWords {
          let status = runHereOrThere(command, properties) ?? .failed
          guard status == .success else { return .done(status) }
          Output.error(
            "  WARNING: Combining activation change with other commands is not advised.")
        }
        return try activation.words().map { .words($0) } ?? .done(.success)
      }
    } catch let error as CommandLineError {
      return .done(error.show(name))
    } catch {
      return .done(CommandFailure.show(error))
    }
    return runHereOrThere(command, rest).map { .done($0) } ?? .words(words)
  }

  /// Nil for the daemon's own command lines.
  private static func runHereOrThere(
    _ command: OfflineCommand, _ words: [String]
  ) -> ExitStatus? {
    guard let socketPath = daemonSocket(for: command, words) else { return run(command, words) }
    // The daemon's own resize tells, and prints as JSON, how long each node held I/O.
    if ["lvextend", "lvreduce"].contains(command.name) { return nil }
    return sendToDaemon(command.name, words, socketPath)
  }

  /// Has the daemon carry the command out.
  private static func sendToDaemon(
    _ name: String, _ words: [String], _ socketPath: String
  ) -> ExitStatus {
    do {
      var client = try AdminClient(socketPath: socketPath)
      let request = AdminRequest.volumeCommand(VolumeCommandRequest(command: name, words: words))
      let reply = try client.perform(request) { notice in
        if case .progress(let text) = notice { Output.error("  " + text) }
      }
      switch reply {
      case .printed(let lines):
        Output.lines(lines.map { "  " + $0 })
        Output.flush()
        return .success
      case .failed(let failure):
        Output.error("  " + failure.message)
        return CommandFailure(failure).status
      default:
        Output.error("  clvmd gave an answer to another question: \(reply)")
        return .failed
      }
    } catch {
      Output.error("  \(error)")
      return .failed
    }
  }

  /// The daemon's socket when no devices are given and it has started one of the groups.
  private static func daemonSocket(for command: OfflineCommand, _ words: [String]) -> String? {
    guard let type = command.groupCommand,
      let arguments = try? CommandArguments(
        words, options: command.options + DaemonResize.options, command: command.name),
      !arguments.has("devices"), !arguments.has("help"),
      let names = (try? type.init(arguments))?.groupNames
    else { return nil }
    let path = arguments.value("socket") ?? AdminClient.defaultSocketPath
    guard var client = try? AdminClient(socketPath: path),
      case .status(let status)? = try? client.perform(.status),
      status.volumeGroups.contains(where: { names.contains($0.name) })
    else { return nil }
    return path
  }

  /// Runs a command on devices that this process opens itself, and returns its exit status.
  static func run(_ command: OfflineCommand, _ words: [String]) -> ExitStatus {
    let arguments: CommandArguments
    let work: (OfflineSession) -> Int32
    do {
      arguments = try CommandArguments(words, options: command.options, command: command.name)
      if arguments.has("help") || arguments.has("longhelp") {
        CommandHelp.show(command.name, command.summary, command.usage, command.options)
        return .success
      }
      if arguments.has("version") { return CommandHelp.showVersion() }
      try arguments.check()
      let devices = try DeviceChoice(arguments)
      work = try command.prepare(arguments)
      let session = try session(command, words, arguments, devices)
      let status = work(session)
      Output.flush()
      return status == 0 ? .success : .other(status)
    } catch let error as CommandLineError {
      return error.show(command.name)
    } catch {
      return CommandFailure.show(error)
    }
  }

  private static func session(
    _ command: OfflineCommand, _ words: [String], _ arguments: CommandArguments,
    _ devices: DeviceChoice
  ) throws -> OfflineSession {
    let selection = try ObjectSelection(arguments)
    var disks: [OfflineSession.Disk] = []
    for candidate in try devices.candidates() {
      do {
        disks.append(
          OfflineSession.Disk(device: try candidate.open(.readWrite), path: candidate.path))
      } catch {
        if devices.isGiven { throw CommandFailure("\(error)") }
      }
    }
    let locks = try HostLocks(
      devices.configuration, skipping: arguments.has("nolocking"), devices: disks.map(\.device))
    let isTest = arguments.has("test")
    if isTest {
      Output.error(
        "  TEST MODE: Metadata will NOT be updated and volumes will not be (de)activated.")
    }
    let answersYes = arguments.has("yes")
    let session = try OfflineSession(
      disks: disks, configuration: devices.configuration, locks: locks,
      commandLine: (["clvm", command.name] + words).joined(separator: " "), isTest: isTest,
      writesBackups: try writesBackups(arguments),
      mapper: mapper(disks), print: show
    ) { question in answersYes || ask(question) }
    if let selection { session.selected = { selection.identifiers(in: $0) } }
    return session
  }

  private static func writesBackups(_ arguments: CommandArguments) throws -> Bool {
    do {
      return try arguments.bool("autobackup") ?? true
    } catch {
      throw CommandFailure(error.description, status: .invalidCommandLine)
    }
  }

  /// Nil where nothing can be active: all disks are image files, or the kernel has no device-mapper.
  private static func mapper(_ disks: [OfflineSession.Disk]) -> LibraryDeviceMapper? {
    guard disks.contains(where: { $0.device.number != nil }), DeviceMapperPresence.isPresent else {
      return nil
    }
    return LibraryDeviceMapper()
  }

  private static func show(_ message: CommandMessage) {
    switch message.stream {
    case .output: Output.line("  " + message.text)
    case .error: Output.error("  " + message.text)
    }
  }

  /// As LVM asks: on standard error, and no without an answer.
  private static func ask(_ question: String) -> Bool {
    Output.flush()
    write(STDERR_FILENO, question, question.utf8.count)
    guard let answer = readLine() else {
      Output.error("[n]")
      return false
    }
    return ["y", "yes"].contains(answer.lowercased())
  }
}

/// What the daemon does for shared groups.
private enum DaemonResize {
  /// Only the daemon's answer has a form for programs.
  static let options = [
    CommandOption(name: "json", letter: nil, takesValue: false, help: "Print JSON.")
  ]
}

/// Whether the kernel has a device-mapper to be asked.
private enum DeviceMapperPresence {
  static var isPresent: Bool { access("/sys/class/misc/device-mapper", F_OK) == 0 }
}
