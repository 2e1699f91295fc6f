import ByteCoding
import ClusterTypes
import DistributedLockManager
import KernelLockspaces
import LockProtocol
import Logging
import NIOCore
import PosixLocks

/// POSIX locks (fcntl) of cluster filesystems: between the kernel's device and the lockspaces' tables,
/// which are the same on all nodes (`PosixLockspace`).
///
/// Confined to the cluster's event loop.
final class PosixLockService {
  /// What the kernel runs since an earlier life of the daemon, until its processes have been answered.
  private struct Recovery {
    /// Requests that the earlier life may have read without noting them.
    let unknownRequests: Int
  }

  private static let tickInterval = TimeAmount.seconds(1)
  /// Read in one go, before others have their turn on the loop.
  private static let batch = 64
  /// Requests of one lockspace that wait for their answers, besides those that wait for a lock.
  private static let backlogLimit = 4096
  /// Answers to programs of which a forgotten life may have read a request. The kernel logs those in excess.
  private static let blindAnswers = 256
  private static let backlogPause = Duration.milliseconds(2)
  private static let recoveryPause = Duration.milliseconds(20)

  private let device: PosixLockDevice
  private let local: NodeInstance
  private let settings: DaemonConfiguration.PosixLockSettings
  private let journals: PosixLockJournals
  private let reader: PosixLockReader
  private let loop: any EventLoop
  private let logger: Logger
  private let send: ([UInt8], NodeID) -> Void
  private var rate: PosixLockRate
  private var names: [UInt32: LockspaceName] = [:]
  private(set) var machines: [LockspaceName: PosixLockspace] = [:]
  private var recovering: [LockspaceName: Recovery] = [:]
  /// Lockspaces whose journal cannot be written, as reported.
  private var withoutJournal: Set<LockspaceName> = []
  private var ticks: RepeatedTask?
  private var hasToldRefusal = false
  /// What is asked from now on is for the next life.
  private var isStopped = false

  /// - Parameters:
  ///   - directory: of the journals.
  ///   - adopted: what the kernel runs since an earlier life of the daemon.
  init(
    device: PosixLockDevice, settings: DaemonConfiguration.PosixLockSettings,
    local: NodeInstance, directory: String,
    adopted: Set<LockspaceName>, loop: any EventLoop, logger: Logger,
    send: @escaping ([UInt8], NodeID) -> Void
  ) throws {
    self.device = device
    self.settings = settings
    self.local = local
    self.loop = loop
    self.logger = logger
    self.send = send
    rate = PosixLockRate(limit: settings.rate)
    journals = try PosixLockJournals(directory: directory)
    reader = PosixLockReader(device)
    for name in adopted.sorted() { takeUp(name) }
    try journals.keepOnly(adopted)
  }

  func start() {
    let bound = NIOLoopBound(self, eventLoop: loop)
    reader.start(on: loop, logger: logger) { try bound.value.takeRequests() }
    ticks = loop.scheduleRepeatedTask(
      initialDelay: Self.tickInterval, delay: Self.tickInterval
    ) { _ in
      let service = bound.value
      for name in service.machines.keys.sorted() { service.run(name) { $0.tick(effects: &$1) } }
    }
  }

  func stop() {
    isStopped = true
    ticks?.cancel()
    reader.stop()
  }

  // MARK: - An earlier life

  private func takeUp(_ name: LockspaceName) {
    let identifier = LockspaceID(name: name).rawValue
    names[identifier] = name
    var effects: [PosixLockspace.Effect] = []
    do {
      if settings.isEnabled, let journal = try journals.load(name) {
        let machine = try PosixLockspace(
          identifier: identifier, local: local, journal: journal, effects: &effects)
        machines[name] = machine
        recovering[name] = Recovery(unknownRequests: 1)
        carryOut([.journal(machine.image)] + effects, name)
        return
      }
    } catch {
      logger.error("the POSIX locks of lockspace \(name) cannot be taken up: \(error)")
    }
    let machine = PosixLockspace(
      identifier: identifier, local: local, isEnabled: settings.isEnabled, isForgetful: true)
    machines[name] = machine
    recovering[name] = Recovery(unknownRequests: Self.blindAnswers)
    if settings.isEnabled { carryOut([.journal(machine.image)], name) }
  }

  /// Before a request is read: what an earlier life has read and this one does not know of would get the
  /// answers of others, because the kernel gives them out in order. Those in excess it drops.
  private func finishRecovery() throws -> Bool {
    for (name, recovery) in recovering {
      guard let machine = machines[name] else {
        recovering[name] = nil
        continue
      }
      guard machine.isSettled else { continue }
      let record = PosixLockRecord(
        lockspace: machine.identifier, request: PosixLockRequest(.lock, inode: 0, owner: 0))
      let answer = record.answered(.failure(settings.isEnabled ? .noLocks : .notSupported))
      for _ in 0..<recovery.unknownRequests { try device.answer(answer) }
      recovering[name] = nil
    }
    return recovering.isEmpty
  }

  // MARK: - Processes

