import BlockDevices
import LVMMetadata
import LVMSystemDirectory
import VolumeActivation
import VolumeCommands

/// Ends a command: what to say on standard error, and LVM's exit status.
public struct CommandStop: Error, Sendable, Equatable {
  public var messages: [String]
  public var status: Int32

  /// LVM's status for a command that failed.
  static let failed: Int32 = 5
  /// LVM's status for a wrong command line.
  static let invalidCommandLine: Int32 = 3

  init(_ messages: String..., status: Int32 = failed) {
    self.messages = messages
    self.status = status
  }

  init(_ refusal: VolumeGroupRefusal) { self.init(messages: refusal.messages) }

  init(messages: [String], status: Int32 = failed) {
    self.messages = messages
    self.status = status
  }
}

/// One command at work on devices that this process may change: no daemon takes part.
///
/// The lines it prints are LVM's, without the two blanks before them.
public final class OfflineSession {
  /// What is opened, under which name, and where it really is.
  public struct Disk {
    public let device: BlockDevice
    public let path: String

    public init(device: BlockDevice, path: String) {
      self.device = device
      self.path = path
    }

    var isImage: Bool { device.number == nil }
  }

  let disks: [Disk]
  let configuration: LVMConfiguration
  let locks: HostLocks
  let settings: CommandSettings
  let backups: MetadataBackups
  /// "clvm lvcreate …"
  let commandLine: String
  let isTest: Bool
  let writesBackups: Bool
  /// It has been told that there is no backup of what was changed.
  var hasToldOfNoBackup = false
  private let print: (CommandMessage) -> Void
  private let ask: (String) -> Bool
  /// What the disks said under the last lock that was taken.
  private(set) var scan = MetadataScan()
  private var texts = MetadataTextCache()
  /// Nil when nothing here can be active: all disks are images, or the kernel has no device-mapper.
  var mapper: (any DeviceMapping)?

  /// What `--select` leaves of what the disks hold; nil for all of it.
  public var selected: ((MetadataScan) -> Set<LVMIdentifier>)?
  /// The same as of the last look at the disks.
  private var selectedIdentifiers: Set<LVMIdentifier>?

  /// The device-mapper with what the command has done to it.
  public var currentMapper: (any DeviceMapping)? { mapper }

  /// LVs that had a mapped device when the command began.
  private let activeVolumes: Set<LVMIdentifier>
  private var generator = SystemRandomNumberGenerator()

  /// - Parameters:
  ///   - disks: all that the command may look at, opened for writing.
  ///   - locks: exclude other commands on this host.
  ///   - mapper: nil when nothing here can be active.
  ///   - print: is given every line.
  ///   - ask: puts a question to the user; false means no.
  public init(
    disks: [Disk], configuration: LVMConfiguration, locks: HostLocks, commandLine: String,
    isTest: Bool, writesBackups: Bool, mapper: (any DeviceMapping)?,
    print: @escaping (CommandMessage) -> Void, ask: @escaping (String) -> Bool
  ) throws(DeviceMapperError) {
    self.disks = disks
    self.configuration = configuration
    self.locks = locks
    settings = CommandSettings(configuration)
    backups = MetadataBackups(configuration)
    self.commandLine = commandLine
    self.isTest = isTest
    self.writesBackups = writesBackups
    var mapper = mapper
    activeVolumes = Set(try mapper?.devices().map(\.uuid.logicalVolume) ?? [])
    self.mapper = mapper
    self.print = print
    self.ask = ask
  }

  func rescan() {
    scan = MetadataScanner.scan(disks.map(\.device), texts: &texts)
    selectedIdentifiers = selected?(scan)
  }

  /// Whether `--select` leaves a group, an LV or a PV among what the command is about.
  func isSelected(_ id: LVMIdentifier) -> Bool {
    selected == nil || selectedIdentifiers?.contains(id) ?? false
  }

  func output(_ text: String) { print(CommandMessage(.output, text)) }

  func error(_ text: String) { print(CommandMessage(.error, text)) }

  func show(_ messages: [CommandMessage]) { for message in messages { print(message) } }

  func confirm(_ question: String) -> Bool { ask(question) }

  func makeIdentifier() -> LVMIdentifier { LVMIdentifier(using: &generator) }

  /// Warnings of the scan that concern a group, or none in particular.
  func showWarnings(of group: ScannedVolumeGroup?) {
    for warning in group?.warnings ?? [] { error("WARNING: \(warning)") }
  }

  // MARK: - Looking up

  /// The disk that an argument means: by name, or by another path to the same block device.
  func disk(_ argument: String) -> Disk? {
    if let disk = disks.first(where: { $0.device.name == argument }) { return disk }
    guard let number = DeviceNodes.number(ofBlockDevice: argument) else { return nil }
    return disks.first { $0.device.number == number }
  }

  func physicalVolume(on disk: Disk) -> ScannedPhysicalVolume? {
    scan.physicalVolumes.first { $0.device === disk.device }
  }

  /// The group that lists a PV.
  func group(of id: LVMIdentifier) -> ScannedVolumeGroup? {
    scan.groups.first { $0.volumeGroup.physicalVolume(id: id) != nil }
  }

