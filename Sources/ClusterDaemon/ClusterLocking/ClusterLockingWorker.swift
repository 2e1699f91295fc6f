import BlockDevices
import DeviceMapper
import Glibc
import LVMFrontends
import LVMMetadata
import LVMSystemDirectory
import Synchronization
import VolumeActivation

/// Carries out this node's part of LVM 2.02's commands on disks, devices and files; called on worker
/// threads, for one volume group one after the other.
///
/// lvm.conf is read anew for each command, and so is the metadata. What lasts from a suspend to its
/// resume is kept by `ClusteredGroup`.
final class ClusterLockingWorker: Sendable {
  typealias Work = ClusterLockingMachine.Work
  typealias WorkResult = ClusterLockingMachine.WorkResult

  private let disks: SharedDisks
  /// Nil when clvmd.conf has a filter of its own.
  private let readSelection: (@Sendable () throws -> DeviceSelection)?
  private let setLogLevel: @Sendable (UInt8) -> Void
  private let groups = Mutex<[LVMIdentifier: ClusteredGroup]>([:])
  /// What was last said about the metadata of a group, by its name; nothing else is kept of it.
  private let notices = Mutex<[String: ClusterLockingRequest.CacheAction.Kind]>([:])

  init(
    disks: SharedDisks, readSelection: (@Sendable () throws -> DeviceSelection)?,
    setLogLevel: @escaping @Sendable (UInt8) -> Void
  ) {
    self.disks = disks
    self.readSelection = readSelection
    self.setLogLevel = setLogLevel
  }

  func run(_ work: Work) -> WorkResult {
    do {
      switch work {
      case .judgeActivation(let volume): return try judge(try identity(volume))
      case .activate(let operation), .deactivate(let operation), .suspend(let operation),
        .resume(let operation):
        return try carryOut(work, operation)
      case .cache(let action):
        notices.withLock { $0[action.volumeGroup] = action.kind == .drop ? nil : action.kind }
        return WorkResult()
      case .backUp(let name): return try backUp(name)
      case .refresh:
        _ = try context()
        return WorkResult()
      case .setDebugLevel(let level):
        setLogLevel(level)
        return WorkResult()
      case .test(let text):
        return WorkResult(text: "TEST from \(disks.hostName): \(text) v\(try kernelRelease())")
      }
    } catch {
      return WorkResult(failure: "\(error)")
    }
  }

  private func kernelRelease() throws -> String {
    let bytes = try readFile("/proc/sys/kernel/osrelease")
    return String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
  }

  private func identity(_ volume: String) throws -> VolumeIdentity {
    guard let identity = VolumeIdentity(volume) else {
      throw VolumeRefusal("Reading VG not found for LVID \(volume)")
    }
    return identity
  }

  /// lvm.conf and the disks as they are now.
  private func context() throws -> ClusteredGroup.Context {
    let configuration = try LVMConfiguration()
    var disks = disks
    if let readSelection {
      let selection = try readSelection()
      disks.selection = { selection }
    }
    return ClusteredGroup.Context(
      disks: disks, configuration: configuration,
      lists: ActivationLists(configuration, hostName: disks.hostName))
  }

  private func group(_ id: LVMIdentifier) -> ClusteredGroup {
    groups.withLock { groups in
      if let group = groups[id] { return group }
      let group = ClusteredGroup(id: id)
      groups[id] = group
      return group
    }
  }

  private func carryOut(
    _ work: Work, _ operation: ClusterLockingRequest.VolumeOperation
  ) throws -> WorkResult {
    let volume = try identity(operation.volume)
    let group = group(volume.group)
    let context = try context()
    switch work {
    case .activate: return try group.activate(volume, operation, context)
    case .deactivate: return try group.deactivate(volume, context)
    case .suspend: return try group.suspend(volume, operation, context)
    default:
      return try group.resume(volume, operation, context) { name in
        notices.withLock { $0[name] }
      }
    }
  }

  /// Whether lvm.conf lets the volume be active on this node at all.
  private func judge(_ volume: VolumeIdentity) throws -> WorkResult {
    let context = try context()
    let group = try context.group(of: volume).volumeGroup
    guard let described = group.logicalVolume(id: volume.volume) else {
      throw VolumeRefusal("Reading VG not found for LVID \(volume)")
    }
    return WorkResult(isActive: context.lists.mayBeActive(described, of: group))
  }

  /// LVM's own backup of the metadata; written only if it differs from the last one.
  private func backUp(_ name: String) throws -> WorkResult {
    let context = try context()
    guard let group = try context.disks.group(named: name)?.volumeGroup else {
      throw VolumeRefusal("Volume group \"\(name)\" not found")
    }
    let backups = MetadataBackups(context.configuration)
    let old = try? MetadataText(parsing: MetadataBackups.read(backups.backupPath(of: name)))
    if old?.volumeGroup != group { try backups.backup(group, commandLine: "clvmd") }
    return WorkResult()
  }

  // MARK: - An earlier life

  /// What is active here of volume groups that LVM 2.02's commands may have made active.
  struct Leftovers: Sendable {
    struct Group: Sendable {
      let id: LVMIdentifier
      let name: String
    }

    /// Active volumes of groups that are marked as clustered.
    var clusteredVolumes: [String] = []
    /// All volumes with a device.
    var volumesWithDevices: Set<String> = []
    /// Groups with suspended devices.
    var suspendedGroups: [Group] = []
    /// All groups that are no others' by their text, by id.
    var groupNames: [LVMIdentifier: String] = [:]
  }

  func findLeftovers() throws -> Leftovers {
    var mapper = LibraryDeviceMapper()
    var found = Leftovers()
    let devices = try mapper.devices()
    guard !devices.isEmpty else { return found }
    let groups = try context().disks.groups.map(\.volumeGroup).filter { !$0.isShared }
    for group in groups {
      let own = devices.filter { $0.uuid.volumeGroup == group.id }
      guard !own.isEmpty else { continue }
      found.groupNames[group.id] = group.name
      for device in own where device.uuid.suffix == nil {
        let volume = VolumeIdentity(group: group.id, volume: device.uuid.logicalVolume)
        found.volumesWithDevices.insert(volume.description)
        let isVisible = group.logicalVolume(id: device.uuid.logicalVolume)?.isVisible == true
        if group.isClustered, isVisible { found.clusteredVolumes.append(volume.description) }
      }
      if try own.contains(where: { try mapper.state(of: $0.uuid)?.isSuspended == true }) {
        found.suspendedGroups.append(.init(id: group.id, name: group.name))
      }
    }
    return found
  }

  /// Brings every device of the group onto the committed metadata.
  func recover(_ id: LVMIdentifier) throws {
    try group(id).recover(try context())
  }
}
