import ArgumentParser
import ClusterSimulation
import FuzzTargets
import Fuzzing
import Glibc

/// Runs fuzz targets. The work is done by a child process, so that a trap ends the child only and
/// its input can be saved.
@main
struct FuzzCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clvm-fuzz",
    abstract: "Feed random bytes to whatever reads bytes of strangers.",
    discussion: """
      The same seed and corpus give the same inputs. Exits 1 if an input made a target trap, hang or \
      break what it promises; the input is then in the file that the last line names, and \
      --replay runs it again. Build with -c release.
      """)

  @Flag(help: "List the targets and exit.")
  var list = false
  @Option(help: "The target; all of them if not given.")
  var target: String?
  @Option(help: "Executions of each target.")
  var executions = 100_000
  @Option(help: "The seed of the first million executions; each further million takes the next.")
  var seed: UInt64 = 1
  @Option(help: "The corpus, if not the target's own in the repository.")
  var corpus: String?
  @Option(help: "Run the input in this file once.")
  var replay: String?
  @Option(help: "Where to save an input that fails.")
  var output = "."
  @Option(help: .private)
  var journal: String?

  func validate() throws {
    guard executions > 0 else { throw ValidationError("Executions are 1 or more.") }
    if replay != nil || journal != nil, target == nil {
      throw ValidationError("Name the target.")
    }
  }

  func run() throws {
    if list {
      for target in allTargets { print("\(target.name): \(target.summary)") }
      return
    }
    let targets = try chosenTargets()
    do {
      if let replay, let target = targets.first {
        let result = try target.run(try Files.contents(of: replay))
        print("\(target.name): nothing wrong, result \(String(result, radix: 16))")
      } else if let journal, let target = targets.first {
        try Worker(target, corpus: try seeds(of: target), journal: journal).run(
          executions, seed: seed)
      } else {
        let ends = targets.concurrentMap { target in Result { try fuzz(target) } }
        for end in ends { try end.get() }
      }
    } catch let failure as FuzzFailure {
      complain("\(failure)")
      throw ExitCode(1)
    } catch let error as Files.Failure {
      complain("\(error)")
      throw ExitCode(2)
    }
  }

  private func chosenTargets() throws -> [FuzzTarget] {
    guard let target else { return allTargets }
    let chosen = allTargets.filter { $0.name == target }
    guard !chosen.isEmpty else {
      throw ValidationError("No target \(target); --list names them.")
    }
    return chosen
  }

  private func seeds(of target: FuzzTarget) throws -> [[UInt8]] {
    try Files.corpus(in: corpus ?? Files.repository + "/" + target.corpusFolder)
      .flatMap(target.seeds)
  }

  /// In batches, each in a process of its own with a seed of its own.
  private func fuzz(_ target: FuzzTarget) throws {
    let begin = ContinuousClock.now
    for batch in 0..<UInt64((executions + Self.batchSize - 1) / Self.batchSize) {
      let count = min(Self.batchSize, executions - Int(batch) * Self.batchSize)
      try runBatch(target, executions: count, seed: seed &+ batch)
    }
    let (seconds, attoseconds) = (ContinuousClock.now - begin).components
    let elapsed = Double(seconds) + Double(attoseconds) / 1e18
    print(
      "\(target.name): \(executions) executions from seed \(seed), nothing wrong,"
        + " \(Int(Double(executions) / elapsed)) a second")
  }

  private static let batchSize = 1_000_000

  private func runBatch(_ target: FuzzTarget, executions: Int, seed: UInt64) throws {
    let name = "\(output)/failed-\(target.name)-\(seed)"
    var arguments = [
      "--target", target.name, "--executions", "\(executions)", "--seed", "\(seed)",
      "--journal", name,
    ]
    if let corpus { arguments += ["--corpus", corpus] }
    let end = try Worker.start(arguments)
    guard end != .success else { return unlinkJournal(name) }
    try Journal.keepInput(in: name)
    complain(
      "\(target.name): \(end) with seed \(seed); clvm-fuzz --target \(target.name)"
        + " --replay \(name)")
    throw ExitCode(1)
  }

  private func unlinkJournal(_ name: String) {
    if unlink(name) != 0 { complain("cannot remove \(name): \(String(cString: strerror(errno)))") }
  }

  private func complain(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    // Nobody is left to be told if standard error does not take it.
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }
}
