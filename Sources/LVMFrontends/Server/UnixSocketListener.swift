import NIOCore
import NIOPosix

/// The listening end of a unix socket: its file and its channel.
///
/// Called on its event loop only. The file is there while the listener is started; after a kill the
/// next start takes it over.
final class UnixSocketListener {
  private enum State {
    case stopped
    case starting(UnixSocketFile)
    case listening(UnixSocketFile, any Channel)
  }

  private let eventLoop: any EventLoop
  private var state: State = .stopped

  init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  /// Takes the path and accepts clients, each with a handler of its own, which `makeHandler` makes on the
  /// event loop. Fails with a `SocketFileError`.
  func start(
    path: String, makeHandler: @escaping () -> any ChannelHandler
  ) -> EventLoopFuture<Void> {
    eventLoop.preconditionInEventLoop()
    guard case .stopped = state else { preconditionFailure("the server is started already") }
    let file: UnixSocketFile
    do throws(SocketFileError) {
      file = try UnixSocketFile.listen(path: path)
    } catch {
      return eventLoop.makeFailedFuture(error)
    }
    state = .starting(file)
    let handlers = NIOLoopBound(makeHandler, eventLoop: eventLoop)
    let listener = NIOLoopBound(self, eventLoop: eventLoop)
    return ServerBootstrap(group: eventLoop)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(handlers.value())
        }
      }
      .withBoundSocket(file.descriptor)
      .map { channel in listener.value.started(file, channel) }
  }

  private func started(_ file: UnixSocketFile, _ channel: any Channel) {
    guard case .starting = state else {
      // `stop` came first.
      channel.close(promise: nil)
      return
    }
    state = .listening(file, channel)
  }

  /// Accepts nobody any more, and removes the file unless it is to look as after a kill.
  func stop(leavingFile: Bool) -> EventLoopFuture<Void> {
    eventLoop.preconditionInEventLoop()
    let ended = state
    state = .stopped
    switch ended {
    case .stopped: return eventLoop.makeSucceededVoidFuture()
    case .starting(let file):
      if !leavingFile { file.remove() }
      return eventLoop.makeSucceededVoidFuture()
    case .listening(let file, let channel):
      if !leavingFile { file.remove() }
      return channel.close()
    }
  }
}
