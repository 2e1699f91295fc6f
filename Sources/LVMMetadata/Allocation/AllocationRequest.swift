/// What an allocation is asked for (lvm2-allocation 4).
package struct AllocationRequest {
  /// Extents of the LV whose parallel parts must stay apart from these PVs.
  package struct ParallelArea: Equatable {
    package var extents: Range<Int>
    package var avoided: Set<LVMIdentifier>

    package init(extents: Range<Int>, avoided: Set<LVMIdentifier>) {
      self.extents = extents
      self.avoided = avoided
    }
  }

  /// For messages; empty for requests without an LV.
  package var volumeName = ""
  /// What the LV has already; nil for a new one.
  package var layout: ExistingLayout?
  /// Logical extents to add.
  package var extentCount: Int
  /// Data slots: stripes, times mirrors.
  package var areaCount: Int
  package var parityCount = 0
  /// Logical extents gained for each extent of a slot.
  package var multiple: Int
  /// Extents of a mirror log or of pool metadata, in one piece; 0 for none.
  package var logExtentCount = 0
  /// Extents of each RAID image's metadata, taken in front of the image; 0 for none.
  package var metadataExtentCount = 0
  package var isRAID1 = false
  /// The log must not share a PV with data.
  package var needsSeparateLog = false
  package var parallelAreas: [ParallelArea] = []
  /// The loosest policy allowed.
  package var policy: AllocationPolicy
  /// Fewer extents will do.
  package var isApproximate = false
  package var settings: AllocationSettings
  /// Tags of all PVs of the VG.
  var tagsByVolume: [LVMIdentifier: [String]] = [:]

  package init(
    extentCount: Int, areaCount: Int, multiple: Int, policy: AllocationPolicy,
    settings: AllocationSettings
  ) {
    self.extentCount = extentCount
    self.areaCount = areaCount
    self.multiple = multiple
    self.policy = policy
    self.settings = settings
  }

  /// Areas each round chooses, the log's aside.
  var slotCount: Int { areaCount + parityCount }
}

/// Settings of lvm.conf that steer allocation.
public struct AllocationSettings: Sendable {
  /// `allocation/maximise_cling`.
  public var maximisesCling: Bool
  /// `allocation/cling_tag_list` without the `@` signs; `*` stands for any common tag.
  public var clingTags: [String]
  /// `metadata/stripesize`, in sectors.
  public var defaultStripeSizeSectors: UInt64
  /// `allocation/mirror_logs_require_separate_pvs`.
  public var separatesMirrorLogs = false
  /// `allocation/thin_pool_metadata_require_separate_pvs`.
  public var separatesPoolMetadata = false
  /// `activation/raid_region_size`, in sectors.
  public var defaultRegionSizeSectors: UInt64 = 4096

  public init(
    maximisesCling: Bool = true, clingTags: [String] = [], defaultStripeSizeSectors: UInt64 = 128
  ) {
    self.maximisesCling = maximisesCling
    self.clingTags = clingTags
    self.defaultStripeSizeSectors = defaultStripeSizeSectors
  }
}
