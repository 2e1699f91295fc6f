import ConfigText
import Glibc

/// A blocking connection to lvmlockd's socket, as lvmlockctl uses it.
public struct LockControlConnection: ~Copyable {
  public struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
  }

  private static let replyLengthMax = 64 << 10
  /// What `dump_len` may say at the most: the daemon keeps to it.
  private static let dumpLengthMax = 1 << 20

  private let descriptor: Int32
  private var buffer = FramedTextBuffer(limit: Self.replyLengthMax)

  private init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// Connects and makes sure that lvmlockd's protocol is spoken there.
  public static func open(socketPath: String) throws(Failure) -> Self {
    var connection = Self(try connectedSocket(to: socketPath))
    let greeting = try connection.ask("hello", [])
    guard greeting.string("protocol") == LockDaemonReply.protocolName,
      greeting.integer("version") == LockDaemonReply.protocolVersion
    else { throw Failure("\(socketPath) does not speak lvmlockd's protocol") }
    return connection
  }

  private static func connectedSocket(to path: String) throws(Failure) -> Int32 {
    guard let address = UnixSocketAddress(path: path) else {
      throw Failure("\(path) cannot be the path of a socket")
    }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw failure("open a socket") }
    guard address.withPointer({ connect(descriptor, $0, $1) }) == 0 else {
      let refusal = failure("connect to \(path)")
      close(descriptor)
      throw refusal
    }
    return descriptor
  }

  deinit { close(descriptor) }

  /// Sends a request and waits for its reply.
  public mutating func ask(
    _ request: String, _ fields: [(String, ConfigValue)]
  ) throws(Failure) -> ConfigSection {
    var message = ConfigSection()
    message.append("request", .string(request))
    for (name, value) in fields { message.append(name, value) }
    try send(message.text(style: .raw) + FramedTextBuffer.terminator)
    while true {
      if let reply = buffer.nextMessage() {
        do {
          return try ConfigSection(parsing: reply)
        } catch {
          throw Failure("a reply that is not understood: \(error)")
        }
      }
      do {
        try buffer.append(try receive())
      } catch let error as FramedTextError {
        throw Failure("a reply that is not understood: \(error)")
      } catch let error as Failure {
        throw error
      } catch {
        throw Failure("\(error)")
      }
    }
  }

  /// The text behind `info` or `dump`, which comes as datagrams to an abstract name.
  public mutating func dump(_ request: String, socketName: String) throws(Failure) -> String {
    guard let address = UnixSocketAddress(abstractName: socketName) else {
      throw Failure("\(socketName) cannot be the name of a socket")
    }
    let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard receiver >= 0 else { throw Self.failure("open a socket") }
    defer { close(receiver) }
    guard address.withPointer({ bind(receiver, $0, $1) }) == 0 else {
      throw Self.failure("take the name \(socketName): does another lvmlockctl run?")
    }
    let reply = try ask(request, [])
    let length = Int(reply.integer("dump_len") ?? 0)
    guard (0...Self.dumpLengthMax).contains(length) else {
      throw Failure("a dump of \(length) bytes is not taken")
    }
    var bytes = [UInt8](repeating: 0, count: length)
    var count = 0
    while count < length {
      let received = bytes[count...].withUnsafeMutableBytes {
        recv(receiver, $0.baseAddress, $0.count, 0)
      }
      if received < 0 {
        if errno == EINTR { continue }
        throw Self.failure("receive the dump")
      }
      count += received
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func send(_ bytes: [UInt8]) throws(Failure) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw Self.failure("send the request")
      }
      sent += count
    }
  }

  private func receive() throws(Failure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
      if count > 0 { return Array(bytes[..<count]) }
      if count == 0 { throw Failure("lvmlockd closed the connection without a reply") }
      if errno != EINTR { throw Self.failure("read from lvmlockd") }
    }
  }

  private static func failure(_ what: String) -> Failure {
    Failure("cannot \(what): \(String(cString: strerror(errno)))")
  }
}
