import AdminProtocol
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// A client of one of the daemon's unix sockets: sends bytes, gets whole messages.
struct SocketClient: Sendable {
  private let channel: any Channel
  private let inbox: Inbox

  static func connect(to path: String) async throws -> Self {
    let inbox = Inbox()
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(MessageReceiver(inbox))
        }
      }
      .connect(unixDomainSocketPath: path).get()
    return Self(channel: channel, inbox: inbox)
  }

  func send(_ bytes: some Sequence<UInt8> & Sendable) async throws {
    try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
  }

  /// The next message without its terminator; nil when the daemon has closed the connection.
  func next() async throws -> [UInt8]? {
    try await eventually("the daemon answers or closes") { inbox.isReady }
    return inbox.take()
  }

  /// Whether nothing comes in that time.
  func isSilent(for duration: Duration) async throws -> Bool {
    try await Task.sleep(for: duration)
    return !inbox.isReady
  }

  func close() async throws { try await channel.close() }
}

private final class Inbox: Sendable {
  private struct Content {
    var messages: [[UInt8]] = []
    var isClosed = false
  }

  private let content = Mutex(Content())

  var isReady: Bool { content.withLock { !$0.messages.isEmpty || $0.isClosed } }
  func add(_ message: [UInt8]) { content.withLock { $0.messages.append(message) } }
  func close() { content.withLock { $0.isClosed = true } }

  func take() -> [UInt8]? {
    content.withLock { $0.messages.isEmpty ? nil : $0.messages.removeFirst() }
  }
}

private final class MessageReceiver: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let inbox: Inbox
  private var framing = AdminFraming(limit: AdminFraming.replyLengthMaximum)

  init(_ inbox: Inbox) { self.inbox = inbox }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    framing.append(unwrapInboundIn(data).readableBytesView)
    while let message = try? framing.next() { inbox.add(message) }
  }

  func channelInactive(context: ChannelHandlerContext) { inbox.close() }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

struct TimedOut: Error, CustomStringConvertible {
  let description: String
}

/// Work under way that a test waits for with a limit.
final class Pending<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let task = Mutex<Task<Void, Never>?>(nil)

  init(_ body: @escaping @Sendable () async throws -> Value) {
    let started = Task {
      let outcome: Result<Value, any Error>
      do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
      result.withLock { $0 = outcome }
    }
    task.withLock { $0 = started }
  }

  func cancel() { task.withLock { $0?.cancel() } }

  /// Whether it still waits after that time.
  func isWaiting(after duration: Duration) async throws -> Bool {
    try await Task.sleep(for: duration)
    return result.withLock { $0 == nil }
  }

  var value: Value {
    get async throws {
      try await eventually("an operation ends") { result.withLock { $0 != nil } }
      guard let outcome = result.withLock({ $0 }) else { throw CancellationError() }
      return try outcome.get()
    }
  }
}

/// Looks until `condition` is true.
func eventually(
  _ what: String, within limit: Duration = .seconds(30),
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    guard ContinuousClock.now < deadline else {
      throw TimedOut(description: "waited \(limit) until \(what)")
    }
    try await Task.sleep(for: .milliseconds(20))
  }
}
