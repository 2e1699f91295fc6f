import Glibc

@testable import LVMFrontends

/// A blocking client of a unix socket, as lvm is one.
final class SocketClient {
  private let descriptor: Int32

  /// Nil when nobody listens.
  init?(path: String) {
    guard let address = UnixSocketAddress(path: path) else { return nil }
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    // No test waits longer for what does not come.
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    guard address.withPointer({ connect(descriptor, $0, $1) }) == 0 else { return nil }
  }

  deinit { close(descriptor) }

  @discardableResult
  func send(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
  }

  /// Reads `count` messages; fewer when the connection ends or nothing comes any more.
  func receive(_ count: Int = 1) -> [String] {
    var buffer = FramedTextBuffer()
    var messages: [String] = []
    var bytes = [UInt8](repeating: 0, count: 4_096)
    while messages.count < count {
      if let message = buffer.nextMessage() {
        messages.append(String(decoding: message, as: UTF8.self))
        continue
      }
      let length = recv(descriptor, &bytes, bytes.count, 0)
      guard length > 0, (try? buffer.append(bytes[..<length])) != nil else { break }
    }
    return messages
  }

  /// The server has closed the connection.
  func isAtEnd() -> Bool {
    var byte: UInt8 = 0
    let length = recv(descriptor, &byte, 1, 0)
    // Only a failure sets errno; after an end of the stream it is what another test left there.
    return length == 0 || (length < 0 && errno != EAGAIN)
  }
}

/// A folder of its own for sockets, removed at the end.
struct TemporaryFolder: ~Copyable {
  let path: String

  init() {
    var template = Array("/tmp/clvmd-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { preconditionFailure("no temporary folder") }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { system("rm -rf '\(path)'") }
}
