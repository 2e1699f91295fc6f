import Glibc

/// Tells systemd how the daemon is, by datagrams to `$NOTIFY_SOCKET` (sd_notify(3)). Without that
/// variable nobody wants to know, and every method does nothing.
public struct SystemdNotifier: Sendable {
  public enum Message: Equatable, Sendable {
    /// Start-up is complete.
    case ready
    /// One line for `systemctl status`.
    case status(String)
    /// The main loop is alive.
    case watchdog
    case stopping
    /// The service manager should wait this much longer for the next message.
    case extendTimeout(Duration)

    var text: String {
      switch self {
      case .ready: "READY=1"
      case .status(let line):
        "STATUS=" + line.split(whereSeparator: \.isNewline).joined(separator: " ")
      case .watchdog: "WATCHDOG=1"
      case .stopping: "STOPPING=1"
      case .extendTimeout(let duration):
        "EXTEND_TIMEOUT_USEC=\(max(0, Int64(duration / .microseconds(1))))"
      }
    }
  }

  public enum NotifyError: Error, Equatable, Sendable, CustomStringConvertible {
    case unusableSocketName(String)
    case notSent(errno: Int32)

    public var description: String {
      switch self {
      case .unusableSocketName(let name): "NOTIFY_SOCKET names no unix socket: '\(name)'"
      case .notSent(let errno): "systemd was not told (errno \(errno))"
      }
    }
  }

  private let address: UnixSocketAddress?
  /// How often systemd wants `watchdog` at least; nil when it does not watch this process. Send at
  /// half of it.
  public let watchdogInterval: Duration?

  /// `environment` returns the value of a variable; the process' own by default.
  public init(
    environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }
  ) throws(NotifyError) {
    address = try environment("NOTIFY_SOCKET").map { (name) throws(NotifyError) in
      guard let address = UnixSocketAddress(name) else { throw .unusableSocketName(name) }
      return address
    }
    let watchedProcess = environment("WATCHDOG_PID").map { Int32($0) }
    let isWatched = watchedProcess == nil || watchedProcess == getpid()
    watchdogInterval = environment("WATCHDOG_USEC").flatMap { Int64($0) }
      .flatMap { isWatched && $0 > 0 ? .microseconds($0) : nil }
  }

  /// Sends the messages in one datagram; a failure is no reason to stop, only to say so.
  public func send(_ messages: Message...) throws(NotifyError) {
    guard let address else { return }
    let text = messages.map(\.text).joined(separator: "\n")
    let descriptor = socket(
      AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .notSent(errno: errno) }
    defer { close(descriptor) }
    let sent = address.withSocketAddress { pointer, length in
      sendto(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL), pointer, length)
    }
    guard sent == text.utf8.count else { throw .notSent(errno: errno) }
  }
}

/// A unix socket's name; one that begins with `@` is abstract and has no file.
private struct UnixSocketAddress {
  private let name: [UInt8]

  /// Nil unless the name is a path or abstract and fits.
  init?(_ text: String) {
    var name = Array(text.utf8)
    guard let first = name.first, first == UInt8(ascii: "/") || first == UInt8(ascii: "@"),
      name.count > 1, name.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path),
      !name.contains(0)
    else { return nil }
    if first == UInt8(ascii: "@") { name[0] = 0 }
    self.name = name
  }

  /// The length counts the family and the name, without a terminating zero: an abstract name would
  /// have it as a part.
  func withSocketAddress<Result>(
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let length = MemoryLayout<sa_family_t>.size + name.count
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
    }
  }
}
