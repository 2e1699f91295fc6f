import BlockDevices
import ClusterTypes
import LVMMetadata
import Synchronization
import VolumeActivation
import VolumeJobs

/// The disks of this node as LVM would see them, opened anew for each look.
struct SharedDisks: VolumeGroupDisks, Sendable {
  let localNode: NodeID
  /// Told in the metadata that this node writes.
  let hostName: String
  /// Asked for each look.
  var selection: @Sendable () -> DeviceSelection
  /// Nil keeps no versions of groups that are changed.
  var backups: GroupBackups?
  /// Image files that stand for devices in tests and benchmarks, with the devices' numbers; empty for the
  /// machine's own.
  var images: [String: DeviceNumber] = [:]
  /// A group that has not changed since the last look is read, but not parsed again.
  private let texts = ParsedTexts()

  init(
    localNode: NodeID, hostName: String, selection: @escaping @Sendable () -> DeviceSelection
  ) {
    self.localNode = localNode
    self.hostName = hostName
    self.selection = selection
  }

  private final class ParsedTexts: Sendable {
    let current = Mutex(MetadataTextCache())
  }

  /// How many metadata texts have been parsed so far.
  var parsedTextCount: Int { texts.current.withLock { $0.parsedCount } }

  /// What can be opened. An empty drive or a device that has just gone is none; if it carried a
  /// physical volume, that one counts as missing.
  private func scan(slot: MetadataScanner.Slot) -> MetadataScan {
    let devices: [BlockDevice]
    if images.isEmpty {
      let candidates = BlockDeviceScanner(selection: selection()).candidates()
      devices = candidates.compactMap { try? $0.open(.readOnly) }
    } else {
      devices = images.keys.sorted().compactMap { try? open($0, .readOnly) }
    }
    var known = texts.current.withLock { $0 }
    defer { texts.current.withLock { $0 = known } }
    return MetadataScanner.scan(devices, slot: slot, texts: &known)
  }

  private func open(
    _ path: String, _ access: BlockDevice.Access
  ) throws(MetadataDeviceError) -> BlockDevice {
    try BlockDevice(path: path, access: access, standIn: images[path])
  }

  func group(
    id: String, slot: MetadataScanner.Slot, isWritable: Bool
  ) throws -> ScannedVolumeGroup {
    guard let identifier = LVMIdentifier(id) else {
      throw DaemonError("'\(id)' is not the id of a volume group")
    }
    guard let group = scan(slot: slot).group(id: identifier) else {
      throw DaemonError(
        "the volume group with id \(identifier) is not on any disk that this node sees")
    }
    guard isWritable else { return group }
    // Only the group's own devices are opened for writing: nobody else hears of it.
    let devices = try group.members.compactMap { $0.scanned?.device.name }.map { name in
      try open(name, .readWrite)
    }
    guard let writable = readGroup(identifier, from: devices, slot: slot)
    else { throw DaemonError("the volume group with id \(identifier) has just disappeared") }
    return writable
  }

  func archive(_ group: VolumeGroup, before text: MetadataText) throws {
    try backups?.archive(group, before: text)
  }

  func backUp(_ text: MetadataText, replacing oldName: String) {
    backups?.backUp(text, replacing: oldName)
  }

  /// The one group of that name; nil when there is none.
  func group(named name: String) throws -> ScannedVolumeGroup? {
    let groups = scan(slot: .committed).groups(named: name)
    guard groups.count < 2 else {
      throw DaemonError("there are \(groups.count) volume groups called \(name); rename one")
    }
    return groups.first
  }

  /// The group as its own devices have it, and nobody else's: for a moment at which others may be
  /// suspended. Nil when they cannot be read.
  func group(
    id: LVMIdentifier, onDevicesNamed names: [String], slot: MetadataScanner.Slot = .committed
  ) -> ScannedVolumeGroup? {
    let devices = names.compactMap { try? open($0, .readOnly) }
    return readGroup(id, from: devices, slot: slot)
  }

  /// A group from its own devices. Other groups' texts are not forgotten for that.
  private func readGroup(
    _ id: LVMIdentifier, from devices: [BlockDevice], slot: MetadataScanner.Slot
  ) -> ScannedVolumeGroup? {
    var known = texts.current.withLock { $0 }
    return MetadataScanner.scan(devices, slot: slot, texts: &known).group(id: id)
  }

  /// The group with this id, or nil when this node sees none.
  func group(id: LVMIdentifier) -> ScannedVolumeGroup? { scan(slot: .committed).group(id: id) }

  /// Every group that this node sees.
  var groups: [ScannedVolumeGroup] { scan(slot: .committed).groups }

  /// The devices of all groups that several nodes may write to; throws where one is not seen.
  func devicesOfSharedGroups() throws(DaemonError) -> [String] {
    var names: [String] = []
    for group in groups where group.volumeGroup.isShared || group.volumeGroup.isClustered {
      for member in group.members {
        guard let name = member.scanned?.device.name else {
          throw DaemonError(
            "VG \(group.volumeGroup.name) has a physical volume that this node does not see")
        }
        names.append(name)
      }
    }
    return names
  }

  func planner(for group: ScannedVolumeGroup) -> ActivationPlanner {
    ActivationPlanner(group.volumeGroup, devices: group.physicalVolumeDevices)
  }
}
