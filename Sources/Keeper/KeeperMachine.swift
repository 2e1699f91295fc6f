import ClusterTypes
import KeeperProtocol
import KernelLockspaces

// The keeper outlives the daemon on one boot of the machine. It pets the watchdog, it keeps the
// kernel's lock manager controlled, it holds what was written to the kernel, and it answers the
// kernel's joins and leaves, each exactly once: an answer has no number, and a second one would let
// the next umount skip its leave (membership design, section 9).

/// What comes into the keeper's machine.
public enum KeeperInput: Hashable, Sendable {
  /// From the daemon's connection `role`; `hello` is handled like everything else.
  case received(KeeperRequest, on: KeeperConnectionRole)
  /// A connection of the daemon ended: the daemon is gone, or will be told so.
  case closed
  /// The outcome of `armWatchdog`.
  case armed(Result<WatchdogFacts, KeeperFailure>)
  /// The outcome of `openControl`.
  case controlOpened(KeeperFailure?)
  /// The outcome of `writeAnswer`.
  case answerWritten(directory: String, sequence: UInt64, KeeperFailure?)
  /// A datagram of the kernel.
  case announced([UInt8])
  case announcementsLost
}

/// What the keeper's machine wants done, in this order. Effects with an outcome are carried out at
/// once, and the outcome is fed before anything else.
public enum KeeperEffect: Hashable, Sendable {
  case reply(KeeperReply)
  case event(KeeperReply)
  case close(KeeperConnectionRole)
  case armWatchdog(device: String, timeoutMilliseconds: UInt32, petMilliseconds: UInt32)
  /// With the magic character: the device stops.
  case disarmWatchdog
  case openControl
  case closeControl
  case writeAnswer(directory: String, sequence: UInt64, result: Int32)
  /// The moment after which nothing may be petted, `Petting.unlimited` for none.
  case setLimit(UInt64)
  case resetMachine(reason: String)
  case report(String)
}

public struct KeeperFailure: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// The keeper's state and decisions.
public struct KeeperMachine: Sendable {
  /// A join or leave that a process in the kernel waits with.
  struct Pending: Sendable {
    var sequence: UInt64
    var datagram: [UInt8]
  }

  private(set) var state = KeeperState()
  /// By the lockspace's directory: one is outstanding at a time.
  private(set) var pending: [String: Pending] = [:]
  private(set) var hasCalls = false
  private(set) var hasEvents = false
  private var lease: UInt64 = 0

  public init() {}

  public mutating func handle(_ input: KeeperInput, effects: inout [KeeperEffect]) {
    switch input {
    case .received(let request, let role): received(request, on: role, &effects)
    case .closed: closed(&effects)
    case .armed(.success(let facts)):
      state.watchdog = facts
      effects.append(.reply(.armed(facts)))
    case .armed(.failure(let failure)):
      effects.append(.reply(.refused(reason: "\(failure)")))
    case .controlOpened(let failure):
      state.isControlling = failure == nil
      effects.append(.reply(failure.map { .refused(reason: "\($0)") } ?? .done))
    case .answerWritten(let directory, let sequence, let failure):
      answered(directory, sequence, failure, &effects)
    case .announced(let datagram): announced(datagram, &effects)
    case .announcementsLost:
      effects.append(.report("the kernel dropped announcements of its lock manager"))
      if hasEvents { effects.append(.event(.announcementsLost)) }
    }
  }

  // MARK: - The daemon

  private mutating func received(
    _ request: KeeperRequest, on role: KeeperConnectionRole, _ effects: inout [KeeperEffect]
  ) {
    switch request {
    case .hello(let version, _): hello(version, role, &effects)
    case .arm(let device, let timeout, let pet):
      guard pet > 0, timeout / 3 >= pet else {
        effects.append(
          .reply(
            .refused(reason: "a timeout of \(timeout) ms needs pets at most a third of it apart"))
        )
        return
      }
      if let armed = state.watchdog, armed.device != device {
        effects.append(
          .reply(.refused(reason: "\(armed.device) is armed, and stays so until a clean end")))
        return
      }
      effects.append(
        .armWatchdog(device: device, timeoutMilliseconds: timeout, petMilliseconds: pet))
    case .control: effects.append(state.isControlling ? .reply(.done) : .openControl)
    case .note(let table):
      state.table = table
      effects.append(.reply(.done))
    case .answer(let directory, let sequence, let result):
      answer(directory, sequence, result, &effects)
    case .bind(let isBound):
      state.isBound = isBound
      effects.append(.setLimit(limit))
    case .lease(let until):
      lease = until
      effects.append(.setLimit(limit))
    case .reset(let reason): effects.append(.resetMachine(reason: reason))
    case .farewell: farewell(&effects)
    }
  }

