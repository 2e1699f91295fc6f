import ClusterTypes
import ConfigText

/// Who holds a lock, for newer commands that print it.
struct LockOwner: Equatable {
  let node: NodeID
  /// The command there, if it is known.
  var use: LockUse?

  /// As `owner_name`: "node 2, lvextend[817]".
  var name: String {
    guard let use else { return "node \(node)" }
    return "node \(node), \(use.owner)" + (use.processID == 0 ? "" : "[\(use.processID)]")
  }
}

/// The text of a reply (lvmlockd-socket 6), without the terminator.
enum LockDaemonReply {
  static let protocolName = "lvmlockd"
  static let protocolVersion: Int64 = 1

  /// The reply to `hello` and `quit`.
  static func greeting(_ result: LockDaemonResult) -> [UInt8] {
    encode([
      ("result", .integer(Int64(result.rawValue))), ("protocol", .string(protocolName)),
      ("version", .integer(protocolVersion)),
    ])
  }

  /// The reply to `info` and `dump`: `length` bytes follow as datagrams.
  static func dump(length: Int) -> [UInt8] {
    encode([("result", .integer(0)), ("dump_len", .integer(Int64(length)))])
  }

  /// The reply to `query_lock_lv` and `query_lock_vg`; `iv` stands for an unknown mode.
  static func query(
    operation: Int, _ result: LockDaemonResult, mode: String
  ) -> [UInt8] {
    encode([
      ("op", .integer(Int64(operation))), ("op_result", .integer(Int64(result.rawValue))),
      ("lock_type", .string("dlm")), ("mode", .string(mode)),
    ])
  }

  /// The reply to `init_vg` and `init_lv`.
  static func initialization(
    operation: Int, _ result: LockDaemonResult, vgArguments: String?, lvArguments: String?
  ) -> [UInt8] {
    encode([
      ("op", .integer(Int64(operation))), ("op_result", .integer(Int64(result.rawValue))),
      ("lm_result", .integer(0)), ("vg_lock_args", .string(vgArguments ?? "none")),
      ("lv_lock_args", .string(lvArguments ?? "none")), ("result_flags", .string("none")),
    ])
  }

  /// The reply to `vg_status`: locks of dlm have no host ids and generations, which would be told.
  static func status(operation: Int, lockType: String, _ result: LockDaemonResult) -> [UInt8] {
    encode([
      ("op", .integer(Int64(operation))), ("lock_type", .string(lockType)),
      ("op_result", .integer(Int64(result.rawValue))), ("lm_result", .integer(0)),
      ("owner_host_id", .integer(0)), ("owner_generation", .integer(0)),
      ("owner_timestamp", .integer(0)), ("owner_state", .string("none")),
      ("owner_name", .string("none")), ("result_flags", .string("none")),
    ])
  }

  /// Every other reply.
  static func ordinary(
    operation: Int, lockType: String, _ result: LockDaemonResult, flags: LockDaemonFlags,
    owner: LockOwner?
  ) -> [UInt8] {
    var fields: [(String, ConfigValue)] = [
      ("op", .integer(Int64(operation))), ("lock_type", .string(lockType)),
      ("op_result", .integer(Int64(result.rawValue))),
      // The word of the DLM, which is asked for nothing but whether another node is in the way.
      ("lm_result", .integer(result == .heldElsewhere ? Int64(result.rawValue) : 0)),
      ("result_flags", .string(flags.text)),
    ]
    if let owner {
      fields.append(("owner_host_id", .integer(Int64(owner.node.rawValue))))
      fields.append(("owner_generation", .integer(0)))
      fields.append(("owner_name", .string(owner.name)))
    }
    return encode(fields)
  }

  private static func encode(_ fields: [(String, ConfigValue)]) -> [UInt8] {
    var section = ConfigSection()
    section.append("response", .string("OK"))
    for (name, value) in fields { section.append(name, value) }
    return section.text(style: .raw)
  }
}
