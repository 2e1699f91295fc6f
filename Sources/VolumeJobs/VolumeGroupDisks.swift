import ClusterTypes
import LVMMetadata
import VolumeActivation

/// The disks of one node, as the jobs of a volume group need them. Every call looks anew: other
/// nodes write to them.
public protocol VolumeGroupDisks {
  /// The node whose disks these are.
  var localNode: NodeID { get }

  /// The volume group with this UUID text; throws when none of the disks has it.
  ///
  /// - Parameter isWritable: the group's devices are to be written to.
  func group(
    id: String, slot: MetadataScanner.Slot, isWritable: Bool
  ) throws -> ScannedVolumeGroup

  /// Plans over the devices of the group's physical volumes.
  func planner(for group: ScannedVolumeGroup) -> ActivationPlanner

  /// Keeps a version that is about to be replaced by `text`; a change that throws here is not begun.
  func archive(_ group: VolumeGroup, before text: MetadataText) throws

  /// Keeps a version that was committed.
  func backUp(_ text: MetadataText, replacing oldName: String)
}

/// Disks of which no versions are kept.
extension VolumeGroupDisks {
  public func archive(_ group: VolumeGroup, before text: MetadataText) throws {}
  public func backUp(_ text: MetadataText, replacing oldName: String) {}
}

/// Why a job could not be done, in words for an administrator.
public struct VolumeJobError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
