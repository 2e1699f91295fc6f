import ConfigText

/// Why a volume group may not be changed, worded for an administrator.
public struct VolumeGroupRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  /// Line by line, the reason last but for advice.
  public var messages: [String]

  public init(_ messages: String...) { self.messages = messages }

  public init(messages: [String]) { self.messages = messages }

  /// All in one line.
  public var message: String { messages.joined(separator: " ") }

  public var description: String { message }
}

extension VolumeGroup {
  /// Throws when a program that knows what this one knows must not change the group
  /// (lvm2-metadata 7.11, 11 and 15). Who may use it at all is `accessClass`'s business.
  public func checkChangeable() throws(VolumeGroupRefusal) {
    guard !isExported else { throw VolumeGroupRefusal("Volume group \(name) is exported") }
    guard isWritable else { throw VolumeGroupRefusal("Volume group \(name) is read-only") }
    guard seqno < .max else {
      throw VolumeGroupRefusal(
        "Volume group \(name) has reached the last seqno, \(seqno): its metadata can have no next "
          + "version. Move its volumes to a new volume group.")
    }
    if let word = flags.unknownWords.first {
      throw VolumeGroupRefusal("Volume group \(name) has the unknown flag \(word)")
    }
    for volume in physicalVolumes {
      if let word = volume.flags.unknownWords.first {
        throw VolumeGroupRefusal(
          "Physical volume \(volume.id) in volume group \(name) has the unknown flag \(word)")
      }
    }
    for volume in logicalVolumes {
      if let word = volume.flags.unknownWords.first {
        throw VolumeGroupRefusal(
          "Logical volume \(name)/\(volume.name) has the unknown flag \(word)")
      }
      for segment in volume.segments where !SegmentType(segment.typeName).isKnown {
        throw VolumeGroupRefusal(
          "Logical volume \(name)/\(volume.name) has a segment of the unknown type "
            + "\(segment.typeName)")
      }
    }
  }

  /// Some segment is of a type that LVM 2.03 does not have.
  public var hasUnknownSegments: Bool {
    logicalVolumes.contains { volume in
      volume.segments.contains { !SegmentType($0.typeName).isKnown }
    }
  }

  /// Throws when LVM would refuse to write the group (lvm2-metadata 15).
  public func checkWritable() throws(VolumeGroupRefusal) {
    guard VolumeName.isValid(name) else {
      throw VolumeGroupRefusal("\(name) is not a valid volume group name")
    }
    guard lockArguments == nil || lockType != nil else {
      throw VolumeGroupRefusal("Volume group \(name) has lock_args without lock_type")
    }
    guard lockType == nil || systemID == nil else {
      throw VolumeGroupRefusal("Volume group \(name) has a lock type and a system ID")
    }
    var ids: Set<LVMIdentifier> = []
    for volume in physicalVolumes where !ids.insert(volume.id).inserted {
      throw VolumeGroupRefusal("Volume group \(name) lists physical volume \(volume.id) twice")
    }
    try checkLogicalVolumes()
    for tag in tags + physicalVolumes.flatMap(\.tags) + logicalVolumes.flatMap(\.tags) {
      guard VolumeName.isValidTag(tag) else {
        throw VolumeGroupRefusal("Volume group \(name) has the invalid tag \(tag)")
      }
    }
    do {
      try checkExtents()
    } catch {
      throw VolumeGroupRefusal("\(error)")
    }
  }

  private func checkLogicalVolumes() throws(VolumeGroupRefusal) {
    var ids: Set<LVMIdentifier> = []
    var names: Set<String> = []
    var spareCount = 0
    for volume in logicalVolumes {
      guard VolumeName.isValid(volume.name),
        name.utf8.count + volume.name.utf8.count + 3 < VolumeName.byteCountMax + 1
      else {
        throw VolumeGroupRefusal("\(volume.name) is not a valid logical volume name in \(name)")
      }
      guard names.insert(volume.name).inserted else {
        throw VolumeGroupRefusal("Volume group \(name) has two logical volumes \(volume.name)")
      }
      guard ids.insert(volume.id).inserted else {
        throw VolumeGroupRefusal(
          "Volume group \(name) has two logical volumes with id \(volume.id)")
      }
      if !volume.isVisible, volume.name.contains("_pmspare") { spareCount += 1 }
    }
    guard spareCount <= 1 else {
      throw VolumeGroupRefusal("Volume group \(name) has \(spareCount) pool metadata spares")
    }
  }
}

/// Which names LVM accepts (lvm2-metadata 6.6 and 8.1).
public enum VolumeName {
  /// Longest VG or LV name in bytes.
  public static let byteCountMax = 127

  /// For VGs and LVs, whether users or LVM itself made them.
  public static func isValid(_ name: String) -> Bool {
    guard !name.isEmpty, name.utf8.count <= byteCountMax, name != ".", name != "..",
      name.utf8.first != UInt8(ascii: "-")
    else { return false }
    return name.utf8.allSatisfy { isAlphanumeric($0) || extraNameBytes.contains($0) }
  }

  /// Why a name is none, in LVM's words; nil for a valid one.
  public static func problem(_ name: String) -> String? {
    if name.isEmpty { return "Name is zero length." }
    if name.hasPrefix("-") { return "Name cannot start with hyphen." }
    if name == "." || name == ".." {
      return "Name starts with . or .. and has no following character(s)."
    }
    guard name.utf8.allSatisfy({ isAlphanumeric($0) || extraNameBytes.contains($0) }) else {
      return "Name contains invalid character, valid set includes: [a-zA-Z0-9.-_+]."
    }
    return name.utf8.count > byteCountMax
      ? "Name length exceeds maximum limit of \(byteCountMax)." : nil
  }

  /// True for names of LVs that only LVM itself may make.
  public static func isReserved(_ name: String) -> Bool { reservedPart(of: name) != nil }

  /// What makes the name one of LVM's own.
  public static func reservedPart(of name: String) -> String? {
    if name == "lvmlock" { return name }
    let bytes = name.utf8
    if let prefix = reservedPrefixes.first(where: { bytes.starts(with: $0.utf8) }) { return prefix }
    // Asked of every volume: bytes are compared, and only from the underscores on.
    let starts = bytes.indices.filter { bytes[$0] == UInt8(ascii: "_") }
    return reservedParts.first { part in
      starts.contains { bytes[$0...].starts(with: part.utf8) }
    }
  }

  public static func isValidTag(_ tag: String) -> Bool {
    !tag.isEmpty && tag.utf8.allSatisfy { isAlphanumeric($0) || extraTagBytes.contains($0) }
  }

  private static let extraNameBytes = Set("._-+".utf8)
  private static let extraTagBytes = Set("_+.-/=!:&#".utf8)
  private static let reservedPrefixes = ["pvmove", "snapshot"]
  /// All begin with an underscore.
  private static let reservedParts = [
    "_cdata", "_cmeta", "_corig", "_cpool", "_cvol", "_wcorig", "_mimage", "_mlog", "_rimage",
    "_rmeta", "_tdata", "_tmeta", "_vdata", "_imeta", "_iorig", "_pmspare", "_vorigin",
  ]

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    default: false
    }
  }
}
