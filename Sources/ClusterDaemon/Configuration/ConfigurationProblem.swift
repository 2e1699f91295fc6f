/// One thing that is wrong in the configuration, for the administrator who has to put it right.
public struct ConfigurationProblem: Equatable, Sendable, CustomStringConvertible {
  public enum Severity: String, Sendable {
    /// The daemon does not start.
    case error
    /// The daemon starts; the setting does not do what was probably meant.
    case warning
  }

  public let severity: Severity
  /// Path of the setting, such as `cluster/name`, or `line 12` where the syntax is broken.
  public let place: String
  public let message: String

  public var description: String { "\(severity.rawValue): \(place): \(message)" }
}

/// The result of reading a configuration: all problems at once, and the configuration if it can be
/// used in spite of them.
public struct ConfigurationCheck: Equatable, Sendable {
  /// Nil when any problem is an error.
  public let configuration: DaemonConfiguration?
  /// Errors and warnings in the order in which they were found.
  public let problems: [ConfigurationProblem]

  public var errors: [ConfigurationProblem] { problems.filter { $0.severity == .error } }
  public var warnings: [ConfigurationProblem] { problems.filter { $0.severity == .warning } }
}
