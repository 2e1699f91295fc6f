/// How volumes are to be active, where that is not for the metadata to say. The defaults are
/// LVM's.
public struct ActivationOptions: Hashable, Sendable {
  /// What is done about missing devices (dm-activation, section 12).
  public enum Mode: String, Hashable, Sendable, CaseIterable {
    /// Volumes with missing devices are refused.
    case complete
    /// RAID volumes may lack what their redundancy replaces.
    case degraded
    /// Missing devices are replaced by ones on which all I/O fails.
    case partial
  }

  /// Whether a snapshot that is to be merged is being merged. A merge begins when its origin is
  /// activated or reloaded while nobody uses it and the snapshot.
  public enum Merge: Hashable, Sendable {
    case pending
    case running
  }

  public var mode = Mode.degraded
  public var merge = Merge.running
  /// Activates writable volumes without permission to write.
  public var isReadOnly = false
  /// The content is about to be wiped: udev is not to look at it.
  public var isToBeWiped = false
  /// Volumes that users do not see may be active on their own, as LVM has them while it converts.
  public var mayBeHidden = false
  /// `activation/thin_pool_autoextend_threshold` in percent; 100 is never.
  public var thinPoolThreshold: UInt64 = 100

  public init() {}
}
