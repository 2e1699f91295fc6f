import AdminProtocol
import ArgumentParser
import ClusterTypes
import VolumeReports

struct LocksCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "locks",
    abstract: "List the locks of the daemon's own lockspaces, of the whole cluster.",
    discussion: """
      With --posix: the locks that programs have taken with fcntl(2) on cluster filesystems that \
      this node has mounted, of all nodes. The kernel's own locks are shown by dlm_tool.
      """)

  @OptionGroup var daemon: DaemonOptions

  @Flag(name: .long, help: "Only locks that wait, each with those it waits for.")
  var waiting = false

  @Flag(name: .long, help: "POSIX locks of cluster filesystems instead.")
  var posix = false

  @Argument(help: "Only this lockspace.")
  var lockspace: String?

  func run() throws {
    let name = try lockspace.map(LockCommand.lockspaceName)
    guard !posix else { return try listPosixLocks(name) }
    let reply = try daemon.perform(.locks(lockspace: name, onlyWaiting: waiting))
    guard case .locks(let locks, let silentNodes) = reply else { throw daemon.unexpected(reply) }
    if daemon.json {
      Output.json(
        .object([
          ("locks", .array(locks.map(\.json))), ("silent_nodes", .array(silentNodes.map(\.json))),
        ]))
    } else {
      Output.lines(LockStatus.table(locks, withBlockers: waiting).lines())
      for node in silentNodes {
        Output.error("  Node \(node) did not answer: what only it knows is missing.")
      }
    }
  }
}

extension LocksCommand {
  private func listPosixLocks(_ name: LockspaceName?) throws {
    let reply = try daemon.perform(.posixLocks(lockspace: name, onlyWaiting: waiting))
    guard case .posixLocks(let locks) = reply else { throw daemon.unexpected(reply) }
    if daemon.json {
      Output.json(.object([("posix_locks", .array(locks.map(\.json)))]))
    } else {
      Output.lines(PosixLockStatus.table(locks).lines())
    }
  }
}

struct LockCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lock",
    abstract: "Run a command while holding a cluster lock.",
    usage: "clvm lock [OPTIONS] LOCKSPACE RESOURCE MODE -- COMMAND [ARGUMENTS …]",
    discussion: """
      Like flock(1): the exit status is the command's, or the conflict exit code when the lock \
      was not got. The command inherits the connection that holds the lock, so the lock stays \
      until the command and all that it leaves running have ended; see --close.
      """)

  @OptionGroup var daemon: DaemonOptions

  @Flag(name: [.customShort("n"), .long], help: "Fail rather than wait.")
  var nonblock = false

  @Option(name: [.customShort("w"), .long], help: "Fail after this many seconds.")
  var timeout: Double?

  @Flag(name: .long, help: "Fail if that ends a deadlock.")
  var failOnDeadlock = false

  @Option(
    name: [.customShort("E"), .long], help: "Exit status when the lock is not got: 0 to 255.")
  var conflictExitCode: Int32 = 1

  @Flag(name: [.customShort("o"), .long], help: "Close the connection before running the command.")
  var close = false

  @Argument(help: "The lockspace.")
  var lockspace: String

  @Argument(help: "The resource: 1 to 64 bytes.")
  var resource: String

  @Argument(help: "NL, CR, CW, PR, PW or EX.")
  var mode: String

  @Argument(parsing: .postTerminator, help: "The command and its arguments.")
  var command: [String] = []

  func validate() throws {
    guard LockModeName(argument: mode) != nil else {
      throw ValidationError("\(mode) is not a lock mode: use NL, CR, CW, PR, PW or EX.")
    }
    guard (1...64).contains(resource.utf8.count) else {
      throw ValidationError("The name of a resource has 1 to 64 bytes.")
    }
    guard (0...255).contains(conflictExitCode) else {
      throw ValidationError("An exit status lies between 0 and 255.")
    }
    if let timeout, !(0...86_400_000).contains(timeout) {
      throw ValidationError("A timeout lies between 0 and 86400000 seconds.")
    }
    guard !command.isEmpty else {
      throw ValidationError("The command to run is missing: put it behind --.")
    }
  }

  func run() throws {
    guard let mode = LockModeName(argument: mode) else {
      throw ValidationError("\(mode) is not a lock mode.")
    }
    var client = try daemon.connect()
    do {
      try client.send(
        .lock(
          LockRequest(
            lockspace: try Self.lockspaceName(lockspace), resource: resource, mode: mode,
            isNonBlocking: nonblock,
            timeoutMilliseconds: timeout.map { UInt64($0 * 1000) },
            mayBeVictim: failOnDeadlock)))
      try waitForGrant(&client)
    } catch let error as AdminClientError {
      throw CommandFailure(error.description)
    }
    Output.flush()
    let child = try ChildProcess(
      command, inheriting: close ? nil : client.descriptor)
    try child.exitWhenItEnds()
    watch(&client, child)
  }

  private func waitForGrant(_ client: inout AdminClient) throws {
    while let reply = try client.nextReply() {
      switch reply {
      case .lockGranted: return
      case .progress(let text): Output.error("  " + text)
      case .failed(let failure):
        switch failure.reason {
        case .wouldBlock, .timedOut:
          throw CommandFailure(failure.message, status: .other(conflictExitCode))
        case .invalidRequest, .notFound, .refused, .noQuorum, .failed:
          throw CommandFailure(failure)
        }
      case .lockBlocks, .done, .status, .nodes, .lockspaces, .locks, .posixLocks, .resized,
        .activated, .printed, .mappedDevices, .facts, .keyStates, .certificateRequest:
        throw daemon.unexpected(reply)
      }
    }
    throw AdminClientError.connectionLost
  }

  /// Reads notices until the child's end ends this process, or the daemon gives the lock up.
  private func watch(_ client: inout AdminClient, _ child: ChildProcess) {
    do throws(AdminClientError) {
      while let reply = try client.nextReply() {
        switch reply {
        case .lockBlocks(let mode):
          Output.error("  Somebody waits for \(resource) in \(mode.rawValue).")
        case .progress(let text): Output.error("  " + text)
        case .failed(let failure): Output.error("  " + failure.message)
        case .lockGranted, .done, .status, .nodes, .lockspaces, .locks, .posixLocks, .resized,
          .activated, .printed, .mappedDevices, .facts, .keyStates, .certificateRequest:
          break
        }
      }
    } catch {
      Output.error("  \(error)")
    }
    Output.error("  The lock on \(resource) is lost: clvmd went away. Ending the command.")
    child.terminate()
    ChildProcess.waitForever()
  }

  static func lockspaceName(_ text: String) throws -> LockspaceName {
    guard let name = LockspaceName(text) else {
      throw ValidationError("\(text) cannot be the name of a lockspace.")
    }
    return name
  }
}
