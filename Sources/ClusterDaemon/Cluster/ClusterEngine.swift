import ClusterMembership
import ClusterTypes
import LockspaceGroups
import NIOCore

/// Where views, the phases of lockspaces and proofs of death come from.
///
/// There are two: `OrderedCluster`, replicated state above a provider that orders messages (external,
/// corosync), and `RecordedCluster`, the embedded provider's record. What has to be done on this node
/// comes out as events, in order; everything that a caller asks for may lead to events before the call
/// returns. Confined to the cluster's event loop.
protocol ClusterEngine: AnyObject {
  var local: Member { get }
  /// The newest view, `View.none` before the first.
  var view: View { get }
  /// This node hears, or has been heard by, a majority.
  var isQuorate: Bool { get }
  /// In the view and part of a majority: cluster-wide work can be done.
  var isOperational: Bool { get }
  /// Who decides, where one node does; nil when none is known.
  var leader: NodeID? { get }
  var groups: any AgreedLockspaces { get }
  /// Sentences about what the cluster, or this node's part in it, waits for.
  var waits: [String] { get }
  /// Where events go; set once, before `start`.
  var tell: (ClusterEvent) -> Void { get set }

  /// The node's connections may be used from now on.
  func start()
  /// Leaves the cluster, if it can be done in order; succeeds when nothing is left to be done.
  func leave() -> EventLoopFuture<Void>

  /// Does nothing from now on, and lets its threads go.
  func stop()

  func handle(_ input: MembershipInput)
  /// The machine of a node that is not heard answers whether a daemon listens there.
  func probed(_ node: NodeID, isListening: Bool)

  func join(_ name: LockspaceName, _ kind: LockspaceKind)
  func leave(_ name: LockspaceName, _ kind: LockspaceKind)
  func stopped(_ name: LockspaceName, generation: UInt64)
  func running(_ name: LockspaceName, generation: UInt64)
  /// Somebody vouches that a removed instance is dead; `by` says who or what.
  func vouchDead(_ instance: NodeInstance, _ kind: Evidence, by: String)
}

/// What an engine wants known and done.
enum ClusterEvent {
  /// A view was installed; lockspaces and deaths are already those of the new view.
  case view(View)
  /// Stop, start or clean up a lockspace; never `submit`.
  case lockspace(GroupEffect)
  /// Deaths may have been proven. Comes before the starts that this makes possible.
  case deaths
  /// Something about lockspaces was agreed.
  case agreed
  case quorum(Bool)
  /// A member's daemon was started again: what the old one had in memory is gone.
  case renewed(NodeInstance)
  /// The cluster went on without this life of the node.
  case evicted
  /// What this node asked for was refused, for this reason.
  case refused(String)
}
