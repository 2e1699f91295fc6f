import ArgumentParser
import ClusterDaemon
import Glibc
import LVMFrontends
import Logging

/// Starting, running and ending a daemon: the part that all its names have in common.
struct DaemonRun {
  /// clvmd's when it is not ready in time; units take it for a success.
  private static let startTimedOut: Int32 = 5

  let program: StaticString
  let isForeground: Bool
  /// The exit code when the daemon cannot start.
  var failure: Int32 = 5
  /// The exit code when it runs already; by default that of libdaemon-style LVM daemons.
  var alreadyRunning: Int32 = 13
  /// How many seconds the caller waits for the daemon in the background; nil for ever.
  var startLimit: Int32?
  /// 0 for what is configured, more for everything.
  var debugLevel: UInt8 = 0
  /// As of `DaemonProcess`.
  var exclusiveVolumes: [String] = []
  /// As of `DaemonProcess`.
  var configurationPath: String?
  /// From this level on the log goes to syslog in the background.
  let systemLogLevel: Logger.Level

  /// Runs to the end, or in the background until the daemon serves. Never returns normally.
  func run(_ configuration: DaemonConfiguration) throws -> Never {
    let readiness = BackgroundStart.takeReadiness()
    let earlier = NewLife.takeUp()
    do {
      guard isForeground || readiness != nil || earlier != nil else { throw try startAgain() }
      let place: NewLife.Place = earlier ?? (readiness == nil ? .foreground : .background)
      let threshold = logThreshold(configuration, place)
      var process = DaemonProcess(
        configuration: configuration, logger: makeLogger(place, threshold))
      process.exclusiveVolumes = exclusiveVolumes
      process.configurationPath = configurationPath.map { Self.absolute($0) }
      let usual = threshold.level
      process.setLogLevel = { threshold.level = $0 == 0 ? usual : .debug }
      if debugLevel > 0 { threshold.level = .debug }
      switch try process.run(ready: { try readiness?.tell() }) {
      case .exit(let code): throw ExitCode(code)
      case .restart: try NewLife.begin(in: place)
      }
    } catch let exit as ExitCode {
      throw exit
    } catch {
      Self.complain("\(program): \(error)")
      throw ExitCode(Self.isAlreadyRunning(error) ? alreadyRunning : failure)
    }
  }

  private func startAgain() throws -> ExitCode {
    if let code = try BackgroundStart.startAgain(atMost: startLimit) { return ExitCode(code) }
    Self.complain("\(program) startup timed out")
    return ExitCode(Self.startTimedOut)
  }

  private func logThreshold(
    _ configuration: DaemonConfiguration, _ place: NewLife.Place
  ) -> LogThreshold {
    switch place {
    case .foreground: LogThreshold(Logger.Level(configuration.logLevel))
    case .background: LogThreshold(systemLogLevel)
    }
  }

  private func makeLogger(_ place: NewLife.Place, _ threshold: LogThreshold) -> Logger {
    LoggingSystem.bootstrap { [program] label in
      switch place {
      case .foreground: ThresholdLogHandler(threshold, StreamLogHandler.standardError(label: label))
      case .background:
        ThresholdLogHandler(threshold, SystemLogHandler(program: program, level: .trace))
      }
    }
    return Logger(label: "\(program)")
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
