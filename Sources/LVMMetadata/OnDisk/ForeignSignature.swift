/// Bytes by which other programs recognise what a device holds: a file system, swap space, a
/// partition table.
public struct ForeignSignature: Sendable, Equatable {
  /// libblkid's word for it: "ext4".
  public var type: String
  /// Of the bytes, from the device's start.
  public var offset: UInt64
  public var byteCount: Int

  public init(type: String, offset: UInt64, byteCount: Int) {
    self.type = type
    self.offset = offset
    self.byteCount = byteCount
  }

  /// What LVM asks before it wipes it.
  public func question(on device: String) -> String {
    "WARNING: \(type) signature detected on \(device) at offset \(offset). Wipe it? [y/n]: "
  }
}
