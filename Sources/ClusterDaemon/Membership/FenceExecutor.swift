import ClusterTypes

/// One decided run of fence devices against one node (membership design, section 11).
struct FenceOrder: Hashable, Sendable {
  /// Number of the attempt in the cluster's record; unique for ever.
  let attempt: UInt64
  /// The node that is to be proven dead, in the incarnation that was removed.
  let victim: NodeInstance
  let victimName: String
  /// Topology level, from 1.
  let level: Int
  /// The cluster expects the level to take the victim's keys off disks and to do nothing else.
  let isByReservation: Bool
  /// After this every process of the run is killed, and the run has failed.
  let timeout: Duration
}

/// How an order ended.
enum FenceResult: Hashable, Sendable {
  /// 0 if every device of the level has confirmed that the node is off, else another exit status; nil if
  /// a device was killed or could not be run at all. Nothing but 0 ever counts as success.
  case exited(Int32?)
  /// The node's keys are off these disks (`Capabilities.reservedDevices`), and nothing that it had under
  /// way can land any more.
  case excluded(devices: UInt64)
}

/// Runs fence devices for the embedded provider, which decides whom to fence, when, and who does it.
///
/// Confined to the cluster's event loop; blocking work runs elsewhere.
protocol FenceExecutor: AnyObject {
  /// Runs all devices of the order's level against its victim, once, without retrying.
  ///
  /// `completion` is called exactly once, on the event loop.
  func run(_ order: FenceOrder, completion: @escaping (FenceResult) -> Void)

  /// Reads on all reserved disks whether nodes that were fenced by reservation are still kept from them:
  /// one answer for each, nil where it cannot be told. `completion` is called once, on the event loop.
  func readExclusions(_ nodes: [NodeInstance], completion: @escaping ([Bool?]) -> Void)

  /// The node has a lease until then; until it is over nobody takes its keys away.
  func leaseExtended(until: Timestamp)

  /// What `clvm status` has to say about the devices of a node, such as "agent fence_ipmilan failed 3
  /// times (exit 1: timed out)"; nil when there is nothing.
  func note(about node: NodeID) -> String?
}

/// Where no fence device is configured: no order is ever given, because the record knows of no levels,
/// and a death is proven by its reboot, by an administrator or by another authority.
final class NoFenceDevices: FenceExecutor {
  func run(_ order: FenceOrder, completion: @escaping (FenceResult) -> Void) {
    completion(.exited(nil))
  }
  func readExclusions(_ nodes: [NodeInstance], completion: @escaping ([Bool?]) -> Void) {
    completion(nodes.map { _ in nil })
  }
  func leaseExtended(until: Timestamp) {}
  func note(about node: NodeID) -> String? { "no fence device is configured for it" }
}
