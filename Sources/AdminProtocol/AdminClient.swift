import Glibc

/// A blocking connection to the daemon's admin socket.
///
/// The descriptor is close-on-exec: a command that runs under a lock must not keep the lock alive.
public struct AdminClient: ~Copyable {
  public static let defaultSocketPath = "/run/clvmd/admin.socket"

  /// For a child process that is to share the connection; not to be read, written or closed.
  public let descriptor: Int32
  private var framing = AdminFraming(limit: AdminFraming.replyLengthMaximum)

  public init(socketPath: String = defaultSocketPath) throws(AdminClientError) {
    descriptor = try Self.connectedSocket(to: socketPath)
  }

  deinit { close(descriptor) }

  private static func connectedSocket(to socketPath: String) throws(AdminClientError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = Array(socketPath.utf8)
    // The kernel wants the path with its final NUL to fit.
    guard path.count < MemoryLayout.size(ofValue: address.sun_path), !path.contains(0) else {
      throw .unusablePath(socketPath)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { throw .failed("open a socket", errno: errno) }
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status != 0 else { return descriptor }
    let code = errno
    close(descriptor)
    switch code {
    case ENOENT, ECONNREFUSED: throw .notRunning(socketPath)
    case EACCES, EPERM: throw .notPermitted(socketPath)
    default: throw .failed("connect to \(socketPath)", errno: code)
    }
  }

  public func send(_ request: AdminRequest) throws(AdminClientError) {
    let bytes = request.encode()
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .failed("send the request", errno: errno)
      }
      sent += count
    }
  }

  /// Waits for the next reply; nil when the daemon has closed the connection.
  public mutating func nextReply() throws(AdminClientError) -> AdminReply? {
    while true {
      do {
        if let message = try framing.next() { return try AdminReply(decoding: message) }
      } catch {
        throw .notUnderstood("\(error)")
      }
      guard let bytes = try receive() else { return nil }
      framing.append(bytes)
    }
  }

  /// Sends the request and returns its final reply; replies before it go to `progress`.
  public mutating func perform(
    _ request: AdminRequest, progress: (AdminReply) -> Void = { _ in }
  ) throws(AdminClientError) -> AdminReply {
    try send(request)
    while let reply = try nextReply() {
      if reply.isFinal { return reply }
      progress(reply)
    }
    throw .connectionLost
  }

  private func receive() throws(AdminClientError) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
      if count > 0 { return Array(buffer[..<count]) }
      if count == 0 { return nil }
      if errno == ECONNRESET { return nil }
      if errno != EINTR { throw .failed("read from clvmd", errno: errno) }
    }
  }
}

/// Why there is no answer from the daemon, in words for an administrator.
public enum AdminClientError: Error, Equatable, Sendable, CustomStringConvertible {
  case unusablePath(String)
  case notRunning(String)
  case notPermitted(String)
  case connectionLost
  case notUnderstood(String)
  case failed(String, errno: Int32)

  public var description: String {
    switch self {
    case .unusablePath(let path): "\(path) cannot be the path of a socket: it is too long."
    case .notRunning(let path):
      "clvmd is not running on this node: nobody listens on \(path). Try 'systemctl start clvmd'."
    case .notPermitted(let path): "Only root may speak to clvmd: permission denied on \(path)."
    case .connectionLost:
      "clvmd closed the connection without an answer. See its log for what became of the request."
    case .notUnderstood(let reason): "The answer of clvmd is not understood: \(reason)"
    case .failed(let what, let code):
      "Failed to \(what): \(strerror(code).map { String(cString: $0) } ?? "error \(code)")."
    }
  }
}
