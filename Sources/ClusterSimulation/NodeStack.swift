import ClusterTypes

/// The software of one node in a simulated world: a machine, or several on top of each other, in the
/// thin shell that a daemon would have around them.
///
/// It is a value that is handed events and says what it wants. The world is its network, its clock
/// and its power switch.
public protocol NodeStack {
  /// What travels on a connection: whole messages, in order.
  associatedtype Message: Sendable
  /// What the world outside tells the node: its control plane, its users.
  associatedtype Order: Sendable
  /// What the node tells the world outside: whoever checks it.
  associatedtype Report: Sendable

  mutating func handle(
    _ event: NodeEvent<Message, Order>, at now: Timestamp,
    effects: inout [NodeEffect<Message, Report>])
}

/// One connection between two nodes, ordered in both directions as TCP is.
public struct ConnectionID: Hashable, Comparable, Sendable {
  public let rawValue: Int

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One life of a node; a later one has a greater number, whichever node it is.
public struct NodeLife: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: Int

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  public var description: String { "life \(rawValue)" }
}

public enum NodeEvent<Message: Sendable, Order: Sendable>: Sendable {
  case order(Order)
  /// A connection is open, dialed by this node or accepted by it.
  case connected(ConnectionID, to: NodeID, life: NodeLife, isDialed: Bool)
  /// Nobody listens there, or the network gave up.
  case dialFailed(to: NodeID)
  /// `isLastOfBatch`: nothing more has arrived on the connection so far.
  case received(ConnectionID, Message, isLastOfBatch: Bool)
  /// The connection was ended by the other side, or by the network.
  case closed(ConnectionID)
  /// The moment last set for this timer has come.
  case timer(Int)
}

public enum NodeEffect<Message: Sendable, Report: Sendable>: Sendable {
  case dial(NodeID)
  case write(ConnectionID, Message)
  /// Ends the connection with a reset; no `closed` follows.
  case abort(ConnectionID)
  /// Replaces the earlier moment of the same timer.
  case setTimer(Int, at: Timestamp)
  case report(Report)
}
