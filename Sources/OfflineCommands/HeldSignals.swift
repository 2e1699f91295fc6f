import Glibc

/// Keeps what would end the process waiting while devices may be suspended.
struct HeldSignals {
  private let former: sigset_t

  init() {
    var held = sigset_t()
    sigemptyset(&held)
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaddset(&held, signal) }
    var former = sigset_t()
    pthread_sigmask(SIG_BLOCK, &held, &former)
    self.former = former
  }

  func release() {
    var former = former
    pthread_sigmask(SIG_SETMASK, &former, nil)
  }
}
