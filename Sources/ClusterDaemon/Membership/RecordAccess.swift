import ClusterMembership
import ClusterTypes

/// The embedded provider's record, for those who keep more in it than members and lockspaces, such as
/// volume operations. Confined to the cluster's event loop.
protocol RecordAccess: AnyObject {
  /// The newest decided record that this node knows.
  var record: Record { get }
  var localSlot: NodeSlot { get }
  /// Asks the cluster to decide something; `completion` is called once, on the event loop.
  func submit(_ request: Request, completion: @escaping (RequestOutcome) -> Void)
  func addObserver(_ observer: any RecordObserver)
}

/// What became of a request of this node.
enum RequestOutcome: Hashable, Sendable {
  /// It was decided, under this name. The record that shows it is applied before the completion.
  case decided(RequestName)
  /// The leader refused it, or it cannot be asked at all; the sentence is for the administrator.
  case refused(String)
  /// It was decided or refused, and this node has missed which: only the record can tell.
  case unknown
}

/// A request of a node, unique for ever. An operation that a request has begun carries the same as its
/// id.
struct RequestName: Hashable, Sendable {
  let slot: NodeSlot
  let incarnation: Incarnation
  let life: UInt32
  let sequence: UInt64
}

protocol RecordObserver: AnyObject {
  /// A newer record is in force. Some in between may have been skipped.
  func recordApplied(_ record: Record)
}
