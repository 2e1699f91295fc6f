import ClusterCredentials
import ClusterTypes
import LockProtocol
import NIOCore

#if canImport(Glibc)
  import Glibc
#endif

/// What a lock connection tells the transport that owns it; all on the event loop.
protocol LockConnectionOwner: AnyObject {
  func connectionOpened(_ connection: LockConnection)
  /// One whole message has come.
  func connection(_ connection: LockConnection, received frame: UnsafeRawBufferPointer)
  /// Everything that was there has been read.
  func connectionReadComplete(_ connection: LockConnection)
  func connection(_ connection: LockConnection, failed error: any Error)
  func connectionClosed(_ connection: LockConnection)
}

/// One TCP connection of the lock protocol: cuts the stream into messages and writes in batches.
final class LockConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  /// The peer that this node has connected to; nil for an accepted connection.
  let dialedPeer: LockPeer?
  /// The peer that it belongs to, once that is known.
  var peer: LockPeer?
  /// The life of that peer to which it belongs.
  var life = 0
  /// In front of TLS; nil for plain TCP.
  var strangerGuard: StrangerGuard?
  /// What the other end has shown; nil for plain TCP.
  var certificate: NodeCertificate?

  private let owner: any LockConnectionOwner
  private let batch: ReadBatch
  private let outputLimit: Int
  // Nothing that is done with these leads back here before its end.
  @exclusivity(unchecked)
  private var isReading = false
  /// The beginning of a message whose end has not come, and what came behind it.
  @exclusivity(unchecked)
  private var splitter = FrameSplitter()
  @exclusivity(unchecked)
  private var state = State.created

  private enum State {
    case created
    case open(any Channel, BatchedOutput)
    /// The owner or an error has ended it; what still comes is ignored.
    case closing(any Channel)
    case closed
  }

  /// - Parameter batch: one for all connections of the owner.
  init(
    owner: any LockConnectionOwner, dialedPeer: LockPeer?, batch: ReadBatch, outputLimit: Int
  ) {
    self.owner = owner
    self.dialedPeer = dialedPeer
    self.batch = batch
    self.outputLimit = outputLimit
  }

  var remoteAddress: SocketAddress? {
    switch state {
    case .open(let channel, _), .closing(let channel): channel.remoteAddress
    case .created, .closed: nil
    }
  }

  /// False when the peer has left too much unread: the connection must be aborted.
  func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
    switch state {
    case .open(_, let output): output.append(bytes)
    case .created, .closing, .closed: true
    }
  }

  /// Ends the connection in order, after what has been written.
  func close() {
    guard case .open(let channel, let output) = state else { return }
    output.flush()
    state = .closing(channel)
    channel.close(promise: nil)
  }

  /// Ends the connection with a reset: a peer takes a clean end for "all has arrived" and would
  /// not retransmit (dlm-wire 2).
  func abort() {
    guard case .open(let channel, _) = state else { return }
    state = .closing(channel)
    if let socket = channel as? any SocketOptionProvider {
      _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
    }
    // TLS would say farewell, which is a clean end.
    if let strangerGuard { strangerGuard.close() } else { channel.close(promise: nil) }
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    state = .open(channel, BatchedOutput(channel: channel, batch: batch, limit: outputLimit))
    owner.connectionOpened(self)
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .open = state else { return }
    isReading = true
    batch.begin()
    do throws(FrameDecodingError) {
      try take(unwrapInboundIn(data))
    } catch {
      owner.connection(self, failed: error)
      abort()
    }
  }

  private var isOpen: Bool {
    if case .open = state { true } else { false }
  }

  /// Messages are handed on where they lie; only what was cut off is copied.
  private func take(_ bytes: ByteBuffer) throws(FrameDecodingError) {
    var bytes = bytes
    if splitter.pendingByteCount == 0 {
      let result = bytes.withUnsafeReadableBytes { received in
        Result { () throws(FrameDecodingError) in try takeWhole(from: received) }
      }
      bytes.moveReaderIndex(forwardBy: try result.get())
    }
    guard isOpen, bytes.readableBytes > 0 else { return }
    splitter.append(bytes.readableBytesView)
    while isOpen, let frame = try splitter.next() {
      frame.withUnsafeBytes { owner.connection(self, received: $0) }
    }
  }

  /// - Returns: how many bytes were taken.
  private func takeWhole(
    from received: UnsafeRawBufferPointer
  ) throws(FrameDecodingError) -> Int {
    var start = 0
    while isOpen {
      let rest = UnsafeRawBufferPointer(rebasing: received[start...])
      guard let length = try FrameSplitter.wholeMessage(in: rest) else { break }
      owner.connection(self, received: UnsafeRawBufferPointer(rebasing: rest[..<length]))
      start += length
    }
    return start
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if case .open = state { owner.connectionReadComplete(self) }
    endReading()
    context.fireChannelReadComplete()
  }

  private func endReading() {
    guard isReading else { return }
    isReading = false
    batch.end()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    owner.connection(self, failed: error)
    abort()
  }

  func channelInactive(context: ChannelHandlerContext) {
    state = .closed
    endReading()
    owner.connectionClosed(self)
    context.fireChannelInactive()
  }
}
