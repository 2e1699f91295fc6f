import LVMFrontends
import VolumeReports

extension LockInformation {
  /// `{"lockspaces": [...]}`, each with its locks, waiting requests and other operations.
  var json: JSONValue {
    .object([("lockspaces", .array(lockspaces.map(Self.json)))])
  }

  private static func json(_ lockspace: Lockspace) -> JSONValue {
    var held: [JSONValue] = []
    var waiting: [JSONValue] = []
    var operations: [JSONValue] = []
    for entry in lockspace.entries {
      switch entry {
      case .lock(let lock): held.append(json(lock))
      case .waiting(let lock): waiting.append(json(lock))
      case .operation(let name, let client):
        operations.append(.object([("operation", .string(name))] + json(client)))
      }
    }
    let isGlobal = lockspace.vg == "." || lockspace.vg.isEmpty
    return .object([
      ("name", .string(lockspace.name)), ("lock_type", .string(lockspace.lockType)),
      ("vg", isGlobal ? .null : .string(lockspace.vg)),
      ("vg_uuid", isGlobal ? .null : .string(lockspace.vgUUID)), ("locks", .array(held)),
      ("waiting", .array(waiting)), ("operations", .array(operations)),
    ])
  }

  private static func json(_ lock: Lock) -> JSONValue {
    .object(
      [
        ("type", .string(lock.type)), ("name", .string(lock.name)), ("mode", .string(lock.mode)),
        ("version", .unsigned(UInt64(lock.version))),
      ] + (lock.client.map(json) ?? []))
  }

  private static func json(_ client: Client) -> [(key: String, value: JSONValue)] {
    [("pid", .unsigned(UInt64(client.processID))), ("command", .string(client.command))]
  }
}
