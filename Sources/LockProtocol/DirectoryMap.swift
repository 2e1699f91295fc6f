import ClusterTypes

/// Which member keeps the directory entry of a resource (dlm-wire 11.2).
///
/// All members must build it from the same members and weights.
public struct DirectoryMap: Equatable, Sendable {
  /// A larger weight is cut to this, so that a configuration error cannot exhaust memory.
  public static let maximumWeight = 1024

  /// Node ids ascending, each as often as its weight says.
  private let slots: [NodeID]

  /// - Parameter weights: the share of each member, 0 or more. Members with weight 0 keep no
  ///   directory entries, unless all have weight 0: then all count equally.
  public init(weights: [NodeID: Int]) {
    let members = weights.sorted { $0.key < $1.key }
    let allWeightless = members.allSatisfy { $0.value <= 0 }
    slots = members.flatMap { node, weight in
      repeatElement(node, count: allWeightless ? 1 : min(max(weight, 0), Self.maximumWeight))
    }
  }

  /// All members with weight 1.
  public init(members: some Sequence<NodeID>) {
    slots = Set(members).sorted()
  }

  /// The directory node of `name`; nil when there are no members.
  public func node(for name: ResourceName) -> NodeID? { node(forHash: name.hash) }

  /// The directory node of names with this hash; nil when there are no members.
  public func node(forHash hash: UInt32) -> NodeID? {
    slots.isEmpty ? nil : slots[Int(hash >> 16) % slots.count]
  }
}
