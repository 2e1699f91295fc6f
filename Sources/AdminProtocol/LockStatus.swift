import ClusterTypes
import ConfigText

/// One lock on one resource, as the resource's master and the lock's owner know it.
public struct LockStatus: Equatable, Sendable, ConfigRepresentable {
  public enum Queue: String, Sendable, CaseIterable {
    case granted
    case converting
    case waiting
  }

  public var lockspace: LockspaceName
  /// The resource's name; bytes that are not printable are written as `\xNN`.
  public var resource: String
  public var queue: Queue
  /// Nil while waiting for a first grant.
  public var grantedMode: LockModeName?
  /// Nil unless converting or waiting.
  public var requestedMode: LockModeName?
  /// The node that holds or wants it.
  public var node: NodeID
  /// The process there; 0 when the daemon itself asked or it is not known.
  public var pid: Int32
  /// For whom it is, in words: "lvextend", "clvm lock", "ocfs2".
  public var owner: String
  /// What the process is called; empty when it is not known.
  public var command: String
  /// Time in this queue.
  public var ageMilliseconds: UInt64
  /// The locks that this one waits for: those whose mode is in its way, otherwise the one ahead in
  /// the queue. Without their own.
  public var blockers: [LockStatus] = []

  public init(
    lockspace: LockspaceName, resource: String, queue: Queue, grantedMode: LockModeName?,
    requestedMode: LockModeName?, node: NodeID, pid: Int32, owner: String, command: String = "",
    ageMilliseconds: UInt64
  ) {
    self.lockspace = lockspace
    self.resource = resource
    self.queue = queue
    self.grantedMode = grantedMode
    self.requestedMode = requestedMode
    self.node = node
    self.pid = pid
    self.owner = owner
    self.command = command
    self.ageMilliseconds = ageMilliseconds
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      lockspace: try fields.lockspace("lockspace"), resource: try fields.text("resource"),
      queue: try fields.choice("queue"),
      grantedMode: fields.content("mode") == nil ? nil : try fields.choice("mode"),
      requestedMode: fields.content("requested_mode") == nil
        ? nil : try fields.choice("requested_mode"),
      node: try fields.node("node"), pid: try fields.number("pid"),
      owner: try fields.text("owner"), command: try fields.optionalText("command") ?? "",
      ageMilliseconds: try fields.number("age_ms"))
    blockers = try fields.elements("blockers")
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("lockspace", lockspace.text)
    fields.add("resource", resource)
    fields.add("queue", queue.rawValue)
    fields.add("mode", grantedMode?.rawValue)
    fields.add("requested_mode", requestedMode?.rawValue)
    fields.add("node", node)
    fields.add("pid", pid)
    fields.add("owner", owner)
    if !command.isEmpty { fields.add("command", command) }
    fields.add("age_ms", ageMilliseconds)
    if !blockers.isEmpty { fields.add("blockers", blockers) }
    return fields
  }
}
