import ClusterMembership
import ClusterTypes
import Glibc
import KeeperProtocol
import KernelLockspaces
import LockspaceGroups
import Logging
import NIOPosix
import Synchronization

/// The daemon's side of clvmd-keeper, a separate program that outlives it.
///
/// Calls block for an answer, on threads for that; leases go out without waiting, on the connection on
/// which the kernel's announcements come in.
final class KeeperClient: LeaseKeeper {
  /// How long a keeper may take to start that systemd started at the same moment.
  private static let patienceMilliseconds = 10_000

  /// What an earlier life has left in the kernel, as the kernel confirms it.
  let table: KernelTable
  let capabilities: Capabilities
  /// No command of an earlier life still holds one of its locks.
  private let holdsNothingElse: Bool
  /// Whether petting goes by lease at all: not where losing the quorum must not reset the machine.
  private let bindsToLease: Bool
  private let calls: KeeperConnection
  private let events: KeeperConnection
  private let logger: Logger
  private let thread = NIOThreadPool(numberOfThreads: 1)
  private let isEnding = Atomic(false)

  /// Connects, and arms the watchdog if the configuration names one. Throws when the kernel has what
  /// neither this node nor its keeper can account for.
  init(
    _ settings: DaemonConfiguration.KeeperSettings, timers: MembershipTimers, leaseResets: Bool,
    holdsNothingElse: Bool, control: KernelLockManager, logger: Logger
  ) throws {
    self.logger = logger
    self.holdsNothingElse = holdsNothingElse
    calls = try KeeperConnection(
      path: settings.socket, patienceMilliseconds: Self.patienceMilliseconds)
    events = try KeeperConnection(path: settings.socket, patienceMilliseconds: 0)
    guard
      case .welcome(let state) = try calls.ask(
        .hello(version: KeeperProtocol.version, .calls))
    else { throw DaemonError("clvmd-keeper does not answer as one") }
    table = try KernelAdoption(control).confirm(state.table)
    let isVirtual = MachineFacts.isVirtual()
    var capabilities = Capabilities(
      petsByLease: leaseResets, inhibitsSleep: MachineFacts.cannotSleep(),
      isVirtualMachine: isVirtual)
    if let device = settings.watchdog {
      let reply = try calls.ask(
        .arm(
          device: device, timeoutMilliseconds: timers.watchdog, petMilliseconds: timers.pet))
      guard case .armed(let facts) = reply else {
        throw DaemonError("clvmd-keeper does not say whether the watchdog is armed")
      }
      capabilities.watchdog = MachineFacts.kind(identity: facts.identity, isVirtual: isVirtual)
      capabilities.watchdogTimeout = facts.timeoutMilliseconds
      logger.notice(
        "watchdog \(facts.device) (\(facts.identity)) is armed, \(facts.timeoutMilliseconds) ms")
    } else {
      logger.warning(
        "no watchdog is configured: when the lease ends, only software resets this node")
    }
    self.capabilities = capabilities
    bindsToLease = leaseResets
  }

  // MARK: - Leases

  var findings: KeeperFindings {
    KeeperFindings(
      isAlive: holdsNothingElse,
      spaces: table.spaces.sorted { $0.key < $1.key }.map { name, space in
        // Whether it runs or hangs stopped: it is stopped and started again by all its members.
        AdoptedSpace(
          name: name, kind: LockspaceKind.kernel.rawValue, generation: space.generation,
          isRunning: true)
      },
      started: table.spaces.mapValues(\.members))
  }

  func setLease(until: Timestamp) { tell(.lease(until: until.nanoseconds)) }
  func becomeDirty() { if bindsToLease { tell(.bind(true)) } }
  func becomeClean() { if bindsToLease { tell(.bind(false)) } }

  func selfFence(reason: String) {
    logger.critical("this machine is reset now: \(reason)")
    tell(.reset(reason: reason))
    // Whoever is first.
    MachineReset.now(logger)
  }

  /// A keeper that takes nothing any more is as good as dead, and its watchdog decides.
  private func tell(_ request: KeeperRequest) {
    guard !events.send(request), !isEnding.load(ordering: .acquiring) else { return }
    logger.critical("clvmd-keeper takes no messages: \(String(cString: strerror(errno)))")
  }

  // MARK: - The kernel's lock manager

  /// Opens the monitor and the kernel's announcements, if they are not open since an earlier life.
  func control() throws { _ = try calls.ask(.control) }

  /// Replaces what the next life will find; returns when it is held.
  func note(_ table: KernelTable) throws { _ = try calls.ask(.note(table)) }

  /// Answers a process that waits in the kernel; nothing is written if it was answered before.
  func answer(directory: String, sequence: UInt64, _ result: Int32) throws {
    if case .answeredBefore = try calls.ask(
      .answer(directory: directory, sequence: sequence, result: result))
    {
      logger.info("the kernel's event \(sequence) of \(directory) was answered before")
    }
  }

  /// Hands over what the kernel announces, first what no earlier life has answered. `lost` is called
  /// once, when the keeper is gone. Both on a thread of their own.
  func listen(
    deliver: @escaping @Sendable (UeventSocket.Reading) -> Void,
    lost: @escaping @Sendable (any Error) -> Void
  ) {
    // Before any lease: the keeper takes nothing from a connection that has not said what it is.
    let isGreeted = events.send(.hello(version: KeeperProtocol.version, .events))
    thread.start()
    thread.submit { [self] _ in
      var buffer = [UInt8](repeating: 0, count: KeeperProtocol.maximumBytes)
      do {
        guard isGreeted else { throw DaemonError("clvmd-keeper is gone") }
        while true {
          var reading = UeventSocket.Reading()
          switch try events.next(&buffer) {
          case .announced(let datagram): reading.take(datagram: datagram)
          case .announcementsLost: reading.markIncomplete()
          case .done, .welcome, .armed, .answeredBefore, .refused: continue
          }
          deliver(reading)
        }
      } catch {
        if !isEnding.load(ordering: .acquiring) { lost(error) }
      }
    }
  }

  /// The end of a daemon that has left nothing that may write, whether or not the cluster could decide
  /// that: the watchdog stops, the kernel is given up.
  func farewell() throws {
    isEnding.store(true, ordering: .releasing)
    // On the same connection as the question, so that it is first.
    _ = calls.send(.bind(false))
    _ = try calls.ask(.farewell)
    stop()
  }

  /// Ends the connections and leaves everything with the keeper.
  func stop() {
    isEnding.store(true, ordering: .releasing)
    events.shutDown()
    thread.shutdownGracefully { _ in }
  }
}
