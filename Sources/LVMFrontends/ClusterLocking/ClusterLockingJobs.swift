import ClusterTypes

/// This node's part of a command: one after the other for each volume group.
///
/// The original has one worker for everything, so that a slow volume group delays all others.
extension ClusterLockingMachine {
  struct Job: Sendable {
    enum Step: Sendable {
      case queued
      case judging
      case locking
      case working
    }

    let command: ClusterLockingNodeCommand
    let queue: String
    var step = Step.queued
    var isCancelled = false
    /// Done whoever holds the volume: its suspend was of a node that is dead, or of a command that
    /// was given up.
    var isRecovery = false
    /// The activation took the lock, and gives it back if it fails.
    var hasTakenLock = false
  }

  mutating func startJob(
    _ id: ClusterLockingJobID, _ command: ClusterLockingNodeCommand, isRecovery: Bool = false
  ) {
    if case .query(let resource) = command {
      let mode = heldMode(of: resource)
      return answer(id, .init(text: mode?.text ?? ""))
    }
    if case .volume(let operation) = command, operation.options.contains(.test) {
      return answer(id, .init())
    }
    let queue = command.queue
    jobs[id] = Job(command: command, queue: queue, isRecovery: isRecovery)
    queues[queue, default: []].append(id)
    if queues[queue]?.first == id { run(id) }
  }

  private mutating func run(_ id: ClusterLockingJobID) {
    guard let job = jobs[id] else { return }
    if job.isCancelled { return end(id, nil) }
    switch job.command {
    case .volume(let operation): run(operation, id, job)
    case .cache(let action): work(id, .cache(action))
    case .backUp(let group): work(id, .backUp(volumeGroup: group))
    case .refresh: work(id, .refresh)
    case .setDebugLevel(let level): work(id, .setDebugLevel(level))
    case .test(let text): work(id, .test(text))
    case .query: end(id, .init(.invalid))
    }
  }

  private mutating func work(_ id: ClusterLockingJobID, _ work: Work) {
    jobs[id]?.step = .working
    effects.append(.work(id, work))
  }

  private mutating func run(_ operation: VolumeOperation, _ id: ClusterLockingJobID, _ job: Job) {
    let held = heldMode(of: operation.volume)
    switch operation.kind {
    case .deactivate, .suspend, .resume:
      // Not active here, as far as the locks tell.
      if operation.isClustered, held == nil, !job.isRecovery { return end(id, .init()) }
      switch operation.kind {
      case .deactivate: work(id, .deactivate(operation))
      case .suspend: work(id, .suspend(operation))
      default: work(id, .resume(operation))
      }
    case .activateShared, .activateExclusive:
      if operation.isClustered {
        if held == operation.kind.activationMode { return end(id, .init()) }
        let mayConvert = held == nil || operation.options.contains(.convert)
        guard mayConvert, !isVolumeLockBusy(operation.volume) else {
          return end(id, .init(.busy))
        }
      }
      jobs[id]?.step = .judging
      effects.append(.work(id, .judgeActivation(volume: operation.volume)))
    }
  }

  mutating func worked(_ id: ClusterLockingJobID, _ result: WorkResult) {
    guard let job = jobs[id] else { return }
    guard case .volume(let operation) = job.command else {
      return end(id, nodeResult(result))
    }
    switch job.step {
    case .judging: judged(operation, id, result)
    case .working: worked(operation, id, job, result)
    case .queued, .locking: break
    }
  }

  /// A volume that lvm.conf keeps off this node counts as activated: lvm wants it so.
  private mutating func judged(
    _ operation: VolumeOperation, _ id: ClusterLockingJobID, _ result: WorkResult
  ) {
    guard result.failure == nil, result.isActive else { return end(id, nodeResult(result)) }
    guard operation.isClustered else { return work(id, .activate(operation)) }
    guard !isVolumeLockBusy(operation.volume) else { return end(id, .init(.busy)) }
    jobs[id]?.step = .locking
    jobs[id]?.hasTakenLock = volumeLocks[operation.volume] == nil
    requestVolumeLock(
      operation.volume, operation.kind.activationMode,
      .activating(id, volume: operation.volume))
  }

