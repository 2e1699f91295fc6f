import ClusterTypes
import LockProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import ClusterTransport

/// Framing of one lock connection, without sockets.
struct LockConnectionTests {
  private final class Owner: LockConnectionOwner {
    var frames: [[UInt8]] = []
    var readCompleteCount = 0
    var failureCount = 0
    var closedCount = 0
    /// What to answer to each frame.
    var answer: [UInt8]?

    func connectionOpened(_ connection: LockConnection) {}

    func connection(_ connection: LockConnection, received frame: UnsafeRawBufferPointer) {
      frames.append(Array(frame))
      if let answer { _ = answer.withUnsafeBytes { connection.write($0) } }
    }

    func connectionReadComplete(_ connection: LockConnection) { readCompleteCount += 1 }

    func connection(_ connection: LockConnection, failed error: any Error) { failureCount += 1 }

    func connectionClosed(_ connection: LockConnection) { closedCount += 1 }
  }

  private let owner = Owner()
  private let connection: LockConnection
  private let channel: EmbeddedChannel

  init() throws {
    connection = LockConnection(
      owner: owner, dialedPeer: nil, batch: ReadBatch(), outputLimit: 1000)
    channel = EmbeddedChannel(handler: connection)
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.2", port: 21064)).wait()
  }

  private func write(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { connection.write($0) }
  }

  private func acknowledgement(_ next: UInt32) throws -> [UInt8] {
    Frame(.acknowledgement(next), sender: try #require(NodeID(2))).encoded()
  }

  @Test func frameInPiecesArrivesOnceItIsWhole() throws {
    let frame = try acknowledgement(3)
    try channel.writeInbound(ByteBuffer(bytes: frame.prefix(9)))
    #expect(owner.frames == [])
    try channel.writeInbound(ByteBuffer(bytes: Array(frame.dropFirst(9)) + frame))
    #expect(owner.frames == [frame, frame])
    #expect(owner.readCompleteCount == 2)
  }

  @Test func answersToOneReadLeaveInOneWrite() throws {
    let frame = try acknowledgement(1)
    owner.answer = frame
    try channel.writeInbound(ByteBuffer(bytes: frame + frame + frame))
    #expect(
      try channel.readOutbound(as: ByteBuffer.self) == ByteBuffer(bytes: frame + frame + frame))
    #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
  }

  @Test func whatOneTurnOfTheLoopWritesLeavesInOneWrite() throws {
    let frame = try acknowledgement(1)
    #expect(write(frame) && write(frame))
    #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
    channel.embeddedEventLoop.run()
    #expect(try channel.readOutbound(as: ByteBuffer.self) == ByteBuffer(bytes: frame + frame))
    #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
  }

  @Test func impossibleLengthEndsTheConnection() throws {
    var frame = try acknowledgement(1)
    frame[12] = 0
    try channel.writeInbound(ByteBuffer(bytes: frame))
    channel.embeddedEventLoop.run()
    #expect(owner.failureCount == 1)
    #expect(owner.closedCount == 1)
    #expect(!channel.isActive)
  }

  @Test func nothingIsReadAfterTheOwnerHasAborted() throws {
    connection.abort()
    channel.pipeline.fireChannelRead(ByteBuffer(bytes: try acknowledgement(1)))
    #expect(owner.frames == [])
  }

  @Test func outputBeyondTheLimitIsReported() throws {
    #expect(write(Array(repeating: 0, count: 1000)))
    #expect(!write([0]))
    channel.embeddedEventLoop.run()
    #expect(write(Array(repeating: 0, count: 1000)))
  }
}
