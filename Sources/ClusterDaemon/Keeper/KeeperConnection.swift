import CLinux
import Glibc
import KeeperProtocol
import Synchronization

/// One of the daemon's two connections to its keeper.
final class KeeperConnection: Sendable {
  /// The keeper answers at once or not at all.
  private static let answerSeconds = 10

  private let descriptor: Int32
  /// One question at a time; the buffer belongs to who asks.
  private let turn = Mutex([UInt8](repeating: 0, count: KeeperProtocol.maximumBytes))

  /// Waits up to `patienceMilliseconds` for a keeper that is only just starting.
  init(path: String, patienceMilliseconds: Int) throws(DaemonError) {
    var waited = 0
    var found = clinux_message_connect(path)
    while found < 0, waited < patienceMilliseconds, errno == ENOENT || errno == ECONNREFUSED {
      usleep(50_000)
      waited += 50
      found = clinux_message_connect(path)
    }
    guard found >= 0 else {
      throw DaemonError(
        "no clvmd-keeper answers at \(path) (\(String(cString: strerror(errno)))): start it "
          + "(systemctl start clvmd-keeper), or set keeper/enabled = 0")
    }
    descriptor = found
  }

  deinit { close(descriptor) }

  /// Sends without waiting; false when the keeper does not take it.
  func send(_ request: KeeperRequest) -> Bool {
    let bytes = request.encoded
    return clinux_message_send(descriptor, bytes, bytes.count, 1) == 0
  }

  /// Asks and waits for the answer; blocks.
  func ask(_ request: KeeperRequest) throws(DaemonError) -> KeeperReply {
    let result = turn.withLock { buffer -> Result<KeeperReply, DaemonError> in
      Result { () throws(DaemonError) in
        guard send(request) else { throw Self.lost(errno) }
        guard Self.waitUntilReadable(descriptor, milliseconds: Int32(Self.answerSeconds * 1000))
        else { throw DaemonError("clvmd-keeper has not answered for \(Self.answerSeconds) s") }
        return try receive(&buffer)
      }
    }
    let reply = try result.get()
    if case .refused(let reason) = reply { throw DaemonError("clvmd-keeper: \(reason)") }
    return reply
  }

  /// The next message, for a thread that does nothing but wait for it.
  func next(_ buffer: inout [UInt8]) throws(DaemonError) -> KeeperReply { try receive(&buffer) }

  /// Ends the connection for whoever waits on it.
  func shutDown() { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }

  private func receive(_ buffer: inout [UInt8]) throws(DaemonError) -> KeeperReply {
    let count = clinux_message_receive(descriptor, &buffer, buffer.count)
    guard count > 0, count <= buffer.count else { throw Self.lost(count < 0 ? errno : 0) }
    do {
      return try KeeperReply(decoding: buffer[..<count])
    } catch {
      throw DaemonError("clvmd-keeper's message is not understood: \(error)")
    }
  }

  private static func lost(_ number: Int32) -> DaemonError {
    DaemonError(
      "clvmd-keeper is gone" + (number == 0 ? "" : ": \(String(cString: strerror(number)))"))
  }

  private static func waitUntilReadable(_ descriptor: Int32, milliseconds: Int32) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    var ready: Int32
    repeat { ready = poll(&request, 1, milliseconds) } while ready < 0 && errno == EINTR
    return ready > 0
  }
}
