import ClusterTypes
import Glibc
import Synchronization

/// Carries out what `FencingMachine` wants: each program on a thread of its own, since it may take a
/// minute and must not hold up another.
public final class FencingRunner: Sendable {
  private let processes = Mutex<[UInt64: AgentProcess]>([:])
  private let reservations: ReservationRunner?

  /// `reservations` tells who this node is on disks; nil where it does not know yet.
  public init(reservations: ReservationRunner? = nil) { self.reservations = reservations }

  /// Starts a run; `ended` is called once, on another thread, when nothing of it runs any more.
  public func run(_ run: AgentRun, ended: @escaping @Sendable (AgentOutcome) -> Void) {
    if case .reservations(let disks) = run.device.program {
      let isStarted = Self.startThread { [reservations] in
        ended(reservations?.run(run, disks) ?? AgentOutcome(.notStarted("this node has no key")))
      }
      if !isStarted { ended(AgentOutcome(.notStarted("no thread can be made"))) }
      return
    }
    let input: AgentInput
    let process: AgentProcess
    do {
      (process, input) = try Self.prepare(run)
    } catch {
      return ended(AgentOutcome(.notStarted("\(error)")))
    }
    processes.withLock { $0[run.id] = process }
    let isStarted = Self.startThread { [self] in
      var outcome = process.run()
      outcome.output = input.redact(outcome.output)
      processes.withLock { $0[run.id] = nil }
      ended(outcome)
    }
    guard !isStarted else { return }
    processes.withLock { $0[run.id] = nil }
    ended(AgentOutcome(.notStarted("no thread can be made: \(String(cString: strerror(errno)))")))
  }

  /// Tries a device out at once and blocks until the run has ended, for a preflight.
  public static func monitor(
    _ device: FenceDevice, timeoutMilliseconds: UInt32 = 20_000
  ) -> AgentOutcome {
    let run = AgentRun(
      id: 0, device: device, action: .monitor, node: nil,
      timeoutMilliseconds: timeoutMilliseconds)
    do {
      let (process, input) = try prepare(run)
      var outcome = process.run()
      outcome.output = input.redact(outcome.output)
      return outcome
    } catch {
      return AgentOutcome(.notStarted("\(error)"))
    }
  }

  /// Kills a run; its end is told as usual.
  public func cancel(_ runID: UInt64) { processes.withLock { $0[runID] }?.cancel() }

  /// Kills every run, for the end of the daemon.
  public func cancelAll() { for process in processes.withLock({ $0 }).values { process.cancel() } }

  private static func prepare(
    _ run: AgentRun
  ) throws(FenceInputError) -> (AgentProcess, AgentInput) {
    let secrets =
      if let file = run.device.secretsFile { try SecretsFile.read(file) } else {
        [FenceParameter]()
      }
    let input = try AgentInput(run, secrets: secrets)
    switch run.device.program {
    case .agent(let name):
      let process = try AgentProcess(
        path: try FenceAgentPath.resolve(name), input: input.bytes,
        timeoutMilliseconds: run.timeoutMilliseconds)
      return (process, input)
    case .reservations:
      throw FenceInputError(description: "reservations are tried out by the daemon only")
    case .command(let words):
      guard let program = words.first else {
        throw FenceInputError(description: "its command is empty")
      }
      let process = try AgentProcess(
        path: try FenceAgentPath.resolve(program),
        arguments: words.dropFirst().map { $0.replacingPlaceholders(run.node) }, input: [],
        timeoutMilliseconds: run.timeoutMilliseconds)
      return (process, input)
    }
  }

  /// Runs blocking work of reservations on a thread of its own; false if none can be made.
  public static func onThread(_ body: @escaping @Sendable () -> Void) -> Bool { startThread(body) }

  private static func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    let box = Unmanaged.passRetained(ThreadBody(body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument else { return nil }
        Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, box.toOpaque())
    if code != 0 {
      box.release()
      errno = code
    }
    return code == 0
  }

  private final class ThreadBody: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}

extension String {
  /// `%n` is the node's name, `%i` its id, `%%` a per cent sign; another `%x` stays.
  func replacingPlaceholders(_ node: FenceVictim?) -> String {
    var result = ""
    var rest = self[...]
    while let percent = rest.firstIndex(of: "%") {
      result += rest[..<percent]
      let after = rest.index(after: percent)
      let letter = after < rest.endIndex ? rest[after] : nil
      switch letter {
      case "n"?: result += node?.name ?? ""
      case "i"?: result += node?.id.description ?? ""
      case "%"?: result += "%"
      case let other?: result += "%\(other)"
      case nil: result += "%"
      }
      rest = letter == nil ? rest[after...] : rest[rest.index(after: after)...]
    }
    return result + rest
  }
}
