import ClusterTypes

/// One thing that the check of a cluster has to say.
public struct Finding: Equatable, Sendable {
  public enum Severity: String, Comparable, Sendable, CaseIterable {
    case good = "ok"
    /// It works, and not as well as it could.
    case warning
    /// Something will not work, or is not safe.
    case error

    public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    private var rank: Int {
      switch self {
      case .good: 0
      case .warning: 1
      case .error: 2
      }
    }
  }

  /// What was looked at: the same word for the same question, for scripts.
  public enum Subject: String, Sendable, CaseIterable {
    case answers
    case nodeList = "node_list"
    case keys
    case settings
    case names
    case addresses
    case links
    case clocks
    case devices
    case fencing
    case watchdogs
    case releases
    case lvm
    case foreignStacks = "foreign_stacks"
  }

  public var severity: Severity
  public var subject: Subject
  /// Whom it concerns; empty for the whole cluster.
  public var nodes: [NodeID]
  /// What was found.
  public var message: String
  /// What to do; empty where nothing is to be done.
  public var advice: String

  public init(
    _ severity: Severity, _ subject: Subject, nodes: [NodeID] = [], _ message: String,
    advice: String = ""
  ) {
    self.severity = severity
    self.subject = subject
    self.nodes = nodes
    self.message = message
    self.advice = advice
  }
}
