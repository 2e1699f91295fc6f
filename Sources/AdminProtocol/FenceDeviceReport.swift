import ClusterTypes
import ConfigText

/// One fence device as the last run on this node found it.
public struct FenceDeviceReport: Equatable, Sendable, ConfigRepresentable {
  public enum State: String, Sendable, CaseIterable {
    /// Not tried yet.
    case unknown
    case working
    case failing
    /// Not tried out, by configuration.
    case unmonitored
  }

  public var name: String
  public var state: State
  /// Failures in a row.
  public var failures: Int
  /// Why it fails, as a sentence; empty otherwise.
  public var explanation: String
  /// Names of the nodes that it fences.
  public var nodes: [String]

  public init(
    name: String, state: State, failures: Int, explanation: String, nodes: [String]
  ) {
    self.name = name
    self.state = state
    self.failures = failures
    self.explanation = explanation
    self.nodes = nodes
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      name: try fields.text("name"), state: try fields.choice("state"),
      failures: try fields.number("failures"), explanation: try fields.text("explanation"),
      nodes: try fields.texts("nodes"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("name", name)
    fields.add("state", state.rawValue)
    fields.add("failures", failures)
    fields.add("explanation", explanation)
    fields.add("nodes", nodes)
    return fields
  }
}
