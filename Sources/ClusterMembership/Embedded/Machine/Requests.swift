import ClusterTypes

/// A request of this node that is not decided yet.
struct Submission: Hashable, Sendable {
  var sequence: UInt64
  var request: Request
}

/// A request that this node makes only when the drain time has passed: what it proves is that a
/// machine stopped sending.
struct DelayedRequest: Hashable, Sendable {
  var dueAt: Nanoseconds
  var request: Request
}

// What this node asks the leader to decide. Requests are numbered within (incarnation, life); the
// leader decides them in order without a gap, and the record says which was the last: so a request is
// decided once, however often it is sent.

extension EmbeddedMembership {
  /// Requests of one node that are under way at once.
  static let window = 16
  /// Requests that wait; more are refused at once.
  static let outboxLimit = 1024

  mutating func submit(_ request: Request, _ effects: inout [EmbeddedEffect]) {
    if case .prove(_, _, let evidence, _) = request,
      [.fenceAgent, .reboot, .externalAuthority, .administrator].contains(evidence),
      !delayedRequests.contains(where: { $0.request == request && $0.dueAt <= now })
    {
      delayedRequests.append(
        DelayedRequest(dueAt: now + timers.stretchedDrain, request: request))
      return
    }
    enqueue(request)
    sendNew(&effects)
  }

  mutating func enqueue(_ request: Request) {
    guard outbox.count < Self.outboxLimit else { return }
    if request == .leave { hasAskedToLeave = true }
    outbox.append(Submission(sequence: nextSequence, request: request))
    nextSequence += 1
    if consensus.isLeader { leader?.isDue = true }
  }

  private func sendNew(_ effects: inout [EmbeddedEffect]) {
    guard outbox.count <= Self.window, let last = outbox.last else { return }
    send(last, &effects)
  }

  private func send(_ submission: Submission, _ effects: inout [EmbeddedEffect]) {
    guard stage == .member, let leader = consensus.leader, leader != me else { return }
    send(
      .submit(life: life, sequence: submission.sequence, submission.request), to: leader, &effects)
  }

  /// With every heartbeat, until they are decided.
  mutating func resubmit(_ effects: inout [EmbeddedEffect]) {
    for submission in outbox.prefix(Self.window) { send(submission, &effects) }
  }

  /// Forgets what the applied record has decided.
  mutating func confirmRequests() {
    guard
      let last = applied.requests.first(where: {
        $0.slot == me && $0.incarnation == incarnation && $0.life == life
      })
    else { return }
    outbox.removeAll { $0.sequence <= last.sequence }
  }

  // MARK: - Fence attempts of this node

  /// Runs the attempts that the record gives to this life of this node, each once and with a lease;
  /// those of an earlier life are lost, which closes them only when their agent must have ended.
  mutating func runAttempts(_ effects: inout [EmbeddedEffect]) {
    guard stage == .member, now < lease else { return }
    for attempt in applied.attempts
    where attempt.executor == me && attempt.executorIncarnation == incarnation {
      guard !handledAttempts.contains(attempt.id) else { continue }
      handledAttempts.append(attempt.id)
      if attempt.hasSucceeded { continue }
      if attempt.executorLife == life {
        effects.append(
          .runFence(attempt, timeoutMilliseconds: timers.agentTimeout))
      } else {
        let isHarmless = attempt.isByReservation || defects.contains(.lostReportClosesAttempt)
        let wait = isHarmless ? 0 : timers.agentTimeout.milliseconds
        delayedRequests.append(
          DelayedRequest(
            dueAt: now + timers.stretched(wait),
            request: .fenceResult(attempt: attempt.id, .lost)))
      }
    }
    handledAttempts.removeAll { id in !applied.attempts.contains { $0.id == id } }
  }

  /// A success is told at once: the record keeps it while what the victim had under way lands.
  mutating func fenceEnded(_ id: UInt64, exit: Int32?, _ effects: inout [EmbeddedEffect]) {
    let isSuccess = exit == 0 || (defects.contains(.anyExitIsSuccess) && exit != nil)
    if race.running?.id == id { return raceEnded(isSuccess: isSuccess, &effects) }
    guard handledAttempts.contains(id) else { return }
    submit(.fenceResult(attempt: id, isSuccess ? .succeeded : .failed), &effects)
  }

  mutating func excluded(
    _ id: UInt64, on devices: UInt64, _ effects: inout [EmbeddedEffect]
  ) {
    // Without its disks the peer still decides: only one that is off does not.
    if race.running?.id == id { return raceEnded(isSuccess: false, &effects) }
    guard handledAttempts.contains(id) else { return }
    submit(.excluded(attempt: id, devices: devices), &effects)
  }
}
