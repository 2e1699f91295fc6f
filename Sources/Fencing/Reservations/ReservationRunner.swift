import ClusterTypes

/// Persistent reservations on real disks; every method blocks, on a thread for it.
public struct ReservationRunner: Sendable {
  private let clusterID: UInt64
  private let fencing: ReservationFencing

  /// `local`: this node in the life that is to write.
  public init(clusterID: UInt64, local: NodeInstance) {
    self.clusterID = clusterID
    fencing = ReservationFencing(
      key: ReservationKey(
        clusterID: clusterID, node: local.node, incarnation: local.incarnation))
  }

  /// Registers this node on every path of every disk. Only while nothing on this node may write.
  public func register(_ disks: [String]) throws(ReservationError) {
    for disk in disks {
      for path in try SCSIDevice.paths(of: disk) {
        var target = try SCSIDevice(path: path)
        try fencing.register(on: &target)
      }
    }
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

  /// What a fence device of this kind is asked for: off, or to be tried out.
  func run(_ run: AgentRun, _ disks: [String]) -> AgentOutcome {
    do {
      switch run.action {
      case .off, .reboot:
        guard let node = run.node, let incarnation = node.incarnation else {
          return AgentOutcome(.notStarted("it is not known which life of the node is meant"))
        }
        let victim = ReservationKey(
          clusterID: clusterID, node: node.id, incarnation: incarnation)
        for disk in disks { try fence(victim, on: disk) }
      case .monitor, .status: for disk in disks { try check(disk) }
      case .on: return AgentOutcome(.notStarted("reservations switch nothing on"))
      }
      return AgentOutcome(.exited(0))
    } catch {
      return AgentOutcome(.exited(1), output: "\(error)")
    }
  }

  /// One path is enough: registrations are the device's.
  private func fence(_ victim: ReservationKey, on disk: String) throws(ReservationError) {
    var failure = ReservationError(.failed, "\(disk) has no path")
    for path in try SCSIDevice.paths(of: disk) {
      do throws(ReservationError) {
        var target = try SCSIDevice(path: path)
        return try fencing.fence(victim, on: &target)
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
      try fencing.check(nil, on: &target)
    }
  }
}
