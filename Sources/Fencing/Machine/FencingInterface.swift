import ClusterTypes

// How a node is kept from writing, once `ClusterMembership` has decided who, when and by whom.
//
// Machine/       which devices of a topology level are asked for what, in which order, how often, and
//                how devices are tried out before they are needed; without clock, process or file
// Agents/        the shell around it: any fence-agents program through its standard input, or a command
//                of another cluster manager, in a process group that never outlives its time
// Reservations/  SCSI-3 persistent reservations, without an agent
//
// Only exit status 0 is a success; a run that is killed, cannot be started or says anything else is a
// failure. An attempt is answered only when none of its programs runs any more. A password is never an
// argument, never in a log, and comes only from a file that nobody but root can read.

/// What comes into the fencing machine.
public enum FencingInput: Hashable, Sendable {
  /// Run a level against a node, once; answered by `attemptEnded`.
  case attempt(id: UInt64, victim: FenceVictim, level: Int, timeoutMilliseconds: UInt32)
  /// Other devices are configured now. Attempts and programs that are under way end with those that they
  /// began with.
  case topologyChanged(FenceTopology)
  /// The program ended, and nothing of its process group runs any more.
  case runEnded(id: UInt64, AgentOutcome)
  /// At the latest at the moment of the last `wake`.
  case tick
}

/// What the fencing machine wants done, in this order.
public enum FencingEffect: Hashable, Sendable {
  case run(AgentRun)
  /// Kill the run; its end comes as usual.
  case cancel(runID: UInt64)
  /// 0: all devices of the level have done it. Otherwise the first failure's status, nil if that
  /// program was killed or did not run.
  case attemptEnded(id: UInt64, exit: Int32?)
  case report(FenceReport)
  case wake(at: Timestamp)
}

/// A sentence for the administrator.
public struct FenceReport: Hashable, Sendable {
  public enum Severity: Hashable, Sendable { case notice, warning, error }

  public var severity: Severity
  public var text: String

  init(_ severity: Severity, _ text: String) {
    self.severity = severity
    self.text = text
  }
}

/// What is known of a device, for `clvm status`.
public struct FenceDeviceStatus: Hashable, Sendable {
  public enum State: String, Hashable, Sendable, CaseIterable {
    /// Not tried yet.
    case unknown
    case working
    case failing
    /// Not tried out, by configuration.
    case unmonitored
  }

  public var name: String
  public var state: State
  /// Why it fails; empty otherwise.
  public var explanation: String
  /// When the last run that tells the state ended; nil before the first.
  public var since: Timestamp?
  /// Failures in a row.
  public var failures: Int
  /// The nodes it fences.
  public var nodes: [String]
}
