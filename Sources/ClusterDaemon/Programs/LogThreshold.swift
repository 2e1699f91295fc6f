import Logging
import Synchronization

/// From which level on messages are logged; may change while the daemon runs.
public final class LogThreshold: Sendable {
  private let current: Mutex<Logger.Level>

  public init(_ level: Logger.Level) { current = Mutex(level) }

  public var level: Logger.Level {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue } }
  }
}

/// Passes to another handler what is important enough by a `LogThreshold`.
public struct ThresholdLogHandler: LogHandler {
  private let threshold: LogThreshold
  private var base: any LogHandler

  public init(_ threshold: LogThreshold, _ base: any LogHandler) {
    self.threshold = threshold
    self.base = base
    self.base.logLevel = .trace
  }

  /// That of the threshold, whatever a logger was told.
  public var logLevel: Logger.Level {
    get { threshold.level }
    set {}
  }

  public var metadata: Logger.Metadata {
    get { base.metadata }
    set { base.metadata = newValue }
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { base[metadataKey: key] }
    set { base[metadataKey: key] = newValue }
  }

  public func log(event: LogEvent) { base.log(event: event) }
}
