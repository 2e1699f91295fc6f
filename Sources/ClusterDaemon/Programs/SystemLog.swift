import Glibc
import Logging

/// Writes to syslog(3), for a daemon in the background, whose standard error nobody reads.
public struct SystemLogHandler: LogHandler {
  public var logLevel: Logger.Level
  public var metadata: Logger.Metadata = [:]

  /// - Parameter program: what stands before each line; taken over for the whole process.
  public init(program: StaticString, level: Logger.Level) {
    logLevel = level
    program.withUTF8Buffer { name in
      // syslog keeps the pointer: that of a literal stays valid.
      name.withMemoryRebound(to: CChar.self) { openlog($0.baseAddress, LOG_PID, LOG_DAEMON) }
    }
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
    let details = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    let text = "\(event.message)\(details)"
    text.withCString { pointer in withVaList([pointer]) { vsyslog(event.level.priority, "%s", $0) }
    }
  }
}

extension Logger.Level {
  fileprivate var priority: Int32 {
    switch self {
    case .trace, .debug: LOG_DEBUG
    case .info: LOG_INFO
    case .notice: LOG_NOTICE
    case .warning: LOG_WARNING
    case .error: LOG_ERR
    case .critical: LOG_CRIT
    }
  }
}