  mutating func activationLockEnded(_ id: ClusterLockingJobID, _ refusal: ClusterLockRefusal?) {
    guard case .volume(let operation) = jobs[id]?.command else { return }
    switch refusal {
    case nil: work(id, .activate(operation))
    case .heldElsewhere, .cancelled:
      end(id, .init(.failed, "Volume is busy on another node"))
    case .failed(let reason): end(id, .init(.failed, reason))
    }
  }

  private mutating func worked(
    _ operation: VolumeOperation, _ id: ClusterLockingJobID, _ job: Job, _ result: WorkResult
  ) {
    let isDone = result.failure == nil
    var answer = nodeResult(result)
    switch operation.kind {
    case .activateShared, .activateExclusive:
      answer.hasActivated = isDone && result.isChanged
      if !isDone, job.hasTakenLock { releaseVolumeLock(operation.volume) }
    case .deactivate: if isDone, operation.isClustered { releaseVolumeLock(operation.volume) }
    case .suspend: if isDone, result.isActive { suspendedFor[operation.volume] = id.origin }
    case .resume:
      if isDone { suspendedFor[operation.volume] = nil }
      requests[id]?.isActiveHere = result.isActive
    }
    if job.isCancelled { takeBack(operation, answer) }
    if job.isRecovery, let failure = result.failure {
      effects.append(
        .log(.error, "volume \(operation.volume) stays suspended on this node: \(failure)"))
    }
    end(id, answer)
  }

  /// The command was given up while this node was at it.
  private mutating func takeBack(_ operation: VolumeOperation, _ answer: ClusterLockingNodeResult) {
    var undo = operation
    if answer.hasActivated {
      undo.kind = .deactivate
    } else if operation.kind == .suspend, suspendedFor[operation.volume] != nil {
      undo.kind = .resume
    } else {
      return
    }
    startJob(nextJob(), .volume(undo), isRecovery: true)
  }

  private func nodeResult(_ result: WorkResult) -> ClusterLockingNodeResult {
    result.failure.map { .init(.failed, $0) } ?? .init(text: result.text)
  }

  /// Ends the part; nil says nothing to the node that asked.
  private mutating func end(_ id: ClusterLockingJobID, _ result: ClusterLockingNodeResult?) {
    guard let job = jobs.removeValue(forKey: id) else { return }
    if let result, !job.isCancelled { answer(id, result) }
    guard queues[job.queue]?.first == id else { return }
    queues[job.queue]?.removeFirst()
    if let next = queues[job.queue]?.first { run(next) } else { queues[job.queue] = nil }
  }

  private mutating func answer(_ id: ClusterLockingJobID, _ result: ClusterLockingNodeResult) {
    if id.origin == configuration.node {
      answered(id, by: configuration.node, result)
    } else {
      effects.append(.send(id.origin, .result(id, result)))
    }
  }

  /// The node that asked waits no more: what has not begun is not begun.
  mutating func cancelJob(_ id: ClusterLockingJobID) { jobs[id]?.isCancelled = true }

  // MARK: - Nodes that died with volumes suspended here

  /// Whether this node still has volumes to resume for commands of nodes that are dead; meanwhile
  /// nobody may be granted the locks of these nodes.
  public var isRecovering: Bool {
    jobs.values.contains(where: \.isRecovery)
      || suspendedFor.values.contains { !members.contains($0) }
  }

  mutating func recoverVolumesOfTheDead() {
    guard isQuorate, !jobs.values.contains(where: \.isRecovery) else { return }
    for (volume, origin) in suspendedFor.sorted(by: { $0.key < $1.key })
    where origin != configuration.node && !members.contains(origin) {
      effects.append(
        .log(
          .warning,
          """
          node \(name(of: origin)) is gone and left volume \(volume) suspended: resuming it on \
          what the disk says
          """))
      startJob(nextJob(), .volume(VolumeOperation(.resume, volume)), isRecovery: true)
    }
  }
}

extension ClusterLockingNodeCommand {
  /// Commands of one queue are carried out one after the other.
  fileprivate var queue: String {
    switch self {
    case .volume(let operation): "volume group \(operation.volume.prefix(32))"
    case .cache, .backUp: "metadata"
    case .refresh, .setDebugLevel, .test, .query: "node"
    }
  }
}
