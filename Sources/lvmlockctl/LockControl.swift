import ArgumentParser
import ConfigText
import Glibc
import LVMFrontends

/// lvmlockctl for this daemon: the options of the original, and an exit status that tells the truth.
@main
struct LockControl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lvmlockctl",
    abstract: "Looks at, stops and drops the locks of LVM's shared volume groups on this node.",
    discussion: """
      Exit status: 0 when it was done, 1 when it was refused or the daemon cannot be reached, 64 for \
      wrong arguments. lvmlockctl(8) of LVM exits 0 also when it was refused.
      """)

  @Flag(name: .shortAndLong, help: "Ask the daemon to quit; it does when no lockspace is left.")
  var quit = false
  @Flag(name: .shortAndLong, help: "Print who holds and who waits for locks on this node.")
  var info = false
  @Flag(name: .shortAndLong, help: "Print the latest events; with --info the raw lock state.")
  var dump = false
  @Option(
    name: [.customShort("w", allowingJoined: true), .long],
    help: "0 or 1: whether --stop-lockspaces waits until none is left.")
  var wait = 1
  @Option(
    name: [.customShort("f", allowingJoined: true), .long],
    help: "0 or 1: whether --stop-lockspaces gives up locks of active logical volumes.")
  var force = 0
  @Option(
    name: [.customShort("k", allowingJoined: true), .long],
    help: ArgumentHelp("Refuse new locks of a volume group whose disks are lost.", valueName: "vg"))
  var kill: String?
  @Option(
    name: [.customShort("r", allowingJoined: true), .long],
    help: ArgumentHelp("Forget the locks of a volume group that was killed.", valueName: "vg"))
  var drop: String?
  @Option(
    name: [.customShort("E", allowingJoined: true), .long],
    help: ArgumentHelp("For sanlock only; refused.", valueName: "vg"))
  var glEnable: String?
  @Option(
    name: [.customShort("D", allowingJoined: true), .long],
    help: ArgumentHelp("For sanlock only; refused.", valueName: "vg"))
  var glDisable: String?
  @Flag(name: [.customShort("S"), .long], help: "Stop every volume group that has no lock.")
  var stopLockspaces = false
  @Flag(name: [.customShort("e"), .long], help: "Accepted: messages always go to standard error.")
  var stderr = false

  // Ours.
  @Flag(help: "Print --info as JSON.")
  var json = false
  @Option(help: "The daemon's socket.")
  var socketPath = "/run/lvm/lvmlockd.socket"

  func validate() throws {
    guard [0, 1].contains(wait), [0, 1].contains(force) else {
      throw ValidationError("--wait and --force are 0 or 1")
    }
    let requests =
      [quit, info || dump, stopLockspaces].count { $0 }
      + [kill, drop, glEnable, glDisable].count { $0 != nil }
    guard requests == 1 else { throw ValidationError("give exactly one request; see --help") }
  }

  func run() throws {
    do {
      var daemon = try LockControlConnection.open(socketPath: socketPath)
      try perform(&daemon)
    } catch let failure as LockControlConnection.Failure {
      try refuse("\(failure)")
    }
  }

  private func perform(_ daemon: inout LockControlConnection) throws {
    if quit {
      let result = try daemon.ask("quit", []).integer("result") ?? 0
      if result < 0 { try refuse("a lockspace is started; run: lvmlockctl --stop-lockspaces") }
    } else if info || dump {
      try printDump(&daemon)
    } else if stopLockspaces {
      try stop(&daemon)
    } else if let kill {
      try KillCommand(vg: kill).run(&daemon)
    } else if let drop {
      try daemon.change("drop_vg", vg: drop)
    } else if let vg = glEnable ?? glDisable {
      try daemon.change(glEnable == nil ? "disable_gl" : "enable_gl", vg: vg)
    }
  }

  private func printDump(_ daemon: inout LockControlConnection) throws {
    let text = try daemon.dump(info ? "info" : "dump", socketName: "lvmlockd-dump.sock")
    if info, json {
      print(LockInformation(text).json.text)
    } else if info, !dump {
      print(LockInformation(text).text, terminator: "")
    } else {
      print(text)
    }
  }

  private func stop(_ daemon: inout LockControlConnection) throws {
    let words = (wait == 1 ? ["wait"] : []) + (force == 1 ? ["force"] : [])
    let options = words.isEmpty ? "none" : words.joined(separator: " ")
    let reply = try daemon.ask(
      "stop_all",
      [
        ("cmd", .string("lvmlockctl")), ("pid", .integer(Int64(getpid()))),
        ("opts", .string(options)),
      ])
    let remaining = reply.integer("op_result") ?? 0
    guard remaining != 0 else { return }
    try refuse(
      remaining < 0
        ? "result \(remaining)"
        : "\(remaining) lockspaces are still started: logical volumes are active or commands run")
  }
}

/// What `--kill` does: no new locks, and the administrator's own command, which makes sure that
/// nothing uses the volume group any more; after that the locks can go.
private struct KillCommand {
  let vg: String

  func run(_ daemon: inout LockControlConnection) throws {
    try daemon.change("kill_vg", vg: vg)
    say("No locks of VG \(vg) are given out on this node any more.")
    guard let command = try KillSetting.command() else {
      say("Deactivate the logical volumes of VG \(vg) now.")
      say("When nothing uses them any more, run: lvmlockctl --drop \(vg)")
      return
    }
    let status = try command.run(vg: vg)
    guard status == 0 else {
      return try refuse("\(command.path) \(vg) ended with status \(status); the locks are kept")
    }
    try daemon.change("drop_vg", vg: vg)
  }
}

extension LockControlConnection {
  /// A request about a volume group, or an error that says what the daemon made of it.
  fileprivate mutating func change(_ request: String, vg: String) throws {
    let reply = try ask(
      request,
      [
        ("cmd", .string("lvmlockctl")), ("pid", .integer(Int64(getpid()))),
        ("vg_name", .string(vg)),
      ])
    switch reply.integer("op_result") {
    case 0: return
    case -210: try refuse("VG \(vg) is not started on this node")
    case -22 where request.hasSuffix("able_gl"):
      try refuse("VG \(vg): the global lock of lock type dlm is in no volume group")
    case let result:
      try refuse("VG \(vg): \(request) failed: \(result.map(String.init) ?? "no result")")
    }
  }
}

/// Says why, and ends with status 1.
private func refuse(_ reason: String) throws {
  say("lvmlockctl: \(reason)")
  throw ExitCode(1)
}

private func say(_ text: String) {
  let bytes = Array((text + "\n").utf8)
  // Nobody is left to be told if standard error does not take it.
  _ = write(STDERR_FILENO, bytes, bytes.count)
}
