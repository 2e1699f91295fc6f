import CLinux
import Glibc

/// Daemons that put themselves into the background, as clvmd and lvmlockd always did: whoever starts
/// one gets its prompt back when the daemon is ready to serve, or hears why it is not.
///
/// A Swift process must not fork, so it starts itself again: in a session of its own, with a pipe on
/// which the new process says that it is ready. It keeps standard error until then.
public enum BackgroundStart {
  /// Names the pipe's descriptor to the new process.
  private static let variable = "CLVMD_READY_DESCRIPTOR"

  /// The pipe of a process that `startAgain` started; nil in every other. To be called once, before
  /// any thread is started.
  public static func takeReadiness() -> Readiness? {
    guard let text = getenv(variable).map({ String(cString: $0) }) else { return nil }
    unsetenv(variable)
    guard let descriptor = Int32(text), descriptor > STDERR_FILENO,
      fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
    else { return nil }
    return Readiness(descriptor: descriptor)
  }

  /// Starts this program again with the same arguments, and waits until it is ready or has ended.
  ///
  /// - Parameter limit: how many seconds are waited for it, which goes on afterwards; nil for ever.
  /// - Returns: the exit code for this process: 0 when the daemon is ready, otherwise the daemon's;
  ///   nil after `limit`.
  public static func startAgain(atMost limit: Int32? = nil) throws(DaemonError) -> Int32? {
    var ends: [Int32] = [-1, -1]
    // The new process inherits the end that it writes to.
    guard pipe(&ends) == 0 else { throw failure("pipe", errno) }
    defer { close(ends[0]) }
    let process: pid_t
    do {
      defer { close(ends[1]) }
      guard fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 else { throw failure("fcntl", errno) }
      process = try spawn(readyDescriptor: ends[1])
    }
    if let limit, try !hasNews(ends[0], within: limit) { return nil }
    if try isReady(ends[0]) { return 0 }
    return try exitCode(of: process)
  }

  private static func spawn(readyDescriptor: Int32) throws(DaemonError) -> pid_t {
    var arguments: [UnsafeMutablePointer<CChar>?] =
      CommandLine.arguments.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    setenv(variable, "\(readyDescriptor)", 1)
    defer { unsetenv(variable) }
    let process = clinux_start_again_in_session(&arguments)
    guard process >= 0 else { throw failure("posix_spawn", errno) }
    return process
  }

  private static func hasNews(
    _ descriptor: Int32, within seconds: Int32
  ) throws(DaemonError) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while true {
      let count = poll(&request, 1, Int32(clamping: Int64(seconds) * 1_000))
      if count >= 0 { return count > 0 }
      guard errno == EINTR else { throw failure("poll", errno) }
    }
  }

  /// False when the other end was closed without a word: the daemon has ended.
  private static func isReady(_ descriptor: Int32) throws(DaemonError) -> Bool {
    var byte: UInt8 = 0
    while true {
      let count = read(descriptor, &byte, 1)
      if count >= 0 { return count == 1 }
      guard errno == EINTR else { throw failure("read", errno) }
    }
  }

  private static func exitCode(of process: pid_t) throws(DaemonError) -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) != process {
      guard errno == EINTR else { throw failure("waitpid", errno) }
    }
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }

  private static func failure(_ call: String, _ number: Int32) -> DaemonError {
    DaemonError(
      "cannot go to the background: \(call): \(String(cString: strerror(number)))")
  }
}

/// The way back to the process that waits for this one.
public struct Readiness: Sendable {
  fileprivate let descriptor: Int32

  /// The daemon serves: lets the caller go on, and leaves the caller's directory, terminal and
  /// pipes alone from now on.
  public func tell() throws(DaemonError) {
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    guard null >= 0 else {
      throw DaemonError("cannot open /dev/null: \(String(cString: strerror(errno)))")
    }
    defer { close(null) }
    for standard in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { dup2(null, standard) }
    chdir("/")
    var byte: UInt8 = 1
    // Nobody waits any more when this fails, and the daemon goes on all the same.
    _ = write(descriptor, &byte, 1)
    close(descriptor)
  }
}
