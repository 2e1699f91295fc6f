import Glibc
import VolumeCoordination

/// Places in a volume change at which a tester has the daemon, or the whole node, fail.
///
/// Only where the configuration says `debugging { enabled = 1 }`. The tester writes one line into the
/// file that `debugging { failpoint_file }` names: a job's name, `before` or `after`, and what is to
/// happen (`kill`, `stop`, `crash`, `fail` or `hold`), as in `resume before kill`. The first such job
/// that comes takes the file away and fails like this; one that is held leaves another file behind,
/// of the same name and `.held`, and goes on when that is removed.
struct FailPoints: Sendable {
  enum Moment: String, Sendable {
    case before
    case after
  }

  enum Action: String, Sendable {
    /// SIGKILL for the daemon.
    case kill
    /// SIGSTOP for the daemon: it stalls until somebody continues it.
    case stop
    /// The kernel panics, as near to a power cut as a node can get by itself.
    case crash
    /// The job fails.
    case fail
    /// The job stands still, and with it the work on its volume group; the daemon goes on.
    case hold
  }

  /// Absolute path.
  let file: String

  /// Fails as the file asks for at this place, if it does.
  func reach(_ job: VolumeJob, _ moment: Moment) throws(DaemonError) {
    // Read anew for each job: a tester writes it while the daemon runs. No file is the usual case.
    guard access(file, R_OK) == 0 else { return }
    let text = String(decoding: try readFile(file, limit: 256), as: UTF8.self)
    guard let action = Self.action(in: text, at: job.name, moment) else { return }
    unlink(file)
    switch action {
    case .kill: kill(getpid(), SIGKILL)
    case .stop: kill(getpid(), SIGSTOP)
    case .crash: try crash()
    case .fail: throw DaemonError("a fail point makes \(job.name) fail")
    case .hold: try hold()
    }
  }

  private static let lookAgainMicroseconds: UInt32 = 20_000

  private func hold() throws(DaemonError) {
    let sign = file + ".held"
    try replaceFile(sign, with: [])
    while access(sign, F_OK) == 0 { usleep(Self.lookAgainMicroseconds) }
  }

  /// What a line asks for at this place; nil when it is about another one or not understood.
  static func action(in text: String, at job: String, _ moment: Moment) -> Action? {
    let words = text.split { $0 == " " || $0.isNewline }
    guard words.count == 3, words[0] == job, words[1] == moment.rawValue else { return nil }
    return Action(rawValue: String(words[2]))
  }

  private func crash() throws(DaemonError) {
    let descriptor = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw DaemonError("a fail point cannot crash this machine") }
    defer { close(descriptor) }
    _ = Glibc.write(descriptor, "c", 1)
  }
}

extension VolumeJob {
  /// The name by which fail points know it.
  var name: String {
    switch self {
    case .writePrecommitted: "write"
    case .prepare: "prepare"
    case .suspend: "suspend"
    case .commit: "commit"
    case .resume: "resume"
    case .abandon: "abandon"
    case .isolate: "isolate"
    case .revert: "revert"
    case .recover: "recover"
    case .refresh: "refresh"
    }
  }
}
