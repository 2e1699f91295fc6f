import AdminProtocol
import ClusterTypes
import VolumeReports

// The daemon's answers as text for people and as JSON for programs.

extension ClusterStatus {
  var lines: [String] {
    let quorum = isQuorate ? "quorate" : "WITHOUT QUORUM"
    let lead = leader.map { ", led by node \($0)" } ?? ""
    var lines = ["  Cluster \(clusterName), node \(node), view \(viewID), \(quorum)\(lead)"]
    lines += NodeStatus.table(nodes).lines()
    if !warnings.isEmpty { lines += ["  Warnings:"] + warnings.map { "    \($0)" } }
    if !waitingFor.isEmpty { lines += ["  Waiting:"] + waitingFor.map { "    \($0)" } }
    lines += LockspaceStatus.lines(lockspaces)
    var groups = TextTable(headings: ["VG", "VG UUID", "Lockspace"])
    groups.rows = volumeGroups.map { [$0.name, $0.uuid, $0.lockspace.text] }
    var devices = TextTable(headings: ["Fence device", "State", "Nodes", "Failure"])
    devices.rows = fenceDevices.map {
      [$0.name, $0.state.rawValue, $0.nodes.joined(separator: ","), $0.explanation]
    }
    var changes = TextTable(headings: ["Change", "Node", "Step", "Takes part", "What"])
    changes.rows = operations.map(\.row)
    return lines + groups.lines() + changes.lines() + devices.lines()
  }

  var json: JSONValue {
    .object([
      ("cluster", .string(clusterName)), ("node", node.json), ("view", .unsigned(viewID)),
      ("quorate", .bool(isQuorate)), ("leader", leader?.json ?? .null),
      ("nodes", .array(nodes.map(\.json))),
      ("warnings", .array(warnings.map { .string($0) })),
      ("waiting_for", .array(waitingFor.map { .string($0) })),
      ("lockspaces", .array(lockspaces.map(\.json))),
      (
        "volume_groups",
        .array(
          volumeGroups.map {
            .object([
              ("vg_name", .string($0.name)), ("vg_uuid", .string($0.uuid)),
              ("lockspace", .string($0.lockspace.text)),
            ])
          })
      ),
      (
        "fence_devices",
        .array(
          fenceDevices.map {
            .object([
              ("name", .string($0.name)), ("state", .string($0.state.rawValue)),
              ("failures", .number(Int64($0.failures))), ("failure", .string($0.explanation)),
              ("nodes", .array($0.nodes.map { .string($0) })),
            ])
          })
      ),
      ("operations", .array(operations.map(\.json))),
    ])
  }
}

extension OperationStatus {
  fileprivate var row: [String] {
    let node = coordinator?.description ?? "?"
    return [
      String(number), isOrphan ? "\(node) (gone)" : node, step.rawValue,
      participants.map(\.description).joined(separator: ","), title,
    ]
  }

  fileprivate var json: JSONValue {
    .object([
      ("node", coordinator?.json ?? .null), ("number", .unsigned(number)),
      ("change", .string(title)), ("vg_name", .string(volumeGroup)),
      ("old_seqno", .number(Int64(oldSeqno))), ("new_seqno", .number(Int64(newSeqno))),
      ("step", .string(step.rawValue)), ("orphan", .bool(isOrphan)),
      ("participants", .array(participants.map(\.json))),
    ])
  }
}

extension NodeID {
  var json: JSONValue { .number(Int64(rawValue)) }
}

extension NodeStatus {
  static func table(_ nodes: [NodeStatus]) -> TextTable {
    var table = TextTable(columns: [
      .init("Node", isRightAligned: true), .init("Name"), .init("State"), .init("Incarnation"),
      .init("Address"),
    ])
    table.rows = nodes.map {
      [
        $0.node.description, $0.name, $0.state.rawValue, $0.incarnation?.description ?? "",
        $0.address,
      ]
    }
    return table
  }

  var json: JSONValue {
    .object([
      ("node", node.json), ("name", .string(name)), ("state", .string(state.rawValue)),
      ("incarnation", incarnation.map { .string($0.description) } ?? .null),
      ("address", .string(address)),
    ])
  }
}

extension LockspaceStatus {
  static func lines(_ lockspaces: [LockspaceStatus]) -> [String] {
    var table = TextTable(columns: [
      .init("Lockspace"), .init("Kind"), .init("ID"), .init("Gen", isRightAligned: true),
      .init("State"), .init("Members"),
    ])
    table.rows = lockspaces.map {
      [
        $0.name.text, $0.kind.rawValue, "0x" + String($0.id, radix: 16), String($0.generation),
        $0.state.rawValue, $0.members.map(\.description).joined(separator: ","),
      ]
    }
    let waits = lockspaces.flatMap { lockspace in
      lockspace.waitingFor.map { "  \(lockspace.name): \($0)" }
    }
    return table.lines() + waits
  }

