import Glibc

/// Takes the signals that end the daemon, on the thread that waits for them.
///
/// To be made before any other thread, which inherits that the signals are blocked.
struct SignalWait {
  private static let wakeSignal = SIGUSR1
  private static let restartSignal = SIGUSR2
  private var signals = sigset_t()

  init() {
    sigemptyset(&signals)
    for signal in [SIGTERM, SIGINT, Self.wakeSignal, Self.restartSignal] {
      sigaddset(&signals, signal)
    }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    // A peer that goes away is seen as an error of the write.
    signal(SIGPIPE, SIG_IGN)
  }

  enum Wish {
    case end
    /// Begin anew, with everything that a keeper holds.
    case restart
  }

  /// Returns when one of the signals came, or `wake` was called.
  func wait() -> Wish {
    var signals = signals
    var received: Int32 = 0
    while sigwait(&signals, &received) != 0 {}
    return received == Self.restartSignal ? .restart : .end
  }

  /// Lets `wait` return, from any thread.
  static func wake() { kill(getpid(), wakeSignal) }
}
