/// The name of a mapped device that belongs to a logical volume: `VG-LV` or `VG-LV-layer`,
/// where every hyphen inside a part is doubled (dm-activation 1).
///
/// Devices are identified by UUID, never by name; the name is for people and for `/dev/mapper`.
public struct MappedDeviceName: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let volumeGroup: String
  public let logicalVolume: String
  /// The internal layer such as `real` or `cow`; nil for the device of the volume itself.
  public let layer: String?
  /// The name as the kernel knows it.
  public let text: String

  /// The kernel's limit: 128 bytes with the terminating NUL.
  public static let maximumLength = 127

  /// Nil when a part is empty, holds characters that a volume name may not have, or the whole
  /// would be longer than the kernel permits.
  public init?(volumeGroup: String, logicalVolume: String, layer: String? = nil) {
    let parts = [volumeGroup, logicalVolume] + (layer.map { [$0] } ?? [])
    guard parts.allSatisfy(Self.isLegalPart) else { return nil }
    let text = parts.map(Self.escape).joined(separator: "-")
    guard text.utf8.count <= Self.maximumLength else { return nil }
    self.volumeGroup = volumeGroup
    self.logicalVolume = logicalVolume
    self.layer = layer
    self.text = text
  }

  /// Splits a name at its single hyphens; nil when it was not made by these rules.
  public init?(_ text: some StringProtocol) {
    let parts = Self.split(text)
    guard (2...3).contains(parts.count) else { return nil }
    self.init(
      volumeGroup: parts[0], logicalVolume: parts[1], layer: parts.count == 3 ? parts[2] : nil)
  }

  private static func isLegalPart(_ part: String) -> Bool {
    !part.isEmpty && part.utf8.first != UInt8(ascii: "-")
      && part.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default:
          "._+-".utf8.contains(byte)
        }
      }
  }

  private static func escape(_ part: String) -> String {
    guard part.utf8.contains(UInt8(ascii: "-")) else { return part }
    return part.split(separator: "-", omittingEmptySubsequences: false).joined(separator: "--")
  }

  private static func split(_ text: some StringProtocol) -> [String] {
    var parts = [""]
    var rest = text[...]
    while let character = rest.popFirst() {
      if character != "-" {
        parts[parts.count - 1].append(character)
      } else if rest.first == "-" {
        rest.removeFirst()
        parts[parts.count - 1].append("-")
      } else {
        parts.append("")
      }
    }
    return parts
  }

  public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
  public var description: String { text }
}
