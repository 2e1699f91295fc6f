import ArgumentParser
import ClusterDaemon

/// One program under the names of the daemons that it replaces: existing units, init scripts and test
/// rigs start those by name, and find here what they expect.
@main
enum Main {
  static func main() {
    let name = CommandLine.arguments.first?.split(separator: "/").last
    if let name { NewLife.keepName(String(name)) }
    switch name {
    case "lvmlockd": run(LockDaemonProgram.self, wrongArguments: 1)
    default:
      run(
        Clvmd.self, OldArguments.normalized(Array(CommandLine.arguments.dropFirst())),
        wrongArguments: 2)
    }
  }

  /// Runs a program whose callers know another exit code for wrong arguments than ours.
  private static func run(
    _ program: any ParsableCommand.Type, _ arguments: [String]? = nil, wrongArguments: Int32
  ) {
    do {
      var command = try program.parseAsRoot(arguments)
      try command.run()
    } catch {
      guard program.exitCode(for: error) == .validationFailure else {
        program.exit(withError: error)
      }
      DaemonRun.complain(program.fullMessage(for: error))
      program.exit(withError: ExitCode(wrongArguments))
    }
  }
}
