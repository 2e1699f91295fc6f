import ArgumentParser
import ClusterDaemon
import Glibc
import Logging

/// The daemon's command line.
@main
struct Clvmd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clvmd",
    abstract: "Cluster volume manager daemon: membership, locks, lockspaces and volume changes.",
    discussion: "Runs in the foreground. See clvmd(8) and clvmd.conf(5).")

  @Option(name: .shortAndLong, help: "The configuration file.")
  var config = ConfigurationFile.standardPath

  @Flag(help: "Check the configuration, say what is wrong with it, and exit.")
  var checkConfig = false

  func run() throws {
    let check = ConfigurationFile.check(path: config)
    for problem in check.problems { report("\(problem)") }
    guard let configuration = check.configuration else {
      report("\(config) cannot be used; clvmd does not start.")
      throw ExitCode(5)
    }
    if checkConfig {
      print("\(config): configuration is usable, node \(configuration.cluster.localNode.id)")
      return
    }
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "clvmd")
    logger.logLevel = Logger.Level(configuration.logLevel)
    do {
      throw ExitCode(try DaemonProcess(configuration: configuration, logger: logger).run())
    } catch let exit as ExitCode {
      throw exit
    } catch {
      logger.critical("clvmd cannot run: \(error)")
      throw ExitCode(5)
    }
  }

  private func report(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    // Nobody is left to be told if standard error does not take it.
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }
}

extension Logger.Level {
  init(_ level: DaemonConfiguration.LogLevel) {
    self =
      switch level {
      case .trace: .trace
      case .debug: .debug
      case .info: .info
      case .notice: .notice
      case .warning: .warning
      case .error: .error
      case .critical: .critical
      }
  }
}
