import LVMMetadata

/// What udev's rules, and whoever makes the nodes in its place, are to do with a device when it
/// appears or changes (dm-activation, section 9).
public struct UdevRules: OptionSet, Hashable, Sendable {
  public let rawValue: UInt16

  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// No `/dev/VG/LV`.
  public static let noSubsystem = UdevRules(rawValue: 0x02)
  /// No `/dev/disk/by-*`.
  public static let noDisk = UdevRules(rawValue: 0x04)
  /// Nobody else's rules.
  public static let noOther = UdevRules(rawValue: 0x08)
  /// Another device wins links that both want: an origin over its snapshots.
  public static let lowPriority = UdevRules(rawValue: 0x10)
  /// The content is about to be wiped and is not to be looked at.
  public static let noScan = UdevRules(rawValue: 0x100)

  /// For devices that only other devices use.
  static let `internal`: UdevRules = [.noSubsystem, .noDisk, .noOther]

  /// What can be told without metadata, for devices that go.
  public init(of device: MappedDevice) {
    guard let name = MappedDeviceName(device.name), name.layer == nil else {
      self = .internal
      return
    }
    self =
      device.uuid.suffix != nil || VolumeName.isReserved(name.logicalVolume) ? .internal : []
  }
}
