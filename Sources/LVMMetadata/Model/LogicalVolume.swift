import ConfigText

/// A logical volume as the metadata text describes it (lvm2-metadata 6.3).
public struct LogicalVolume: Sendable, Equatable {
  public var name: String
  public var id: LVMIdentifier
  public var status: StatusWords<LogicalVolumeFlag>
  /// Flags that versions of LVM which do not know them may ignore.
  public var flags: StatusWords<LogicalVolumeFlag>
  public var tags: [String] = []
  /// Seconds since 1970; nil exactly when `creationHost` is.
  public var creationTime: UInt64?
  public var creationHost: String?
  /// Of an LV in a shared VG; "dlm" for the DLM.
  public var lockArguments: String?
  /// Nil inherits the VG's.
  public var allocationPolicy: AllocationPolicy?
  public var profile: String?
  /// In sectors; nil is automatic, −1 none, 0 automatic in old texts.
  public var readAheadSectors: Int32?
  /// Device numbers, used only with `fixedMinor`.
  public var major: Int32?
  public var minor: Int32?
  /// In ascending order, without gap or overlap.
  public var segments: [Segment]
  /// Keys that LVM does not know.
  public var unknownEntries: [ConfigEntry] = []

  public init(
    name: String, id: LVMIdentifier,
    status: StatusWords<LogicalVolumeFlag> = [.read, .write, .visible],
    flags: StatusWords<LogicalVolumeFlag> = [], segments: [Segment] = []
  ) {
    self.name = name
    self.id = id
    self.status = status
    self.flags = flags
    self.segments = segments
  }

  /// Size in logical extents.
  public var extentCount: Int { segments.last?.endExtent ?? 0 }

  /// False for LVs that LVM made for itself (raid images, pool data …).
  public var isVisible: Bool { status.contains(.visible) }

  /// Writable by its permission; `WRITE_LOCKED` counts as WRITE.
  public var isWritable: Bool { status.contains(.write) || flags.contains(.writeLocked) }

  /// True when all segments are linear or striped.
  public var isLinearOrStriped: Bool { segments.allSatisfy { $0.stripedLayout != nil } }
}
