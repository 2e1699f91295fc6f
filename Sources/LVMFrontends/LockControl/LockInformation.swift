/// What lvmlockd's `info` tells, read from its lines (lvmlockd-socket 14), and how lvmlockctl shows it.
public struct LockInformation: Equatable, Sendable {
  public struct Lockspace: Equatable, Sendable {
    public var name: String
    /// `.` for the global lockspace; the real lvmlockd leaves it empty.
    public var vg: String
    public var vgUUID: String
    /// Empty where the real lvmlockd leaves other values of the line empty.
    public var lockType: String
    /// Locks, requests that wait for one, and other operations under way, in the order of the dump.
    public var entries: [Entry] = []
  }

  public enum Entry: Equatable, Sendable {
    case lock(Lock)
    case waiting(Lock)
    /// Something else than a lock request, such as `start`.
    case operation(String, Client)
  }

  public struct Lock: Equatable, Sendable {
    /// `gl`, `vg` or `lv`.
    public var type: String
    /// The resource's: of an LV its uuid.
    public var name: String
    /// `un`, `sh` or `ex`.
    public var mode: String
    public var version: UInt32
    /// Nil when nobody holds it, or a persistent lock.
    public var client: Client?
  }

  public struct Client: Equatable, Sendable {
    public var processID: UInt32
    public var command: String
  }

  public private(set) var lockspaces: [Lockspace] = []

  /// Lines that are not understood are left out, as lvmlockctl leaves them out.
  public init(_ dump: String) {
    var clients: [String: Client] = [:]
    var resource: Lock?
    for line in dump.split(separator: "\n") {
      let fields = Self.fields(line)
      switch fields["info"] {
      case "client":
        guard let id = fields["id"] else { continue }
        clients[id] = Client(
          processID: fields["pid"].flatMap { UInt32($0) } ?? 0, command: fields["name"] ?? "")
      case "ls":
        resource = nil
        lockspaces.append(
          Lockspace(
            name: fields["ls_name"] ?? "", vg: fields["vg_name"] ?? "",
            vgUUID: fields["vg_uuid"] ?? "", lockType: fields["lm_type"] ?? ""))
      case "r":
        let lock = Lock(
          type: fields["type"] ?? "", name: fields["name"] ?? "", mode: fields["mode"] ?? "",
          version: fields["version"].flatMap { UInt32($0) } ?? 0)
        resource = lock
        if lock.mode == "un" { add(.lock(lock)) }
      case "lk":
        guard var lock = resource else { continue }
        lock.mode = fields["mode"] ?? ""
        lock.version = fields["version"].flatMap { UInt32($0) } ?? 0
        lock.client = fields["client_id"].flatMap { clients[$0] }
        add(.lock(lock))
      case "r_action", "ls_action":
        let client =
          fields["client_id"].flatMap { clients[$0] } ?? Client(processID: 0, command: "")
        guard fields["op"] == "lock", var lock = resource else {
          add(.operation(fields["op"] ?? "", client))
          continue
        }
        lock.mode = fields["mode"] ?? ""
        lock.version = 0
        lock.client = client
        add(.waiting(lock))
      default: continue
      }
    }
  }

  private mutating func add(_ entry: Entry) {
    guard !lockspaces.isEmpty else { return }
    lockspaces[lockspaces.count - 1].entries.append(entry)
  }

  private static func fields(_ line: Substring) -> [Substring: String] {
    var fields: [Substring: String] = [:]
    for word in line.split(separator: " ") {
      guard let equals = word.firstIndex(of: "=") else { continue }
      fields[word[..<equals]] = String(word[equals...].dropFirst())
    }
    return fields
  }
}

/// As lvmlockctl prints it.
extension LockInformation {
  public var text: String {
    lockspaces.map { lockspace in
      (["VG \(lockspace.vg) lock_type=\(lockspace.lockType) \(lockspace.vgUUID)"]
        + ["LS \(lockspace.lockType) \(lockspace.name)"]
        + lockspace.entries.map(Self.line)).map { $0 + "\n" }.joined()
    }.joined(separator: "\n")
  }

  private static func line(_ entry: Entry) -> String {
    switch entry {
    case .lock(let lock): "LK \(described(lock))"
    case .waiting(let lock): "LW \(described(lock))"
    case .operation(let name, let client):
      "OP \(name) pid \(client.processID) (\(client.command))"
    }
  }

  private static func described(_ lock: Lock) -> String {
    let head = "\(lock.type.uppercased()) \(lock.mode)"
    if lock.type == "lv" { return "\(head) \(lock.name)" }
    if lock.mode == "un" { return "\(head) ver \(lock.version)" }
    let client = lock.client ?? Client(processID: 0, command: "")
    return "\(head) ver \(lock.version) pid \(client.processID) (\(client.command))"
  }
}
