import Glibc

/// Signals that would end the command.
enum Signals {
  /// Runs `body` to its end whatever is pressed meanwhile: devices that it has suspended would stay
  /// so.
  static func held<Result>(_ body: () throws -> Result) rethrows -> Result {
    var ending = sigset_t()
    var before = sigset_t()
    sigemptyset(&ending)
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE] { sigaddset(&ending, signal) }
    sigprocmask(SIG_BLOCK, &ending, &before)
    defer { sigprocmask(SIG_SETMASK, &before, nil) }
    return try body()
  }
}
