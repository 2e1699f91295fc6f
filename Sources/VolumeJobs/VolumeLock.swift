import LVMMetadata
import VolumeActivation
import VolumeCoordination

/// The lock that a node holds in the cluster as long as an LV is active there.
public struct VolumeLock: Hashable, Sendable {
  /// Of the LV that the lock is named after.
  public let name: String
  /// The lock's name: the LV's UUID with hyphens.
  public let lock: String

  public init(name: String, lock: String) {
    self.name = name
    self.lock = lock
  }

  public init(of volume: LogicalVolume) {
    self.init(name: volume.name, lock: volume.id.dashed)
  }
}

extension VolumeGroup {
  /// The locks that cover LVs of these names, each once, in the group's order.
  public func locks(of names: [String]) -> [VolumeLock] {
    let holders = Set(names.map { lockHolder(of: $0) })
    return logicalVolumes.filter { holders.contains($0.name) }.map { VolumeLock(of: $0) }
  }

  /// The LV whose lock covers another: the one that users see, a snapshot's origin, a thin
  /// volume's pool.
  public func lockHolder(of name: String) -> String {
    var current = name
    // A stack is not that high; whoever wrote a ring gets an answer all the same.
    for _ in 0..<16 {
      guard let volume = logicalVolume(named: current) else { return current }
      let binding = logicalVolumes.first { volume in
        ["cow_store", "merging_store"].contains { volume.segments.first?.volumeName($0) == current }
      }
      if let origin = binding?.segments.first?.volumeName("origin") {
        current = origin
      } else if let pool = volume.segments.first?.volumeName("thin_pool") {
        current = pool
      } else if let origin = volume.segments.first?.volumeName("origin"),
        volume.segments.first?.baseType == "snapshot"
      {
        current = origin
      } else if !volume.isVisible,
        let user = logicalVolumes.first(where: { $0.referencedNames.contains(current) })
      {
        current = user.name
      } else {
        return current
      }
    }
    return current
  }
}

extension VolumeGroupJobs {
  /// The locks of the volumes that a change makes active or inactive; empty unless it is prepared.
  public func locks(of id: VolumeRequestID) -> [VolumeLock] {
    prepared?.id == id ? prepared?.locks ?? [] : []
  }

  /// Those of the locks that cover nothing which is active on this node.
  public mutating func unused(_ locks: [VolumeLock]) throws -> [VolumeLock] {
    // What a thin volume or a snapshot leaves active below it is a layer of the LV that has the lock.
    let active = Set(try mapper.devices().map(\.uuid.logicalVolume.dashed))
    return locks.filter { !active.contains($0.lock) }
  }
}
