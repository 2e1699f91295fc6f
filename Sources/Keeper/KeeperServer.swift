import CLinux
import Glibc
import KeeperProtocol
import KernelLockspaces

/// The keeper's one thread besides the petting: waits on its sockets and carries out what
/// `KeeperMachine` decides. It never waits for the daemon, a disk or the network.
public final class KeeperServer {
  /// Connections that have not said yet what they are.
  private static let maximumStrangers = 4
  private static let pollMilliseconds: Int32 = 1000

  private let socketPath: String
  private let paths: KernelControlPaths
  private let report: (String) -> Void
  private let petting: PettingThread
  private let resetMachine: @Sendable (String) -> Void

  private var machine = KeeperMachine()
  private var listener: Int32 = -1
  private var strangers: [Int32] = []
  private var connections: [KeeperConnectionRole: Int32] = [:]
  private var watchdog: WatchdogDevice?
  private var monitor: KernelMonitor?
  private var uevents: UeventSocket?
  /// The daemon's buffer was full when something was announced.
  private var hasDropped = false
  private var buffer = [UInt8](repeating: 0, count: KeeperProtocol.maximumBytes)

  /// `resetMachine` and `paths` are others only in tests.
  public init(
    socketPath: String, paths: KernelControlPaths = KernelControlPaths(),
    resetMachine: @escaping @Sendable (String) -> Void = { _ in clinux_reset_machine() },
    report: @escaping (String) -> Void
  ) {
    self.socketPath = socketPath
    self.paths = paths
    self.report = report
    self.resetMachine = resetMachine
    petting = PettingThread { reason in
      // Nothing else is worth the time now, not even a log.
      switch reason {
      case .leaseOver: resetMachine("the lease is over, and the watchdog did not act")
      case .pettedTooLate: resetMachine("the watchdog was petted after the lease's end")
      }
    }
  }

  /// Takes the socket and starts the petting. Fails when another keeper serves the socket.
  public func start() throws(KeeperFailure) {
    let probe = clinux_message_connect(socketPath)
    if probe >= 0 {
      close(probe)
      throw KeeperFailure("another keeper serves \(socketPath)")
    }
    if unlink(socketPath) != 0, errno != ENOENT {
      throw KeeperFailure("\(socketPath): \(String(cString: strerror(errno)))")
    }
    listener = clinux_message_listen(socketPath)
    guard listener >= 0 else {
      throw KeeperFailure("\(socketPath): \(String(cString: strerror(errno)))")
    }
    guard petting.start() else { throw KeeperFailure("no thread can be made") }
  }

  /// Serves until `isWanted` is false and nothing is left that may write; returns then.
  public func serve(while isWanted: () -> Bool) {
    var hasComplained = false
    while true {
      if !isWanted() {
        if !machine.state.isBound { return end() }
        if !hasComplained {
          report("not stopping: something on this node may write; leave the cluster first")
        }
        hasComplained = true
      }
      reportPetting()
      waitAndRead()
    }
  }

  private func reportPetting() {
    let failure = petting.takeFailure()
    if failure != 0 {
      report("the watchdog could not be petted: \(String(cString: strerror(failure)))")
    }
    let priority = petting.takeRealTimeFailure()
    if priority != 0 {
      report("no real-time priority is allowed: \(String(cString: strerror(priority)))")
    }
  }

  private func end() {
    petting.stop()
    if let watchdog {
      petting.removeDevice()
      watchdog.disarm()
    }
    for descriptor in strangers + Array(connections.values) { close(descriptor) }
    close(listener)
    unlink(socketPath)
  }

  private func waitAndRead() {
    var watched = [listener, uevents?.descriptor ?? -1] + strangers
    let roles = Array(connections.keys)
    watched += roles.compactMap { connections[$0] }
    var requests = watched.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    guard poll(&requests, nfds_t(requests.count), Self.pollMilliseconds) > 0 else { return }
    let ready = Set(requests.filter { $0.revents != 0 }.map(\.fd))
    if ready.contains(listener) { accept() }
    if let uevents, ready.contains(uevents.descriptor) { readAnnouncements(uevents) }
    for stranger in strangers where ready.contains(stranger) { readFirst(from: stranger) }
    for role in roles {
      guard let descriptor = connections[role], ready.contains(descriptor) else { continue }
      read(from: descriptor, role)
    }
  }

  // MARK: - Connections

  private func accept() {
    let descriptor = clinux_message_accept(listener)
    guard descriptor >= 0 else { return }
    var (process, user, group): (pid_t, uid_t, gid_t) = (0, 0, 0)
    guard clinux_peer_credentials(descriptor, &process, &user, &group) == 0,
      user == 0 || user == geteuid(), strangers.count < Self.maximumStrangers
    else {
      close(descriptor)
      return
    }
    strangers.append(descriptor)
  }

