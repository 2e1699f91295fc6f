import ClusterTypes

/// A node as a member of a view.
public struct Member: Hashable, Sendable {
  /// The longest boot id that is accepted; the kernel's has 36 characters.
  public static let maximumBootIDLength = 64

  public let instance: NodeInstance
  /// The kernel's boot id (`/proc/sys/kernel/random/boot_id`): another one proves a reboot.
  public let bootID: String
  /// The daemon found, when it started, that nothing of an earlier life on this boot is left
  /// that could still write: no kernel lockspace, no process holding one of its locks. This alone is
  /// no proof for the others; the daemon says so itself when it is ready.
  public let startedClean: Bool

  public init(instance: NodeInstance, bootID: String, startedClean: Bool) {
    self.instance = instance
    self.bootID = bootID
    self.startedClean = startedClean
  }

  public var node: NodeID { instance.node }
}

/// Who is in the cluster. Two nodes that install a view of the same id install the same view.
public struct View: Hashable, Sendable {
  /// Grows with every view; zero only for `View.none`.
  public let id: UInt64
  /// Ascending by node id, at most one instance a node.
  public let members: [Member]

  public init(id: UInt64, members: [Member]) {
    self.id = id
    self.members = members.sorted { $0.instance < $1.instance }
  }

  /// What a node has before it was ever admitted.
  public static let none = View(id: 0, members: [])

  public var nodes: [NodeID] { members.map(\.node) }
  public func contains(_ instance: NodeInstance) -> Bool {
    members.contains { $0.instance == instance }
  }
  public func instance(of node: NodeID) -> NodeInstance? {
    members.first { $0.node == node }?.instance
  }
}
