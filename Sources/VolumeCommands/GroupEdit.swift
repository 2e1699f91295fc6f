import LVMMetadata

/// A line that a command prints.
public struct CommandMessage: Sendable, Equatable {
  public enum Stream: Sendable, Equatable {
    case output
    case error
  }

  public var stream: Stream
  public var text: String

  public init(_ stream: Stream, _ text: String) {
    self.stream = stream
    self.text = text
  }
}

public typealias SignatureReview =
  (FutureVolume, (ForeignSignature) -> Bool) throws(VolumeGroupRefusal) -> Void

/// What a command must know besides the volume group.
public struct CommandContext {
  public var settings: CommandSettings
  /// For `creation_host`.
  public var hostName: String
  /// Seconds since 1970, for `creation_time`.
  public var now: UInt64
  /// Makes an identifier that nothing has yet.
  public var makeIdentifier: () -> LVMIdentifier
  /// The PV on a device that the command line names.
  public var physicalVolume: (String) -> LVMIdentifier?
  /// How a PV's device is called.
  public var deviceName: (LVMIdentifier) -> String
  /// Whether an LV is active here or, in a cluster, anywhere.
  public var isActive: (LVMIdentifier) -> Bool
  /// Whether `--select` leaves an LV, or a group, among those that the command is about.
  public var isSelected: (LVMIdentifier) -> Bool = { _ in true }
  /// Answers a question that `--yes` does not answer.
  public var confirm: (String) -> Bool
  /// Shows a line on standard error before the question that it is about.
  public var announce: (String) -> Void
  /// Goes through what others would take the old contents of a new LV for; the closure tells whether
  /// the signature is wiped.
  public var reviewSignatures: SignatureReview

  public init(
    settings: CommandSettings, hostName: String, now: UInt64,
    makeIdentifier: @escaping () -> LVMIdentifier,
    physicalVolume: @escaping (String) -> LVMIdentifier?,
    deviceName: @escaping (LVMIdentifier) -> String,
    isActive: @escaping (LVMIdentifier) -> Bool = { _ in false },
    confirm: @escaping (String) -> Bool = { _ in false },
    announce: @escaping (String) -> Void = { _ in },
    reviewSignatures: @escaping SignatureReview = { _, _ in }
  ) {
    self.settings = settings
    self.hostName = hostName
    self.now = now
    self.makeIdentifier = makeIdentifier
    self.physicalVolume = physicalVolume
    self.deviceName = deviceName
    self.isActive = isActive
    self.confirm = confirm
    self.announce = announce
    self.reviewSignatures = reviewSignatures
  }
}

/// Extents that must hold zeros before metadata that uses them is committed.
public struct ExtentWipe: Sendable, Equatable {
  public var volume: LVMIdentifier
  public var firstExtent: Int
  /// Of the first byte, from the start of that extent.
  public var offset: UInt64
  public var byteCount: Int
  /// The LV, by its name on disk, whose contents go with it; nil for extents that no LV has.
  public var givenUpBy: String?

  public init(
    volume: LVMIdentifier, firstExtent: Int, byteCount: Int, offset: UInt64 = 0,
    givenUpBy: String? = nil
  ) {
    self.volume = volume
    self.firstExtent = firstExtent
    self.byteCount = byteCount
    self.offset = offset
    self.givenUpBy = givenUpBy
  }
}

/// A volume group while a command changes it. Nothing is written before the command has succeeded.
public struct GroupEdit {
  public var group: VolumeGroup
  public private(set) var messages: [CommandMessage] = []
  /// Nothing is to be written.
  public var isUnchanged = false
  /// Something that was asked for is refused, and told; the rest is to be done.
  public internal(set) var isPartlyRefused = false
  /// To be done before the commit.
  public var wipes: [ExtentWipe] = []
  /// To be done before the commit, with the LVs inactive.
  public var copies: [ExtentCopy] = []
  /// New LVs, by name, that are to be active afterwards.
  public var activations: [String] = []
  /// LVs, by name, that must not be active any more when the change is committed.
  public var deactivations: [String] = []
  /// PVs whose metadata areas are to be used, or ignored, from now on.
  public var areaUse: [LVMIdentifier: Bool] = [:]
  /// Active LVs, by name, whose mapping changes.
  public var reloads: [String] = []
  public let context: CommandContext

  public init(_ group: VolumeGroup, context: CommandContext) {
    self.group = group
    self.context = context
    self.group.sortVisibleFirst()
  }

  public mutating func print(_ text: String) { messages.append(CommandMessage(.output, text)) }

  public mutating func warn(_ text: String) { messages.append(CommandMessage(.error, text)) }

  var settings: CommandSettings { context.settings }

  func size(extents: Int) -> String {
    DisplayUnit.message(sectors: group.sectors(extents: extents))
  }
}

/// Settings of lvm.conf that steer commands.
public struct CommandSettings: Sendable {
  public var allocation = AllocationSettings()
  /// `allocation/wipe_signatures_when_zeroing_new_lvs`.
  public var wipesSignaturesWhenZeroing = true
  /// The host's system id; nil when it has none.
  public var systemID: String?
  public var metadata = PhysicalVolumeDefaults()

  public init() {}
}

/// Settings of lvm.conf for new PVs (lvm2-metadata 2.3).
public struct PhysicalVolumeDefaults: Sendable, Equatable {
  /// `devices/data_alignment`, or else `devices/default_data_alignment`, in sectors.
  public var alignmentSectors: UInt64 = 2048
  /// `metadata/pvmetadatasize`, in sectors; nil fills the room before the first extent.
  public var metadataSizeSectors: UInt64?
  /// `metadata/pvmetadatacopies`.
  public var metadataCopies = 1
  /// `metadata/vgmetadatacopies`, of new groups; 0 does not manage them.
  public var groupMetadataCopies: UInt32 = 0

  public init() {}
}
