import LVMMetadata

/// How an LV is to be resized: lvextend, lvreduce and lvresize (lvm2-allocation 2.3 and 11).
public struct ResizeRequest: Sendable {
  public enum Direction: Sendable {
    /// lvextend.
    case extend
    /// lvreduce.
    case reduce
    /// lvresize.
    case either
  }

  public var direction: Direction
  public var volume: String
  /// Nil with PVs named stands for "+100%PVS".
  public var size: SizeArgument?
  /// `--poolmetadatasize` of a thin pool.
  public var poolMetadataSize: SizeArgument?
  /// `-i`; nil takes over what the LV has.
  public var stripeCount: Int?
  /// `-I`; nil takes over what the LV has.
  public var stripeSectors: UInt64?
  /// `-m` plus one.
  public var copyCount: Int?
  /// `--alloc`, for this time only; nil takes the LV's policy or the VG's.
  public var allocation: AllocationChoice?
  /// In the order of the command line; nil stands for all PVs.
  public var physicalVolumes: [PhysicalVolumeArgument]?
  public var isSynchronised = true
  /// `--type`; the LV must have it.
  public var type: String?
  /// `--usepolicies`: lvm.conf says whether and how much.
  public var followsPolicy = false
  /// `--resizefs`.
  public var resizesFileSystem = false
  /// Asks nothing.
  public var isForced = false

  public init(_ direction: Direction, volume: String, size: SizeArgument?) {
    self.direction = direction
    self.volume = volume
    self.size = size
  }
}
