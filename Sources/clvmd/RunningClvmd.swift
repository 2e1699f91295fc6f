import ArgumentParser
import Glibc
import LVMFrontends

/// The daemon that runs on this node, as the old program talks to it.
struct RunningClvmd {
  private static let replySizeMax = 1 << 20
  private static let restartSeconds = 60

  let socketPath: String

  /// Whether a daemon takes connections.
  var isThere: Bool {
    guard let descriptor = connection() else { return false }
    close(descriptor)
    return true
  }

  /// Sends a request and prints what went wrong on which node.
  func call(_ call: ClusterLockingCall) throws {
    guard let descriptor = connection() else {
      DaemonRun.complain("clvmd is not running: nobody listens on \(socketPath)")
      throw ExitCode(1)
    }
    defer { close(descriptor) }
    let bytes = call.encoded
    guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
      DaemonRun.complain("clvmd does not take the request: \(String(cString: strerror(errno)))")
      throw ExitCode(1)
    }
    let reply = read(from: descriptor)
    if case .restart = call { return try awaitNewLife() }
    guard let reply, let decoded = try? ClusterLockingReply(decoding: reply) else {
      DaemonRun.complain("clvmd closed the connection without a reply")
      throw ExitCode(1)
    }
    let failed = decoded.entries.filter { $0.status != 0 }
    for entry in failed { DaemonRun.complain("Error on node \(entry.node): \(entry.text)") }
    guard failed.isEmpty, decoded.status == .success else { throw ExitCode(1) }
  }

  private func awaitNewLife() throws {
    // Long enough for the old life to close its socket.
    for _ in 0..<(Self.restartSeconds * 2) {
      usleep(500_000)
      if isThere { return }
    }
    DaemonRun.complain("clvmd does not serve again \(Self.restartSeconds) s after its restart")
    throw ExitCode(1)
  }

  private func connection() -> Int32? {
    guard let address = UnixSocketAddress(path: socketPath) else { return nil }
    let descriptor = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    if address.withPointer({ connect(descriptor, $0, $1) }) == 0 { return descriptor }
    close(descriptor)
    return nil
  }

  /// Nil when the connection ends before the reply does.
  private func read(from descriptor: Int32) -> [UInt8]? {
    var reply: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while reply.count < Self.replySizeMax {
      if let size = ClusterLockingReply.size(of: reply), reply.count >= size {
        return Array(reply[..<size])
      }
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return nil }
      reply += buffer[..<count]
    }
    return nil
  }
}