  /// Reads requests; returns how long to wait before more are read.
  private func takeRequests() throws -> Duration? {
    guard !isStopped else { return nil }
    guard try finishRecovery() else { return Self.recoveryPause }
    for _ in 0..<Self.batch {
      guard !machines.values.contains(where: { $0.backlog >= Self.backlogLimit }) else {
        return Self.backlogPause
      }
      if let pause = rate.take(at: .now) { return pause }
      guard let bytes = try device.next() else {
        rate.giveBack()
        return nil
      }
      take(try PosixLockRecord(bytes))
    }
    return nil
  }

  private func take(_ record: PosixLockRecord) {
    if !settings.isEnabled, !hasToldRefusal {
      hasToldRefusal = true
      logger.warning(
        "a program asked for a POSIX lock on a cluster filesystem; these are switched off here")
    }
    guard let name = names[record.lockspace], machines[name] != nil else {
      guard !record.request.isClose else { return }
      return answer(record.answered(.failure(settings.isEnabled ? .noLocks : .notSupported)))
    }
    run(name) { $0.request(record.request, effects: &$1) }
  }

  private func answer(_ bytes: [UInt8]) {
    do {
      try device.answer(bytes)
    } catch {
      logger.critical("a program that asked for a POSIX lock cannot be answered: \(error)")
    }
  }

  // MARK: - The cluster

  func lockspaceStops(_ name: LockspaceName) { machines[name]?.stop() }

  /// - Parameter isFirstStart: this node has not run the lockspace since it joined.
  func lockspaceStarts(
    _ name: LockspaceName, generation: UInt64, members: [NodeInstance], isFirstStart: Bool
  ) {
    if machines[name] == nil || isFirstStart {
      let machine = PosixLockspace(
        identifier: LockspaceID(name: name).rawValue, local: local, isEnabled: settings.isEnabled)
      machines[name] = machine
      names[machine.identifier] = name
      withoutJournal.remove(name)
      if settings.isEnabled { carryOut([.journal(machine.image)], name) }
    }
    run(name) { $0.start(generation: generation, members: members, effects: &$1) }
  }

  func lockspaceLeft(_ name: LockspaceName) {
    run(name) { $0.leave(effects: &$1) }
    machines[name] = nil
    names[LockspaceID(name: name).rawValue] = nil
    do {
      try journals.remove(name)
    } catch {
      logger.error("\(error)")
    }
  }

  func received(_ bytes: ArraySlice<UInt8>, from sender: NodeInstance) {
    var reader = ByteReader(bytes)
    do {
      let identifier: UInt32 = try reader.read()
      let message = try PosixLockMessage(decoding: reader.readRemaining())
      guard let name = names[identifier] else { return }
      run(name) { $0.received(message, from: sender, effects: &$1) }
    } catch {
      logger.error("node \(sender.node) sent a message about POSIX locks that is none: \(error)")
    }
  }

  /// A channel to the node was opened.
  func connected(_ node: NodeID) {
    for name in machines.keys.sorted() { run(name) { $0.connected(node, effects: &$1) } }
  }

  // MARK: - Effects

  private func run(
    _ name: LockspaceName, _ body: (inout PosixLockspace, inout [PosixLockspace.Effect]) -> Void
  ) {
    // Taken out, so that it is changed in place.
    guard var machine = machines.removeValue(forKey: name) else { return }
    var effects: [PosixLockspace.Effect] = []
    body(&machine, &effects)
    machines[name] = machine
    carryOut(effects, name)
    guard journals.isLong(name) else { return }
    carryOut([.journal(machine.image)], name)
  }

  private func carryOut(_ effects: [PosixLockspace.Effect], _ name: LockspaceName) {
    for effect in effects {
      switch effect {
      case .send(let message, let node):
        var writer = ByteWriter(reservingCapacity: 128)
        writer.write(LockspaceID(name: name).rawValue)
        writer.write(message.encoded)
        send(writer.bytes, node)
      case .journal(let entry): note(entry, name)
      case .answer(let bytes, let sequence):
        flush(name)
        answer(bytes)
        guard settings.isEnabled else { continue }
        note(.answered(sequence: sequence), name)
        flush(name)
      }
    }
    flush(name)
  }

  private func note(_ entry: PosixLockJournalEntry, _ name: LockspaceName) {
    guard !withoutJournal.contains(name) else { return }
    do {
      try journals.note(entry, name)
    } catch {
      giveUpJournal(name, error)
    }
  }

  private func flush(_ name: LockspaceName) {
    do {
      try journals.flush(name)
    } catch {
      giveUpJournal(name, error)
    }
  }

  /// A journal with a gap would be worse than none.
  private func giveUpJournal(_ name: LockspaceName, _ error: DaemonError) {
    withoutJournal.insert(name)
    logger.critical(
      """
      lockspace \(name): its POSIX locks on this node cannot be noted, and will be forgotten if clvmd \
      is restarted before the filesystem is unmounted: \(error)
      """)
    do {
      try journals.remove(name)
    } catch {
      logger.critical("\(error)")
    }
  }
}
