/// Why corosync cannot be used. Each message says what to do.
public enum CorosyncError: Error, Equatable, Sendable, CustomStringConvertible {
  case libraries(String)
  /// `code` is one of corosync's `cs_error_t`.
  case notRunning(service: String, code: Int32)
  case failed(operation: String, code: Int32)
  case noQuorumProvider
  /// corosync's id of this node, and the one in clvmd.conf.
  case otherNode(corosync: UInt32, configured: Int32)
  case otherNodes(onlyInCorosync: [UInt32], onlyConfigured: [Int32])
  /// The group has a member whose node id clvmd cannot have.
  case nodeOutOfRange(UInt32)
  /// corosync does not list this process among those of the group that it has joined.
  case notInGroup(pid: Int32)

  public var description: String {
    switch self {
    case .libraries(let problem):
      "corosync's libraries cannot be used: \(problem). Install libcpg4, libquorum5 and libcmap4 "
        + "(package names of Debian), or choose membership/provider = \"embedded\""
    case .notRunning(let service, let code):
      "corosync does not answer (\(service): \(Self.text(code))): start corosync.service before clvmd"
    case .failed(let operation, let code):
      "corosync refuses to \(operation): \(Self.text(code))"
    case .noQuorumProvider:
      "corosync counts no votes: set quorum { provider: corosync_votequorum } in corosync.conf"
    case .otherNode(let corosync, let configured):
      "corosync knows this node as \(corosync), clvmd.conf as \(configured): both must be the same "
        + "number (nodelist.node.nodeid in corosync.conf, the node's id in clvmd.conf)"
    case .otherNodes(let onlyInCorosync, let onlyConfigured):
      "corosync.conf and clvmd.conf name different nodes:"
        + Self.list(onlyInCorosync.map(String.init), " only corosync.conf has node ")
        + Self.list(onlyConfigured.map(String.init), " only clvmd.conf has node ")
        + ". List the same nodes with the same ids in both"
    case .nodeOutOfRange(let id):
      "corosync's node id \(id) is too large for clvmd: use ids up to \(Int32.max)"
    case .notInGroup(let pid):
      "corosync does not list process \(pid) in its own group: clvmd must run in the same PID "
        + "namespace as corosync"
    }
  }

  private static func list(_ words: [String], _ label: String) -> String {
    words.isEmpty ? "" : label + words.joined(separator: ", ")
  }

  /// corosync's words for its error numbers (corotypes.h), those that a client meets.
  static func text(_ code: Int32) -> String {
    let words: [Int32: String] = [
      2: "CS_ERR_LIBRARY, the connection is broken", 3: "CS_ERR_VERSION", 5: "CS_ERR_TIMEOUT",
      6: "CS_ERR_TRY_AGAIN", 7: "CS_ERR_INVALID_PARAM", 8: "CS_ERR_NO_MEMORY",
      9: "CS_ERR_BAD_HANDLE", 11: "CS_ERR_ACCESS, this user may not use it",
      12: "CS_ERR_NOT_EXIST", 14: "CS_ERR_EXIST", 15: "CS_ERR_NO_SPACE",
      18: "CS_ERR_NO_RESOURCES", 19: "CS_ERR_NOT_SUPPORTED", 26: "CS_ERR_TOO_BIG",
      29: "CS_ERR_NOT_EXIST", 100: "CS_ERR_SECURITY, this user may not use it",
    ]
    return words[code] ?? "error \(code)"
  }
}
