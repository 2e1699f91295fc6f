import ConfigText

/// A physical volume as the metadata text of its VG describes it (lvm2-metadata 6.2).
public struct PhysicalVolume: Sendable, Equatable {
  /// Its name within the text ("pv0"); LVM may renumber with every write.
  public var label: String
  public var id: LVMIdentifier
  /// The path under which the device was last seen: a hint, never an identity.
  public var device: String?
  /// How `deviceID` names the device (`sys_wwid` …); both or none.
  public var deviceIDType: String?
  public var deviceID: String?
  public var status: StatusWords<PhysicalVolumeFlag>
  public var flags: StatusWords<PhysicalVolumeFlag>
  public var tags: [String] = []
  public var deviceSizeSectors: UInt64?
  /// Where extent 0 begins on the device, in sectors.
  public var extentStartSectors: UInt64
  public var extentCount: Int
  /// Bootloader area; both or none.
  public var bootloaderAreaStartSectors: UInt64?
  public var bootloaderAreaSizeSectors: UInt64?
  /// Keys that LVM does not know.
  public var unknownEntries: [ConfigEntry] = []

  public init(
    label: String, id: LVMIdentifier, device: String? = nil,
    status: StatusWords<PhysicalVolumeFlag> = [.allocatable],
    flags: StatusWords<PhysicalVolumeFlag> = [], deviceSizeSectors: UInt64? = nil,
    extentStartSectors: UInt64, extentCount: Int
  ) {
    self.label = label
    self.id = id
    self.device = device
    self.status = status
    self.flags = flags
    self.deviceSizeSectors = deviceSizeSectors
    self.extentStartSectors = extentStartSectors
    self.extentCount = extentCount
  }

  public var isAllocatable: Bool { status.contains(.allocatable) }

  /// Marked missing when the VG was last written; old versions put the word into `status`.
  public var isMarkedMissing: Bool { flags.contains(.missing) || status.contains(.missing) }
}