  private mutating func hello(
    _ version: UInt16, _ role: KeeperConnectionRole, _ effects: inout [KeeperEffect]
  ) {
    guard version == KeeperProtocol.version else {
      let reason =
        "the keeper speaks version \(KeeperProtocol.version), the daemon \(version): they are of "
        + "different releases; leave the cluster and restart clvmd-keeper"
      effects.append(role == .calls ? .reply(.refused(reason: reason)) : .close(role))
      return
    }
    switch role {
    case .calls:
      hasCalls = true
      effects.append(.reply(.welcome(state)))
    case .events:
      hasEvents = true
      // What the daemon before had heard and not answered, in the kernel's order.
      for waiting in pending.values.sorted(by: { $0.sequence < $1.sequence }) {
        effects.append(.event(.announced(waiting.datagram)))
      }
    }
  }

  /// The lease stays as it is: a daemon that comes back in time renews it.
  private mutating func closed(_ effects: inout [KeeperEffect]) {
    if hasCalls || hasEvents {
      effects.append(.report("the daemon is gone" + (state.isBound ? "; its lease runs on" : "")))
    }
    hasCalls = false
    hasEvents = false
    effects += [.close(.calls), .close(.events)]
  }

  private mutating func farewell(_ effects: inout [KeeperEffect]) {
    guard !state.isBound, state.table.spaces.isEmpty, pending.isEmpty else {
      effects.append(
        .reply(.refused(reason: "there is still something that may write, or that waits")))
      return
    }
    if state.watchdog != nil { effects.append(.disarmWatchdog) }
    if state.isControlling { effects.append(.closeControl) }
    state = KeeperState()
    effects.append(.reply(.done))
  }

  private var limit: UInt64 { state.isBound ? lease : Petting.unlimited }

  // MARK: - The kernel

  private mutating func announced(_ datagram: [UInt8], _ effects: inout [KeeperEffect]) {
    if let event = KernelUevent(datagram: datagram), let sequence = event.sequenceNumber {
      switch event.action {
      case .online, .offline:
        pending[event.directory] = Pending(sequence: sequence, datagram: datagram)
      case .remove: pending[event.directory] = nil
      case .add: break
      }
    }
    if hasEvents { effects.append(.event(.announced(datagram))) }
  }

  /// `sequence` 0 answers whatever waits: of a join that was found in sysfs because its
  /// announcement was lost nobody knows the number.
  private func answer(
    _ directory: String, _ sequence: UInt64, _ result: Int32, _ effects: inout [KeeperEffect]
  ) {
    guard !directory.isEmpty, !directory.contains("/"), directory != ".", directory != ".." else {
      effects.append(.reply(.refused(reason: "'\(directory)' is no lockspace's directory")))
      return
    }
    let waiting = pending[directory]
    guard sequence == 0 || waiting?.sequence == sequence else {
      effects.append(.reply(.answeredBefore))
      return
    }
    effects.append(
      .writeAnswer(
        directory: directory, sequence: waiting?.sequence ?? sequence, result: result))
  }

  private mutating func answered(
    _ directory: String, _ sequence: UInt64, _ failure: KeeperFailure?,
    _ effects: inout [KeeperEffect]
  ) {
    // A failed write has woken nobody: the answer may be given again.
    if failure == nil, pending[directory]?.sequence == sequence { pending[directory] = nil }
    effects.append(.reply(failure.map { .refused(reason: "\($0)") } ?? .done))
  }
}
