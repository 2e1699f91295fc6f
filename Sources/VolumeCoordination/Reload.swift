import ClusterTypes

/// "The metadata of this volume group has changed; run on it": sent to every other node before
/// the lock of an lvm command that committed a change is released (lvmlockd-socket 13).
public struct ReloadRequest: Hashable, Sendable, CustomStringConvertible {
  public let id: VolumeRequestID
  public let volumeGroup: String
  public let volumeGroupID: String

  public init(
    id: VolumeRequestID, volumeGroup: String, volumeGroupID: String
  ) throws(InvalidVolumeChange) {
    try VolumeChange.check(name: volumeGroup, of: "volume group")
    try VolumeChange.check(volumeGroupID: volumeGroupID)
    self.id = id
    self.volumeGroup = volumeGroup
    self.volumeGroupID = volumeGroupID
  }

  public var description: String { "reload \(id) (\(volumeGroup))" }
}

/// What became of one logical volume on one node in a reload.
public struct LogicalVolumeReload: Hashable, Sendable {
  public enum Outcome: Hashable, Sendable {
    case reloaded
    /// Its device already had the committed mapping.
    case unchanged
    case failed(String)
  }

  public let logicalVolume: String
  public let outcome: Outcome

  public init(logicalVolume: String, outcome: Outcome) {
    self.logicalVolume = logicalVolume
    self.outcome = outcome
  }
}

/// What became of a reload on one node.
public enum NodeReload: Hashable, Sendable {
  case finished([LogicalVolumeReload])
  /// The volume group could not be looked at, in words for an administrator.
  case failed(String)
  /// The node is gone and runs on no mapping at all.
  case fenced
}

/// What became of a reload on all nodes.
public struct ReloadResult: Equatable, Sendable {
  public let request: ReloadRequest
  public let nodes: [NodeInstance: NodeReload]

  /// One sentence for every node or logical volume that failed, in the order of nodes.
  public var failures: [String] {
    nodes.sorted { $0.key < $1.key }.flatMap { node, reload -> [String] in
      switch reload {
      case .fenced: []
      case .failed(let reason):
        ["Node \(node.node) did not reload \(request.volumeGroup): \(reason)"]
      case .finished(let volumes):
        volumes.compactMap { volume in
          switch volume.outcome {
          case .reloaded, .unchanged: nil
          case .failed(let reason):
            "Node \(node.node) did not reload \(request.volumeGroup)/\(volume.logicalVolume): "
              + reason
          }
        }
      }
    }
  }
}
