import BlockDevices
import ClusterTypes
import LVMMetadata
import VolumeActivation

/// The disks of this node as LVM would see them, opened anew for each look.
struct SharedDisks: Sendable {
  let localNode: NodeID
  /// Told in the metadata that this node writes.
  let hostName: String
  let filter: DeviceFilter

  private func devices(_ access: BlockDevice.Access) throws -> [any MetadataDevice] {
    let candidates = BlockDeviceScanner(filter: filter).candidates()
    return try candidates.map { try $0.open(access) }
  }

  func scan(
    slot: MetadataScanner.Slot = .committed, access: BlockDevice.Access = .readOnly
  ) throws -> MetadataScan {
    MetadataScanner.scan(try devices(access), slot: slot)
  }

  func group(
    id: String, slot: MetadataScanner.Slot, access: BlockDevice.Access
  ) throws -> ScannedVolumeGroup {
    guard let identifier = LVMIdentifier(id) else {
      throw DaemonError("'\(id)' is not the id of a volume group")
    }
    let scan = try scan(slot: slot, access: access)
    guard let group = scan.group(id: identifier) else {
      throw DaemonError(
        "the volume group with id \(identifier) is not on any disk that this node sees")
    }
    return group
  }

  /// The one group of that name; nil when there is none.
  func group(
    named name: String, access: BlockDevice.Access = .readOnly
  ) throws -> ScannedVolumeGroup? {
    let groups = try scan(access: access).groups(named: name)
    guard groups.count < 2 else {
      throw DaemonError("there are \(groups.count) volume groups called \(name); rename one")
    }
    return groups.first
  }

  func planner(for group: ScannedVolumeGroup) -> ActivationPlanner {
    var devices: [LVMIdentifier: PhysicalVolumeDevice] = [:]
    for member in group.members {
      guard case .present(let scanned) = member.state,
        let device = scanned.device as? BlockDevice, let number = device.number
      else { continue }
      devices[member.id] = PhysicalVolumeDevice(
        number: number, sizeSectors: device.sizeBytes / 512)
    }
    return ActivationPlanner(group.volumeGroup, devices: devices)
  }
}
