import CCorosync
import CLinux
import ClusterMembership
import ClusterTypes
import Glibc
import Synchronization

/// This process' membership in the group of a cluster's clvmd daemons, and what votequorum says.
///
/// One thread calls `run` and does everything with corosync; `multicast`, `leave` and `stop` may be called
/// from any.
public final class CorosyncGroup: Sendable {
  /// How long corosync may answer "try again" while its nodes find together.
  private static let patience = Duration.seconds(30)
  private static let retryMicroseconds: UInt32 = 20_000
  private static let pollMilliseconds: Int32 = 1000

  private struct Mailbox {
    var outgoing: [[UInt8]] = []
    var isLeaving = false
    var isStopped = false
  }

  /// This process, as the other members see it.
  public let process: GroupProcess
  /// The name of corosync's cluster; empty when it has none.
  public let clusterName: String

  private let connection: CorosyncConnection
  private let name: String
  private let mailbox = Mutex(Mailbox())
  /// Wakes `run`: the ends for reading and writing of a pipe.
  private let wake: (read: Int32, write: Int32)

  /// Connects, and compares corosync's nodes with the configured ones; joins nothing yet.
  ///
  /// - Parameter name: of the process group, at most 128 bytes.
  public init(name: String, local: NodeID, nodes: [NodeID]) throws(CorosyncError) {
    if let problem = corosync_load_libraries() { throw .libraries(String(cString: problem)) }
    connection = try CorosyncConnection(patience: Self.patience)
    guard connection.hasQuorum else { throw .noQuorumProvider }
    guard connection.localNode == UInt32(local.rawValue) else {
      throw .otherNode(corosync: connection.localNode, configured: local.rawValue)
    }
    let theirs = Set(try CorosyncConnection.configuredNodes())
    let ours = Set(nodes.map { UInt32($0.rawValue) })
    guard theirs == ours else {
      throw .otherNodes(
        onlyInCorosync: theirs.subtracting(ours).sorted(),
        onlyConfigured: nodes.map(\.rawValue).filter { !theirs.contains(UInt32($0)) })
    }
    clusterName = try CorosyncConnection.clusterName()
    process = GroupProcess(node: local, pid: UInt32(getpid()))
    self.name = name
    var ends: [Int32] = [-1, -1]
    guard clinux_pipe(&ends) == 0 else { throw .failed(operation: "wake its thread", code: 18) }
    wake = (ends[0], ends[1])
  }

  deinit {
    close(wake.read)
    close(wake.write)
  }

  /// Hands a message to all members, in the order of the calls.
  public func multicast(_ bytes: [UInt8]) {
    mailbox.withLock { $0.outgoing.append(bytes) }
    signal()
  }

  /// Leaves the group; the others see that this process is gone.
  public func leave() {
    mailbox.withLock { $0.isLeaving = true }
    signal()
  }

  /// Ends `run`.
  public func stop() {
    mailbox.withLock { $0.isStopped = true }
    signal()
  }

  private func signal() {
    var byte: UInt8 = 1
    // A full pipe wakes just as well.
    _ = write(wake.write, &byte, 1)
  }

  /// Joins, and hands on what corosync says until `stop`. The last event is `lost` when corosync ends
  /// first.
  public func run(deliver: (GroupEvent) -> Void) {
    do throws(CorosyncError) {
      try connection.join(name, patience: Self.patience)
      var hasLeft = false
      var translation = GroupTranslation(process: process)
      var unsent: [[UInt8]] = []
      while true {
        let (outgoing, isLeaving, isStopped) = mailbox.withLock { box in
          defer { box.outgoing = [] }
          return (box.outgoing, box.isLeaving, box.isStopped)
        }
        // A process that becomes the daemon anew keeps its connection until then.
        if isStopped { return connection.leave(name) }
        unsent += outgoing
        if isLeaving, !hasLeft {
          connection.leave(name)
          hasLeft = true
        }
        if hasLeft { unsent = [] }
        while let next = unsent.first, try connection.multicast(next) { unsent.removeFirst() }
        for notice in try connection.dispatch() {
          if let event = try translation.event(of: notice) { deliver(event) }
        }
        waitForWork(isBusy: !unsent.isEmpty)
      }
    } catch {
      deliver(.lost(reason: "\(error)"))
    }
  }

  private func waitForWork(isBusy: Bool) {
    var descriptors = [wake.read] + connection.descriptors
    descriptors.removeAll { $0 < 0 }
    var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let limit = isBusy ? Int32(Self.retryMicroseconds / 1000) : Self.pollMilliseconds
    poll(&polled, nfds_t(polled.count), limit)
    guard polled[0].revents != 0 else { return }
    var bytes = [UInt8](repeating: 0, count: 4096)
    _ = read(wake.read, &bytes, bytes.count)
  }
}

/// Makes configurations of corosync's separate words on members and rings.
struct GroupTranslation {
  let process: GroupProcess
  private var members: [GroupProcess]?
  private var ring: GroupRing?

  init(process: GroupProcess) { self.process = process }

  mutating func event(of notice: CorosyncNotice) throws(CorosyncError) -> GroupEvent? {
    switch notice {
    case .members(let processes):
      var members: [GroupProcess] = []
      for process in processes { members.append(try Self.process(process)) }
      // After leaving, this process is the one that is missing.
      guard members.contains(process) || self.members != nil else {
        throw .notInGroup(pid: Int32(bitPattern: process.pid))
      }
      self.members = members
      return configuration
    case .ring(let ring):
      self.ring = ring
      return configuration
    case .message(let bytes, let sender): return .message(bytes, from: try Self.process(sender))
    case .quorum(let isQuorate, let ring): return .quorum(isQuorate, ring)
    }
  }

  private var configuration: GroupEvent? {
    guard let members, let ring else { return nil }
    return .configuration(members, ring)
  }

  private static func process(
    _ process: CorosyncNotice.Process
  ) throws(CorosyncError) -> GroupProcess {
    guard let number = Int32(exactly: process.node), let id = NodeID(number) else {
      throw .nodeOutOfRange(process.node)
    }
    return GroupProcess(node: id, pid: process.pid)
  }
}
