import ArgumentParser
import Glibc
import Keeper
import KeeperProtocol
import Synchronization

/// Set by SIGTERM.
private let isTerminated = Atomic(false)

@main
struct KeeperProgram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clvmd-keeper",
    abstract: "Keep the watchdog, and the kernel's lock manager, over a restart of clvmd.",
    discussion: """
      Runs as long as the machine is in a cluster. It pets the watchdog only while the daemon's lease \
      lasts, and resets the machine when something on it may still write after that. It ends on \
      SIGTERM once nothing on the node may write.
      """)

  @Option(help: "Path of the socket for clvmd.")
  var socket = KeeperProtocol.standardSocket

  func run() throws {
    let folder = socket.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      .joined(separator: "/")
    if mkdir(folder, 0o700) != 0, errno != EEXIST {
      throw KeeperFailure("\(folder): \(String(cString: strerror(errno)))")
    }
    // Before anything else is touched: the memory that petting needs must never wait for a disk.
    if mlockall(Int32(MCL_CURRENT | MCL_FUTURE)) != 0 {
      say("memory cannot be locked: \(String(cString: strerror(errno)))")
    }
    signal(SIGPIPE, SIG_IGN)
    for number in [SIGTERM, SIGINT] {
      signal(number) { _ in isTerminated.store(true, ordering: .releasing) }
    }
    let server = KeeperServer(socketPath: socket) { say($0) }
    try server.start()
    say("ready at \(socket)")
    server.serve { !isTerminated.load(ordering: .acquiring) }
    say("has stopped")
  }
}

/// To standard error, which systemd's journal takes.
private func say(_ text: String) {
  let line = Array("clvmd-keeper: \(text)\n".utf8)
  _ = write(STDERR_FILENO, line, line.count)
}
