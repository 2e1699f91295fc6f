import ArgumentParser
import ClusterDaemon
import Glibc
import LVMFrontends
import Logging

/// Starting, running and ending a daemon: the part that all its names have in common.
struct DaemonRun {
  /// That of libdaemon-style LVM daemons when the pid file is locked.
  private static let alreadyRunning: Int32 = 13

  let program: StaticString
  let isForeground: Bool
  /// The exit code when the daemon cannot start.
  var failure: Int32 = 5
  /// From this level on the log goes to syslog in the background.
  let systemLogLevel: Logger.Level

  /// Runs to the end, or in the background until the daemon serves. Never returns normally.
  func run(_ configuration: DaemonConfiguration) throws -> Never {
    let readiness = BackgroundStart.takeReadiness()
    do {
      guard isForeground || readiness != nil else {
        throw ExitCode(try BackgroundStart.startAgain())
      }
      let logger = makeLogger(configuration, isForeground: readiness == nil)
      let process = DaemonProcess(configuration: configuration, logger: logger)
      throw ExitCode(try process.run { try readiness?.tell() })
    } catch let exit as ExitCode {
      throw exit
    } catch {
      Self.complain("\(program): \(error)")
      throw ExitCode(Self.isAlreadyRunning(error) ? Self.alreadyRunning : failure)
    }
  }

  private func makeLogger(_ configuration: DaemonConfiguration, isForeground: Bool) -> Logger {
    if isForeground {
      LoggingSystem.bootstrap(StreamLogHandler.standardError)
    } else {
      LoggingSystem.bootstrap { [program, systemLogLevel] _ in
        SystemLogHandler(program: program, level: systemLogLevel)
      }
    }
    var logger = Logger(label: "\(program)")
    if isForeground { logger.logLevel = Logger.Level(configuration.logLevel) }
    return logger
  }

  private static func isAlreadyRunning(_ error: any Error) -> Bool {
    switch error {
    case let error as DaemonError: error.isAlreadyRunning
    case SocketFileError.daemonRunning, SocketFileError.inUse: true
    default: false
    }
  }

  /// Writes a line to standard error.
  static func complain(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    // Nobody is left to be told if standard error does not take it.
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }

  /// A path as the caller means it: the daemon has another working directory later.
  static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let directory = getcwd(nil, 0) else { return path }
    defer { free(directory) }
    return "\(String(cString: directory))/\(path)"
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
