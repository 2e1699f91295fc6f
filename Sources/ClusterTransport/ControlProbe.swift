import ClusterTypes
import Glibc
import NIOCore

extension ControlChannels {
  /// Tries whether anybody listens at the node's addresses. `answer` is called on the event loop: with
  /// false if every one of them says that nobody does, so that the machine lives and no daemon runs
  /// there; with true for each at which somebody does. Silence and an unreachable network are no answer.
  public func probe(_ node: NodeID, answer: @escaping (_ isListening: Bool) -> Void) {
    eventLoop.assertInEventLoop()
    guard let target = addresses[node] else { return }
    let own = configuration.addresses
    var paths = [(own.first, target.first)]
    if let source = own.second, let second = target.second { paths.append((source, second)) }
    var remaining = paths.count
    for (source, target) in paths {
      connect(from: source, to: target, eventLoop: eventLoop) { _ in }
        .assumeIsolated().whenComplete { result in
          switch result {
          case .success(let channel):
            channel.close(promise: nil)
            answer(true)
          case .failure(let error):
            guard (error as? IOError)?.errnoCode == ECONNREFUSED else { return }
            remaining -= 1
            if remaining == 0 { answer(false) }
          }
        }
    }
  }
}