  /// The group of that name, which this host may change.
  func group(named name: String) throws(CommandStop) -> ScannedVolumeGroup {
    let groups = scan.groups(named: name)
    guard let group = groups.first else {
      throw CommandStop("Volume group \"\(name)\" not found", "Cannot process volume group \(name)")
    }
    guard groups.count == 1 else {
      throw CommandStop(
        "Multiple VGs found with the same name: \(name). Leave all but one out of --devices.")
    }
    try checkAccess(to: group)
    return group
  }

  /// Throws when PVs of a group that is to be changed are missing.
  func checkComplete(_ group: ScannedVolumeGroup) throws(CommandStop) {
    guard !group.missingPhysicalVolumes.isEmpty else { return }
    let name = group.volumeGroup.name
    throw CommandStop(
      "Cannot change VG \(name) while PVs are missing.",
      "See vgreduce --removemissing and vgextend --restoremissing.",
      "Cannot process volume group \(name)")
  }

  private func checkAccess(to group: ScannedVolumeGroup) throws(CommandStop) {
    let name = group.volumeGroup.name
    switch group.volumeGroup.accessClass(hostSystemID: settings.systemID) {
    case .local: break
    case .exported: throw CommandStop("Volume group \(name) is exported")
    case .foreign(let systemID):
      let own = settings.systemID.map { "local system ID \($0)" } ?? "unknown local system ID"
      throw CommandStop("Cannot access VG \(name) with system ID \(systemID) with \(own).")
    case .clustered:
      throw CommandStop("Skipping clustered volume group \(name)")
    case .shared:
      // Nobody else has the images of a shared group open; its disks belong to the cluster.
      guard
        group.members.compactMap(\.scanned).allSatisfy({ scanned in
          disks.first { $0.device === scanned.device }?.isImage == true
        })
      else {
        throw CommandStop(
          "Cannot access VG \(name) due to missing locks: it is shared. Leave --devices out, so "
            + "that clvmd changes it under the cluster's lock.")
      }
    }
  }

  /// The device of a PV as messages call it.
  func deviceName(of id: LVMIdentifier) -> String {
    scan.physicalVolumes.first { $0.label.id == id }?.device.name ?? "[unknown]"
  }

  func isActive(_ id: LVMIdentifier) -> Bool { activeVolumes.contains(id) }

  var context: CommandContext {
    let provenance = MetadataProvenance(description: "")
    var context = CommandContext(
      settings: settings, hostName: provenance.creationHost ?? "localhost",
      now: provenance.creationTime ?? 0, makeIdentifier: { [self] in makeIdentifier() },
      physicalVolume: { [self] path in
        disk(path).flatMap { physicalVolume(on: $0)?.label.id }
      },
      deviceName: { [self] in deviceName(of: $0) }, isActive: { [self] in isActive($0) },
      confirm: { [self] in confirm($0) }, announce: { [self] in error($0) })
    context.isSelected = { [self] in isSelected($0) }
    return context
  }
}

extension CommandSettings {
  /// What lvm.conf says about allocation and new PVs.
  public init(_ configuration: LVMConfiguration) {
    self.init()
    allocation.maximisesCling = configuration.boolean("allocation/maximise_cling") ?? true
    allocation.clingTags = (configuration.strings("allocation/cling_tag_list") ?? []).compactMap {
      $0.hasPrefix("@") ? String($0.dropFirst()) : nil
    }
    allocation.separatesMirrorLogs =
      configuration.boolean("allocation/mirror_logs_require_separate_pvs") ?? false
    allocation.separatesPoolMetadata =
      configuration.boolean("allocation/thin_pool_metadata_require_separate_pvs") ?? false
    wipesSignaturesWhenZeroing =
      configuration.boolean("allocation/wipe_signatures_when_zeroing_new_lvs") ?? true
    if let size = configuration.integer("metadata/stripesize"), size >= 4, size < 1 << 20 {
      allocation.defaultStripeSizeSectors = UInt64(size) * 2
    }
    if let size = configuration.integer("activation/raid_region_size"), size >= 4, size < 1 << 30 {
      allocation.defaultRegionSizeSectors = UInt64(size) * 2
    }
    if let kibibytes = configuration.integer("devices/data_alignment"), kibibytes > 0 {
      metadata.alignmentSectors = UInt64(kibibytes) * 2
    } else if let mebibytes = configuration.integer("devices/default_data_alignment"), mebibytes > 0
    {
      metadata.alignmentSectors = UInt64(mebibytes) * 2048
    }
    if let sectors = configuration.integer("metadata/pvmetadatasize"), sectors > 0 {
      metadata.metadataSizeSectors = UInt64(sectors)
    }
    if let copies = configuration.integer("metadata/pvmetadatacopies"), (0...2).contains(copies) {
      metadata.metadataCopies = Int(copies)
    }
    if let copies = configuration.integer("metadata/vgmetadatacopies"), copies >= 0 {
      metadata.groupMetadataCopies = UInt32(clamping: copies)
    }
    if configuration.string("global/system_id_source") == "lvmlocal" {
      systemID = configuration.string("local/system_id")
    }
  }
}
