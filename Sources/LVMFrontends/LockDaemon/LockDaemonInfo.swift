import ClusterTypes

/// The state of the machine as lvmlockctl reads it: by position, line by line (lvmlockd-socket 14).
extension LockDaemonMachine {
  /// lvmlockctl keeps so many clients and writes beyond its table for more.
  private static let clientCountMax = 100
  private static let lengthMax = 1 << 20

  var infoText: [UInt8] {
    var lines = [
      """
      info=structs unused_action_count=0 unused_client_count=0 unused_resource_count=0 \
      unused_lock_count=0
      """
    ]
    for (client, known) in clients.sorted(by: { $0.key < $1.key }).prefix(Self.clientCountMax) {
      lines.append(
        "info=client pid=\(known.processID) fd=0 pi=0 id=\(client) name=\(known.command ?? ".")")
    }
    for (name, lockspace) in lockspaces.sorted(by: { $0.key < $1.key }) {
      lines += Self.lines(name, lockspace)
    }
    var text: [UInt8] = []
    for line in lines where text.count + line.utf8.count < Self.lengthMax {
      text += line.utf8
      text.append(UInt8(ascii: "\n"))
    }
    return text
  }

  private static func lines(_ name: LockspaceName, _ lockspace: Lockspace) -> [String] {
    let header = """
      info=ls ls_name=\(name) vg_name=\(lockspace.vg ?? ".") vg_uuid=\(lockspace.vgUUID ?? ".") \
      vg_sysid=. vg_args=\(lockspace.lockArguments ?? ".") lm_type=dlm host_id=0 create_fail=0 \
      create_done=\(lockspace.isStarting ? 0 : 1) thread_work=0 \
      thread_stop=\(lockspace.isStopping ? 1 : 0) thread_done=0 \
      kill_vg=\(lockspace.isKilled ? 1 : 0) drop_vg=0 sanlock_gl_enabled=0
      """
    return [header] + actions(lockspace)
      + lockspace.resources.values.sorted { $0.name < $1.name }.flatMap(lines)
  }

  /// Those who wait until the lockspace is started or left.
  private static func actions(_ lockspace: Lockspace) -> [String] {
    let (name, clients) =
      switch lockspace.state {
      case .starting(let askers): ("start", askers)
      case .started: ("", [ClientID]())
      case .stopping(let askers, isExplicit: _): ("stop", askers)
      }
    return clients.map { client in
      """
      info=ls_action client_id=\(client) flags=0x0 version=0 op=\(name) rt=vg mode=iv \
      lm_type=dlm result=0 lm_rv=0
      """
    }
  }

  private static func lines(_ resource: LockResource) -> [String] {
    let type = type(of: resource.name)
    let mode = resource.heldMode?.rawValue ?? "un"
    let version = resource.version
    var lines = [
      """
      info=r name=\(resource.name.text) type=\(type) mode=\(mode) \
      sh_count=\(resource.transients.values.count { $0 == .shared }) version=\(version)
      """
    ]
    if let mode = resource.persistent {
      lines.append("info=lk mode=\(mode.rawValue) version=0 flags=0x1 client_id=0")
    }
    for (client, mode) in resource.transients.sorted(by: { $0.key < $1.key }) {
      lines.append(
        "info=lk mode=\(mode.rawValue) version=\(version) flags=0x0 client_id=\(client)")
    }
    for request in resource.queue {
      guard case .client(let client) = request.owner, case .lock(let mode) = request.purpose else {
        continue
      }
      lines.append(
        """
        info=r_action client_id=\(client) flags=0x\(request.isPersistent ? 1 : 0) version=0 \
        op=lock rt=\(type) mode=\(mode.rawValue) lm_type=dlm result=0 lm_rv=0
        """)
    }
    return lines
  }

  private static func type(of name: ResourceName) -> String {
    switch name {
    case .global: "gl"
    case .volumeGroup: "vg"
    case .logicalVolume: "lv"
    }
  }
}
