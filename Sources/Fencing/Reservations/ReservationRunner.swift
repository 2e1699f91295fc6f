import ClusterTypes
import Glibc
import Synchronization

/// Persistent reservations on real disks; every method blocks, on a thread for it.
public final class ReservationRunner: Sendable {
  private let clusterID: UInt64
  private let fencing: ReservationFencing
  /// How long what a fenced node has under way may take to land where it cannot be aborted.
  private let drain: Duration
  /// Paths that have this node's key, as far as is known.
  private let registered = Mutex<Set<String>>([])

  /// - Parameters:
  ///   - local: this node in the life that is to write.
  ///   - aborts: whether disks are asked to end what a fenced node has under way.
  ///   - drain: how long that may take to land otherwise.
  public init(
    clusterID: UInt64, local: NodeInstance, aborts: Bool = true, drain: Duration = .zero
  ) {
    self.clusterID = clusterID
    self.drain = drain
    fencing = ReservationFencing(
      key: ReservationKey(
        clusterID: clusterID, node: local.node, incarnation: local.incarnation), aborts: aborts)
  }

  /// A number for a set of disks that is the same on all nodes that see them, never zero: FNV-1a of their
  /// names in order.
  public static func name(of disks: [String]) throws(ReservationError) -> UInt64 {
    var identities: Set<String> = []
    for disk in disks { identities.insert(try SCSIDevice.identity(of: disk)) }
    return name(ofIdentities: identities)
  }

  static func name(ofIdentities identities: Set<String>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in identities.sorted().joined(separator: "\n").utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
    }
    return max(hash, 1)
  }

  /// Registers this node on every path of every disk. Only while nothing on this node may write.
  public func register(_ disks: [String]) throws(ReservationError) {
    for disk in disks {
      for path in try SCSIDevice.paths(of: disk) {
        var target = try SCSIDevice(path: path)
        try fencing.register(on: &target)
        registered.withLock { _ = $0.insert(path) }
      }
    }
  }

  /// Registers paths that have appeared since, and returns them.
  ///
  /// - Parameter isAllowed: asked right before each: whether this node has a lease for long enough that
  ///   nobody can have evicted it.
  public func registerLatePaths(
    of disks: [String], isAllowed: () -> Bool
  ) throws(ReservationError) -> [String] {
    var late: [String] = []
    var present: Set<String> = []
    for disk in disks {
      for path in try SCSIDevice.paths(of: disk) {
        present.insert(path)
        guard !registered.withLock({ $0.contains(path) }), isAllowed() else { continue }
        var target = try SCSIDevice(path: path)
        if try fencing.registerLate(on: &target) { late.append(path) }
        registered.withLock { _ = $0.insert(path) }
      }
    }
    // The name may come back for another way to the disk.
    registered.withLock { $0.formIntersection(present) }
    return late
  }

  /// Those of the devices that lie, in whole or in part, on other disks than `disks`.
  public static func devices(
    _ devices: [String], notOn disks: [String]
  ) throws(ReservationError) -> [String] {
    var reserved: Set<String> = []
    for disk in disks { reserved.formUnion(try SCSIDevice.disks(under: disk)) }
    var others: [String] = []
    for device in devices where try !SCSIDevice.disks(under: device).isSubset(of: reserved) {
      others.append(device)
    }
    return others
  }

  /// Takes this node's keys off the disks: nothing on it writes any more.
  public func unregister(_ disks: [String]) throws(ReservationError) {
    for disk in disks {
      for path in try SCSIDevice.paths(of: disk) {
        var target = try SCSIDevice(path: path)
        try fencing.unregister(from: &target)
      }
    }
  }

  /// Whether the node is still kept from all the disks, in that life and all before it.
  public func keepsAway(
    _ victim: NodeInstance, from disks: [String]
  ) throws(ReservationError) -> Bool {
    for disk in disks {
      let isKept = try onOnePath(of: disk) { target throws(ReservationError) in
        try fencing.keepsAway(key(of: victim), on: &target)
      }
      guard isKept else { return false }
    }
    return true
  }

  /// What a fence device of this kind is asked for: off, or to be tried out.
  func run(_ run: AgentRun, _ disks: [String]) -> AgentOutcome {
    do {
      switch run.action {
      case .off, .reboot:
        guard let node = run.node, let incarnation = node.incarnation else {
          return AgentOutcome(.notStarted("it is not known which life of the node is meant"))
        }
        try fence(NodeInstance(node.id, incarnation), on: disks)
      case .monitor, .status: for disk in disks { try check(disk) }
      case .on: return AgentOutcome(.notStarted("reservations switch nothing on"))
      }
      return AgentOutcome(.exited(0))
    } catch {
      return AgentOutcome(.exited(1), output: "\(error)")
    }
  }

  private func fence(
    _ victim: NodeInstance, on disks: [String]
  ) throws(ReservationError) {
    for disk in disks {
      try onOnePath(of: disk) { target throws(ReservationError) in
        try fencing.fence(key(of: victim), on: &target)
      }
    }
    guard !fencing.aborts else { return }
    Self.sleep(drain)
    guard try keepsAway(victim, from: disks) else {
      throw ReservationError(.failed, "its key came back while its last writes landed")
    }
  }

  private static func sleep(_ time: Duration) {
    var rest = timespec(
      tv_sec: Int(time.components.seconds),
      tv_nsec: Int(time.components.attoseconds / 1_000_000_000))
    var left = timespec()
    while nanosleep(&rest, &left) != 0, errno == EINTR { rest = left }
  }

  private func key(of instance: NodeInstance) -> ReservationKey {
    ReservationKey(clusterID: clusterID, node: instance.node, incarnation: instance.incarnation)
  }

  /// One path is enough: registrations are the device's.
  private func onOnePath<Value>(
    of disk: String, _ body: (inout SCSIDevice) throws(ReservationError) -> Value
  ) throws(ReservationError) -> Value {
    var failure = ReservationError(.failed, "\(disk) has no path")
    for path in try SCSIDevice.paths(of: disk) {
      do throws(ReservationError) {
        var target = try SCSIDevice(path: path)
        return try body(&target)
      } catch {
        failure = error
      }
    }
    throw failure
  }

  /// Every path must be registered, or this node fails with it.
  private func check(_ disk: String) throws(ReservationError) {
    for path in try SCSIDevice.paths(of: disk) {
      var target = try SCSIDevice(path: path)
      try fencing.check(on: &target)
    }
  }
}
