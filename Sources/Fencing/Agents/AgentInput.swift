/// What an agent reads from its standard input: `key=value` lines (the fence-agents' API).
public struct AgentInput: Sendable {
  public let bytes: [UInt8]
  /// Values that may appear in no log.
  let secrets: [String]

  /// The settings come first: of two lines with one key agents take the last, and what is to be
  /// done is not a matter of configuration.
  public init(_ run: AgentRun, secrets: [FenceParameter]) throws(FenceInputError) {
    var lines = run.device.parameters + secrets
    for line in lines {
      if let problem = line.problem { throw FenceInputError(description: problem) }
    }
    lines.append(FenceParameter("action", run.action.rawValue))
    if let node = run.node {
      let port = run.device.ports[node.name] ?? node.name
      // Newer agents read `plug`, older ones `port`; each ignores the other.
      lines.append(FenceParameter("plug", port))
      lines.append(FenceParameter("port", port))
      lines.append(FenceParameter("nodename", node.name))
      lines.append(FenceParameter("nodeid", node.id.description))
    }
    guard lines.allSatisfy(\.isOneLine) else {
      throw FenceInputError(description: "the port of a node contains a line break")
    }
    let bytes = lines.flatMap { Array("\($0.key)=\($0.value)\n".utf8) }
    guard bytes.count <= Self.maximumBytes else {
      throw FenceInputError(
        description: "its settings have more than \(Self.maximumBytes) bytes")
    }
    self.bytes = bytes
    self.secrets = secrets.map(\.value).filter { !$0.isEmpty }
  }

  /// Less than a pipe holds, so that writing it cannot block on an agent that does not read.
  static let maximumBytes = 32 << 10

  /// `text` without secrets.
  func redact(_ text: String) -> String {
    // The longest first: a short one may be a part of it.
    secrets.sorted { $0.utf8.count > $1.utf8.count }.reduce(text) { text, secret in
      text.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "***")
    }
  }
}

/// Settings that cannot be handed to an agent.
public struct FenceInputError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
}

extension FenceParameter {
  /// Set by clvmd itself.
  private static let reserved: Set<String> = [
    "action", "option", "plug", "port", "nodename", "nodeid",
  ]
  private static let secretKeys: Set<String> = ["password", "passwd", "snmp_priv_passwd"]
  static let maximumValueBytes = 4096

  /// Why the line cannot be used; nil when it can. Never contains the value.
  public var problem: String? {
    let isName = key.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    if key.isEmpty || !isName || key.utf8.count > 64 {
      return "a key has 1 to 64 letters, digits, '_' and '-'"
    }
    if !isOneLine {
      return "the value of '\(key)' contains a line break"
    }
    if value.utf8.count > Self.maximumValueBytes {
      return "the value of '\(key)' has more than \(Self.maximumValueBytes) bytes"
    }
    return Self.reserved.contains(key) ? "'\(key)' is set by clvmd for each run" : nil
  }

  /// A line break in a value would be another line of the input.
  var isOneLine: Bool {
    !value.utf8.contains { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") || $0 == 0 }
  }

  /// Belongs into a file that only root can read.
  public var isSecret: Bool { Self.secretKeys.contains(key) }
}
