import Glibc
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import LVMFrontends

/// The server on real unix sockets.
@Suite struct FramedTextServerTests {
  /// Answers each message with itself, and disconnects for "bye".
  private final class Echo: FramedTextServerDelegate {
    var server: FramedTextServer?
    var closedCount = 0

    func clientConnected(_ client: ClientID, peer: SocketPeer) {}

    func received(_ message: [UInt8], from client: ClientID) {
      if message == Array("bye".utf8) {
        server?.close(client)
      } else {
        server?.reply(to: client, message)
      }
    }

    func clientClosed(_ client: ClientID) { closedCount += 1 }
  }

  private struct Running {
    let echo: NIOLoopBound<Echo>
    let loop: any EventLoop

    func stop() async throws {
      try await loop.flatSubmit { [echo] in
        echo.value.server?.stop() ?? loop.makeSucceededVoidFuture()
      }.get()
    }

    func closedCount() async throws -> Int {
      try await loop.submit { [echo] in echo.value.closedCount }.get()
    }
  }

  private func start(
    _ path: String, messageLengthMax: Int = 64 << 10, clientCountMax: Int = 1_024
  ) async throws -> Running {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    return try await loop.flatSubmit {
      let echo = Echo()
      let server = FramedTextServer(
        eventLoop: loop,
        configuration: .init(
          path: path, messageLengthMax: messageLengthMax, clientCountMax: clientCountMax),
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), delegate: echo)
      echo.server = server
      let running = Running(echo: NIOLoopBound(echo, eventLoop: loop), loop: loop)
      return server.start().map { running }
    }.get()
  }

  @Test func messagesAreAnsweredInOrderHoweverTheyArrive() async throws {
    let folder = TemporaryFolder()
    let running = try await start("\(folder.path)/socket")
    let client = try #require(SocketClient(path: "\(folder.path)/socket"))
    client.send("one\n##\ntwo\n##")
    client.send("\n")
    #expect(client.receive(2) == ["one", "two"])
    let many = (0..<5_000).map { "\($0)" }
    client.send(many.map { $0 + "\n##\n" }.joined())
    #expect(client.receive(5_000) == many)
    try await running.stop()
    #expect(client.isAtEnd())
    #expect(try await running.closedCount() == 1)
  }

  @Test func endlessMessageDisconnects() async throws {
    let folder = TemporaryFolder()
    let running = try await start("\(folder.path)/socket", messageLengthMax: 1_000)
    let client = try #require(SocketClient(path: "\(folder.path)/socket"))
    client.send(String(repeating: "x", count: 2_000))
    #expect(client.isAtEnd())
    try await running.stop()
  }

  @Test func clientsBeyondTheLimitAreDisconnected() async throws {
    let folder = TemporaryFolder()
    let running = try await start("\(folder.path)/socket", clientCountMax: 1)
    let first = try #require(SocketClient(path: "\(folder.path)/socket"))
    first.send("a\n##\n")
    #expect(first.receive() == ["a"])
    let second = try #require(SocketClient(path: "\(folder.path)/socket"))
    #expect(second.isAtEnd())
    first.send("bye\n##\n")
    #expect(first.isAtEnd())
    try await running.stop()
  }

  @Test func socketIsForItsOwnerOnlyAndGoneAtTheEnd() async throws {
    let folder = TemporaryFolder()
    let path = "\(folder.path)/made/socket"
    let running = try await start(path)
    var status = stat()
    #expect(lstat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    try await running.stop()
    #expect(lstat(path, &status) != 0)
  }

  @Test func liveSocketIsNeverReplaced() async throws {
    let folder = TemporaryFolder()
    let path = "\(folder.path)/socket"
    let running = try await start(path)
    await #expect(throws: SocketFileError.inUse(path)) { _ = try await start(path) }
    let client = try #require(SocketClient(path: path))
    client.send("still here\n##\n")
    #expect(client.receive() == ["still here"])
    try await running.stop()
  }

  @Test func socketOfADeadServerIsReplaced() async throws {
    let folder = TemporaryFolder()
    let path = "\(folder.path)/socket"
    let dead = try UnixSocketFile.listen(path: path)
    close(dead.descriptor)
    #expect(SocketClient(path: path) == nil)
    let running = try await start(path)
    #expect(SocketClient(path: path) != nil)
    dead.remove()
    #expect(SocketClient(path: path) != nil, "the dead server's clean-up takes only its own file")
    try await running.stop()
  }

  @Test func fileThatIsNoSocketIsLeftAlone() async throws {
    let folder = TemporaryFolder()
    let path = "\(folder.path)/file"
    #expect(system("echo precious > \(path)") == 0)
    await #expect(throws: SocketFileError.notASocket(path)) { _ = try await start(path) }
    #expect(system("grep -q precious \(path)") == 0)
  }
}
