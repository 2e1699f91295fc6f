import LVMMetadata

/// The UUID of a mapped device that belongs to a logical volume: `LVM-`, the VG's and the LV's
/// identifier without hyphens, and for an internal device `-suffix` (dm-activation 1).
public struct MappedDeviceUUID: Hashable, Sendable, CustomStringConvertible {
  public let volumeGroup: LVMIdentifier
  public let logicalVolume: LVMIdentifier
  /// Marks an internal device such as `real` or `tpool`; nil for the volume itself.
  public let suffix: String?

  /// What every such UUID starts with.
  public static let prefix = "LVM-"
  /// The kernel's limit: 129 bytes with the terminating NUL.
  public static let maximumLength = 128

  /// The UUID of the volume's own device.
  public init(volumeGroup: LVMIdentifier, logicalVolume: LVMIdentifier) {
    self.volumeGroup = volumeGroup
    self.logicalVolume = logicalVolume
    suffix = nil
  }

  /// The UUID of an internal device; nil when the suffix is empty or too long.
  public init?(volumeGroup: LVMIdentifier, logicalVolume: LVMIdentifier, suffix: String) {
    self.volumeGroup = volumeGroup
    self.logicalVolume = logicalVolume
    self.suffix = suffix
    guard !suffix.isEmpty, text.utf8.count <= Self.maximumLength else { return nil }
  }

  /// Nil unless LVM made `text`.
  public init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard bytes.starts(with: Self.prefix.utf8), bytes.count >= 68,
      let volumeGroup = LVMIdentifier(bytes: bytes[4..<36]),
      let logicalVolume = LVMIdentifier(bytes: bytes[36..<68])
    else { return nil }
    guard bytes.count > 68 else {
      self.init(volumeGroup: volumeGroup, logicalVolume: logicalVolume)
      return
    }
    guard bytes[68] == UInt8(ascii: "-") else { return nil }
    self.init(
      volumeGroup: volumeGroup, logicalVolume: logicalVolume,
      suffix: String(decoding: bytes[69...], as: UTF8.self))
  }

  public var text: String {
    Self.prefix + volumeGroup.plain + logicalVolume.plain + (suffix.map { "-\($0)" } ?? "")
  }
  public var description: String { text }
}
