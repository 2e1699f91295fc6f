import ConfigText

/// A volume group: everything a metadata text says about it (lvm2-metadata 6.1).
public struct VolumeGroup: Sendable, Equatable {
  public var name: String
  public var id: LVMIdentifier
  /// Counts the commits, from 1.
  public var seqno: UInt32
  /// "lvm2", informational.
  public var format: String?
  public var status: StatusWords<VolumeGroupFlag>
  /// Flags that versions of LVM which do not know them may ignore.
  public var flags: StatusWords<VolumeGroupFlag>
  public var tags: [String] = []
  /// The host that owns the group; nil when anyone may use it.
  public var systemID: String?
  /// "dlm", "sanlock" or "idm" for a group that several hosts share; nil for any other.
  public var lockType: String?
  /// Only with `lockType`; "1.0.0:<cluster name>" for the DLM.
  public var lockArguments: String?
  public var extentSizeSectors: UInt64
  /// `max_lv` and `max_pv`; 0 is unlimited.
  public var logicalVolumeLimit: UInt32
  public var physicalVolumeLimit: UInt32
  public var allocationPolicy: AllocationPolicy
  public var profile: String?
  /// How many metadata areas are to be in use; 0 or nil when not managed.
  public var metadataCopies: UInt32?
  /// In the text's order, which is the order of allocation.
  public var physicalVolumes: [PhysicalVolume]
  /// In the text's order: as LVM writes, visible ones first.
  public var logicalVolumes: [LogicalVolume]
  /// `historical_logical_volumes` as it stood in the text.
  public var historicalLogicalVolumes: ConfigSection?
  /// Keys that LVM does not know.
  public var unknownEntries: [ConfigEntry] = []

  public init(
    name: String, id: LVMIdentifier, seqno: UInt32 = 1,
    status: StatusWords<VolumeGroupFlag> = [.resizeable, .read, .write],
    flags: StatusWords<VolumeGroupFlag> = [], extentSizeSectors: UInt64 = 8192,
    physicalVolumes: [PhysicalVolume] = [], logicalVolumes: [LogicalVolume] = []
  ) {
    self.name = name
    self.id = id
    self.seqno = seqno
    self.format = "lvm2"
    self.status = status
    self.flags = flags
    self.extentSizeSectors = extentSizeSectors
    self.logicalVolumeLimit = 0
    self.physicalVolumeLimit = 0
    self.allocationPolicy = .normal
    self.metadataCopies = 0
    self.physicalVolumes = physicalVolumes
    self.logicalVolumes = logicalVolumes
  }

  public func logicalVolume(named name: String) -> LogicalVolume? {
    logicalVolumes.first { $0.name == name }
  }

  public func logicalVolume(id: LVMIdentifier) -> LogicalVolume? {
    logicalVolumes.first { $0.id == id }
  }

  public func physicalVolume(id: LVMIdentifier) -> PhysicalVolume? {
    physicalVolumes.first { $0.id == id }
  }

  /// The PV that the text calls `label` ("pv0").
  public func physicalVolume(labelled label: String) -> PhysicalVolume? {
    physicalVolumes.first { $0.label == label }
  }

  /// All extents of all PVs.
  public var extentCount: Int { physicalVolumes.reduce(0) { $0 + $1.extentCount } }

  /// Size of an LV or area of `extentCount` extents, in sectors.
  public func sectors(extents extentCount: Int) -> UInt64 {
    UInt64(extentCount) * extentSizeSectors
  }

  /// Size in sectors.
  public func sizeSectors(of volume: LogicalVolume) -> UInt64 {
    sectors(extents: volume.extentCount)
  }

  /// Writable by its permission; `WRITE_LOCKED` counts as WRITE.
  public var isWritable: Bool { status.contains(.write) || flags.contains(.writeLocked) }
}