  var json: JSONValue {
    .object([
      ("name", .string(name.text)), ("kind", .string(kind.rawValue)),
      ("id", .number(Int64(id))), ("generation", .unsigned(generation)),
      ("state", .string(state.rawValue)), ("members", .array(members.map(\.json))),
      ("waiting_for", .array(waitingFor.map { .string($0) })),
    ])
  }
}

extension LockStatus {
  /// - Parameter withBlockers: behind each lock, indented, those it waits for.
  static func table(_ locks: [LockStatus], withBlockers: Bool) -> TextTable {
    var table = TextTable(columns: [
      .init("Lockspace"), .init("Resource"), .init("Queue"), .init("Mode"), .init("Wanted"),
      .init("Node", isRightAligned: true), .init("PID", isRightAligned: true), .init("Command"),
      .init("Owner"), .init("Age", isRightAligned: true),
    ])
    for lock in locks {
      table.rows.append(lock.columns(lockspace: lock.lockspace.text, resource: lock.resource))
      guard withBlockers else { continue }
      for blocker in lock.blockers {
        table.rows.append(blocker.columns(lockspace: "", resource: "  waits for"))
      }
    }
    return table
  }

  private func columns(lockspace: String, resource: String) -> [String] {
    [
      lockspace, resource, queue.rawValue, grantedMode?.rawValue ?? "",
      requestedMode?.rawValue ?? "", node.description, pid == 0 ? "" : String(pid), command, owner,
      Self.age(ageMilliseconds),
    ]
  }

  /// Seconds with three decimals.
  private static func age(_ milliseconds: UInt64) -> String {
    let rest = String(milliseconds % 1000)
    return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest + "s"
  }

  var json: JSONValue {
    .object([
      ("lockspace", .string(lockspace.text)), ("resource", .string(resource)),
      ("queue", .string(queue.rawValue)),
      ("mode", grantedMode.map { .string($0.rawValue) } ?? .null),
      ("requested_mode", requestedMode.map { .string($0.rawValue) } ?? .null),
      ("node", node.json), ("pid", .number(Int64(pid))), ("command", .string(command)),
      ("owner", .string(owner)), ("age_ms", .unsigned(ageMilliseconds)),
      ("blockers", .array(blockers.map(\.json))),
    ])
  }
}

extension PosixLockStatus {
  static func table(_ locks: [PosixLockStatus]) -> TextTable {
    var table = TextTable(columns: [
      .init("Lockspace"), .init("Inode", isRightAligned: true), .init("Type"), .init("Range"),
      .init("State"), .init("Node", isRightAligned: true), .init("PID", isRightAligned: true),
      .init("Owner"),
    ])
    for lock in locks {
      table.rows.append([
        lock.lockspace.text, String(lock.inode), lock.isExclusive ? "write" : "read", lock.range,
        lock.isWaiting ? "waiting" : "held", lock.node.description, String(lock.pid),
        String(lock.owner, radix: 16),
      ])
    }
    return table
  }

  /// First and last byte.
  private var range: String { end == UInt64(Int64.max) ? "\(start)-end" : "\(start)-\(end)" }

  var json: JSONValue {
    .object([
      ("lockspace", .string(lockspace.text)), ("inode", .unsigned(inode)),
      ("type", .string(isExclusive ? "write" : "read")), ("start", .unsigned(start)),
      ("end", .unsigned(end)), ("state", .string(isWaiting ? "waiting" : "held")),
      ("node", node.json), ("pid", .unsigned(UInt64(pid))),
      ("owner", .string(String(owner, radix: 16))),
    ])
  }
}

extension MappedDeviceStatus {
  var lines: [String] {
    let state = (isSuspended ? " SUSPENDED" : "") + (isReadOnly ? " read-only" : "")
    return ["  \(name) (\(major):\(minor)) \(uuid) open \(openCount)\(state)"]
      + table.map { "    live     \($0)" } + inactiveTable.map { "    inactive \($0)" }
  }

  var json: JSONValue {
    .object([
      ("name", .string(name)), ("uuid", .string(uuid)), ("major", .number(Int64(major))),
      ("minor", .number(Int64(minor))), ("open_count", .number(Int64(openCount))),
      ("suspended", .bool(isSuspended)), ("read_only", .bool(isReadOnly)),
      ("table", .array(table.map { .string($0) })),
      ("inactive_table", .array(inactiveTable.map { .string($0) })),
    ])
  }
}
