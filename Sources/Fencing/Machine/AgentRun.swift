/// One start of a device's program.
public struct AgentRun: Hashable, Sendable {
  /// Unique within this life of the daemon.
  public var id: UInt64
  public var device: FenceDevice
  public var action: FenceAction
  /// Whom it is about; nil for `monitor`.
  public var node: FenceVictim?
  public var timeoutMilliseconds: UInt32
}

/// How a run ended.
public struct AgentOutcome: Hashable, Sendable {
  public enum Ending: Hashable, Sendable {
    case exited(Int32)
    case signalled(Int32)
    /// Its time was over and its process group was killed.
    case timedOut
    /// It was killed because the device is needed for something more urgent.
    case cancelled
    /// It was never started; the reason.
    case notStarted(String)
  }

  public var ending: Ending
  /// The end of what it printed, without secrets.
  public var output: String

  public init(_ ending: Ending, output: String = "") {
    self.ending = ending
    self.output = output
  }

  /// The exit status; nil if the program was killed or did not run.
  public var exitStatus: Int32? {
    if case .exited(let status) = ending { status } else { nil }
  }

  /// Whether the action was done. A power state that was told is a success of `status` either way:
  /// 0 is on and 2 is off.
  func isSuccess(of action: FenceAction) -> Bool {
    switch action {
    case .off, .on, .reboot, .monitor: exitStatus == 0
    case .status: exitStatus == 0 || exitStatus == 2
    }
  }

  /// For a log: why it failed, with the last line that the program printed.
  public var explanation: String {
    let end =
      switch ending {
      case .exited(let status): "it exited with status \(status)"
      case .signalled(let signal): "signal \(signal) ended it"
      case .timedOut: "it did not end in time and was killed"
      case .cancelled: "it was stopped for a fence"
      case .notStarted(let reason): "it was not started: \(reason)"
      }
    let last = output.split(whereSeparator: \.isNewline).last.map { ": \($0)" } ?? ""
    return end + last
  }
}
