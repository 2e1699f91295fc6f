import ArgumentParser
import Glibc

/// CPU time and memory of whole commands, ours and LVM's in turn.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Run vgs and lvs of LVM and of clvm in turn, and compare CPU time and memory.",
    discussion: "LVM_SYSTEM_DIR must lead LVM to the same device and to no other.")

  @Option(help: "Rounds; shown are medians.")
  var rounds = 11
  @Option(help: "LVM's program.")
  var lvm = "/usr/sbin/lvm"
  @Argument(help: "The clvm program.")
  var clvm: String
  @Argument(help: "The device.")
  var device: String
  /// LVM's vgcfgbackup replaces whatever it is given, a device too.
  @Argument(help: "A file that vgcfgbackup may replace.")
  var backup: String

  func run() throws {
    print("command   lvm CPU ms  clvm CPU ms   ratio   lvm MB  clvm MB")
    for command in ["vgs", "lvs", "vgcfgbackup"] {
      let extra = command == "vgcfgbackup" ? ["-f", backup] : []
      var theirs: [Usage] = []
      var ours: [Usage] = []
      for _ in 0..<rounds {
        theirs.append(try Usage(of: lvm, [command] + extra))
        ours.append(try Usage(of: clvm, [command, "--devices", device] + extra))
      }
      let (their, our) = (Usage.median(theirs), Usage.median(ours))
      print(
        column(command, 11), column("\(Int(their.seconds * 1e4) / 10)", 8),
        column("\(Int(our.seconds * 1e4) / 10)", 12),
        column("\(Int(our.seconds / their.seconds * 100))%", 7),
        column("\(their.kibibytes / 1024)", 8), column("\(our.kibibytes / 1024)", 8))
    }
  }
}

/// What a child process has used.
struct Usage {
  /// User and system time.
  var seconds: Double
  /// Resident at most.
  var kibibytes: Int

  init(of program: String, _ arguments: [String]) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor in [STDOUT_FILENO, STDERR_FILENO] {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
    }
    let words = ([program] + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    var child = pid_t()
    guard posix_spawn(&child, program, &actions, nil, words + [nil], environ) == 0 else {
      throw ValidationError("\(program) cannot be started")
    }
    var status: Int32 = 0
    var usage = rusage()
    while wait4(child, &status, 0, &usage) < 0, errno == EINTR {}
    guard status == 0 else {
      throw ValidationError("\(program) \(arguments.joined(separator: " ")) failed")
    }
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    self.seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)
    kibibytes = usage.ru_maxrss
  }

  static func median(_ usages: [Usage]) -> Usage {
    var median = usages[0]
    median.seconds = usages.map(\.seconds).sorted()[usages.count / 2]
    median.kibibytes = usages.map(\.kibibytes).sorted()[usages.count / 2]
    return median
  }
}