  private func readFirst(from descriptor: Int32) {
    strangers.removeAll { $0 == descriptor }
    guard let request = receive(descriptor), case .hello(_, let role) = request else {
      close(descriptor)
      return
    }
    guard connections[role] == nil else {
      send(.refused(reason: "another clvmd is connected to this keeper"), to: descriptor)
      close(descriptor)
      return
    }
    connections[role] = descriptor
    handle(.received(request, on: role))
  }

  private func read(from descriptor: Int32, _ role: KeeperConnectionRole) {
    if let request = receive(descriptor) {
      handle(.received(request, on: role))
    } else {
      handle(.closed)
    }
  }

  /// Nil at the end of the connection, and for what is no request.
  private func receive(_ descriptor: Int32) -> KeeperRequest? {
    let count = clinux_message_receive(descriptor, &buffer, buffer.count)
    guard count > 0 else { return nil }
    guard count <= buffer.count else {
      report("a message of \(count) bytes is too long")
      return nil
    }
    do {
      return try KeeperRequest(decoding: buffer[..<count])
    } catch {
      report("a message is not understood: \(error)")
      return nil
    }
  }

  /// False when it did not go out whole.
  @discardableResult
  private func send(_ reply: KeeperReply, to descriptor: Int32) -> Bool {
    let bytes = reply.encoded
    return clinux_message_send(descriptor, bytes, bytes.count, 1) == 0
  }

  // MARK: - Effects

  private func handle(_ input: KeeperInput) {
    var effects: [KeeperEffect] = []
    machine.handle(input, effects: &effects)
    for effect in effects { carryOut(effect) }
  }

  private func carryOut(_ effect: KeeperEffect) {
    switch effect {
    case .reply(let reply):
      guard let descriptor = connections[.calls] else { return }
      if !send(reply, to: descriptor) { report("the daemon does not take an answer") }
    case .event(let reply): sendEvent(reply)
    case .close(let role):
      if let descriptor = connections.removeValue(forKey: role) { close(descriptor) }
    case .armWatchdog(let device, let timeout, let pet): arm(device, timeout, pet)
    case .disarmWatchdog:
      petting.removeDevice()
      watchdog?.disarm()
      watchdog = nil
    case .openControl: openControl()
    case .closeControl:
      monitor = nil
      uevents = nil
    case .writeAnswer(let directory, let sequence, let result):
      writeAnswer(directory, sequence, result)
    case .setLimit(let moment): petting.setLimit(moment)
    case .resetMachine(let reason):
      report("resetting the machine: \(reason)")
      resetMachine(reason)
    case .report(let text): report(text)
    }
  }

  private func sendEvent(_ reply: KeeperReply) {
    guard let descriptor = connections[.events] else { return }
    if hasDropped { hasDropped = !send(.announcementsLost, to: descriptor) }
    if !hasDropped { hasDropped = !send(reply, to: descriptor) }
    if hasDropped { report("the daemon does not take the kernel's announcements") }
  }

  private func arm(_ device: String, _ timeout: UInt32, _ pet: UInt32) {
    do throws(KeeperFailure) {
      if watchdog == nil {
        watchdog = try WatchdogDevice(path: device, timeoutMilliseconds: timeout)
      } else {
        try watchdog?.setTimeout(milliseconds: timeout)
      }
      guard let watchdog else { return }
      petting.setDevice(
        watchdog.descriptor, petMilliseconds: pet,
        timeoutMilliseconds: watchdog.facts.timeoutMilliseconds)
      handle(.armed(.success(watchdog.facts)))
    } catch {
      // The lease counts all the same; this program resets the machine then.
      petting.setDevice(
        watchdog?.descriptor ?? -1, petMilliseconds: pet, timeoutMilliseconds: timeout)
      handle(.armed(.failure(error)))
    }
  }

  // MARK: - The kernel

  private func openControl() {
    do throws(KernelControlError) {
      // The socket first: what the open monitor allows may be announced at once.
      uevents = try UeventSocket()
      monitor = try KernelMonitor(paths: paths)
      handle(.controlOpened(nil))
    } catch {
      uevents = nil
      handle(.controlOpened(KeeperFailure("\(error)")))
    }
  }

  private func readAnnouncements(_ socket: UeventSocket) {
    do throws(KernelControlError) {
      let reading = try socket.readDatagrams()
      for datagram in reading.datagrams { handle(.announced(datagram)) }
      if reading.isIncomplete { handle(.announcementsLost) }
    } catch {
      report("the kernel's announcements cannot be read: \(error)")
    }
  }

  private func writeAnswer(_ directory: String, _ sequence: UInt64, _ result: Int32) {
    let path =
      "\(paths.lockspaces)/\(directory)/\(KernelControlPaths.LockspaceFile.eventDone.rawValue)"
    var failure: KeeperFailure?
    do throws(KernelControlError) {
      try HostKernelFiles().write(Array(String(result).utf8), to: path)
    } catch {
      failure = KeeperFailure("\(error)")
    }
    handle(.answerWritten(directory: directory, sequence: sequence, failure))
  }
}
