import Fuzzing
import Glibc

/// The child process that runs inputs.
struct Worker {
  enum End: Equatable, CustomStringConvertible {
    case success
    case failure
    case signal(Int32)

    var description: String {
      switch self {
      case .success: "nothing wrong"
      case .failure: "what must hold does not"
      case .signal(SIGPROF): "hung"
      case .signal(let number): "ended by signal \(number)"
      }
    }
  }

  /// An input that takes more processor time hangs. On a busy machine a run may wait much longer
  /// for the processor.
  private static let patienceSeconds = 20
  private static let stride = 1000

  let target: FuzzTarget
  let corpus: [[UInt8]]
  let journal: String

  init(_ target: FuzzTarget, corpus: [[UInt8]], journal: String) {
    self.target = target
    self.corpus = corpus
    self.journal = journal
  }

  func run(_ executions: Int, seed: UInt64) throws {
    let journal = try Journal(path: journal, capacity: target.maximumLength)
    var run = FuzzRun(target, corpus: corpus, seed: seed)
    for start in Swift.stride(from: 0, to: executions, by: Self.stride) {
      var patience = itimerval()
      patience.it_value.tv_sec = Self.patienceSeconds
      guard setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &patience, nil) == 0 else {
        throw Files.Failure("cannot set a timer")
      }
      try run.execute(min(Self.stride, executions - start)) { journal.record($0) }
    }
  }

  /// Starts this program again and waits for its end.
  static func start(_ arguments: [String]) throws(Files.Failure) -> End {
    var argv = (["clvm-fuzz"] + arguments).map { strdup($0) }
    argv.append(nil)
    // The runtime's own report of a trap takes a second, and may hang.
    var environment = [strdup("SWIFT_BACKTRACE=enable=no"), nil]
    defer { for string in argv + environment { free(string) } }
    var child: pid_t = 0
    errno = posix_spawn(&child, "/proc/self/exe", nil, nil, argv, environment)
    guard errno == 0 else { throw Files.Failure("cannot start the worker") }
    environment.removeAll(where: { $0 == nil })
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {
      guard errno == EINTR else { throw Files.Failure("cannot wait for the worker") }
    }
    let signal = status & 0x7F
    if signal != 0 { return .signal(signal) }
    return status >> 8 & 0xFF == 0 ? .success : .failure
  }
}
