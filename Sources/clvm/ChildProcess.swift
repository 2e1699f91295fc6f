import Glibc

/// A command that runs while this process holds a lock for it.
struct ChildProcess {
  private let pid: pid_t

  /// Looks for the command in PATH. `descriptor` stays open in the child.
  init(_ arguments: [String], inheriting descriptor: Int32?) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // Duplicating a descriptor onto itself takes its close-on-exec flag away in the child only.
    if let descriptor { posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor) }
    var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    vector.append(nil)
    defer { for pointer in vector { free(pointer) } }
    var child: pid_t = 0
    let code = posix_spawnp(&child, arguments[0], &actions, nil, vector, environ)
    guard code == 0 else {
      // The shell's statuses for a command that is not there or cannot be run.
      throw CommandFailure(
        "\(arguments[0]): \(String(cString: strerror(code)))",
        status: .other(code == ENOENT ? 127 : 126))
    }
    pid = child
    // The terminal's signals are meant for the command, which decides when the lock may go.
    signal(SIGINT, SIG_IGN)
    signal(SIGQUIT, SIG_IGN)
  }

  /// From a thread of its own: ends this process with the command's status. If no thread can be
  /// made, the command is ended: nobody would watch over its lock.
  func exitWhenItEnds() throws {
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        let pid = pid_t(Int(bitPattern: argument))
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        // Lower seven bits: the signal that ended it; next eight: its exit status.
        let signal = status & 0x7F
        exit(signal == 0 ? (status >> 8) & 0xFF : 128 + signal)
      }, UnsafeMutableRawPointer(bitPattern: Int(pid)))
    guard code == 0 else {
      terminate()
      throw CommandFailure("No thread can be made: \(String(cString: strerror(code)))")
    }
  }

  func terminate() { kill(pid, SIGTERM) }

  static func waitForever() -> Never { while true { pause() } }
}
