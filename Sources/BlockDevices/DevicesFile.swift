import LVMMetadata

/// LVM's devices file: the only devices that its commands use (lvm2-metadata 14).
public struct DevicesFile: Sendable, Equatable {
  /// What identifies a device beyond its name, which may change with every start.
  public enum IdentityType: String, Sendable, CaseIterable {
    case sysWWID = "sys_wwid"
    case sysSerial = "sys_serial"
    case multipathUUID = "mpath_uuid"
    case encryptedUUID = "crypt_uuid"
    case raidUUID = "md_uuid"
    case loopFile = "loop_file"
    case logicalVolumeUUID = "lvmlv_uuid"
    /// Nothing but the name; such an entry is only good while the device has the PV's id.
    case deviceName = "devname"
  }

  public struct Entry: Sendable, Equatable {
    /// Nil for a type that LVM 2.03 does not have.
    public var type: IdentityType?
    /// As written.
    public var typeName: String
    public var name: String
    /// The path of the device when the file was written; nil when it says none.
    public var deviceName: String?
    /// Nil when the device had no PV.
    public var physicalVolume: LVMIdentifier?
    /// The PV's id as written.
    public var physicalVolumeText: String?
    /// Of a partition; `name` is its disk's then.
    public var partition: Int?
  }

  /// In the file's order.
  public private(set) var entries: [Entry] = []
  /// The host that wrote the file, where hosts have ids.
  public private(set) var systemID: String?
  /// "1.1.4": the last number counts the writes.
  public private(set) var version: String?

  /// More than anybody lists.
  static let sizeLimit = 16 << 20

  /// Parses the text. As LVM does, lines that are no entries are passed over.
  public init(parsing text: [UInt8]) {
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == "\t" }
      guard let first = words.first, !first.hasPrefix("#") else { continue }
      if first.hasPrefix("SYSTEMID=") {
        systemID = String(first.dropFirst("SYSTEMID=".count))
      } else if first.hasPrefix("VERSION=") {
        version = String(first.dropFirst("VERSION=".count))
      } else if let entry = Self.entry(words) {
        entries.append(entry)
      }
    }
  }

  private static func entry(_ words: [Substring]) -> Entry? {
    var values: [Substring: String] = [:]
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2, values[parts[0]] == nil { values[parts[0]] = String(parts[1]) }
    }
    guard let type = values["IDTYPE"], let name = values["IDNAME"] else { return nil }
    func known(_ key: Substring) -> String? { values[key].flatMap { $0 == "." ? nil : $0 } }
    return Entry(
      type: IdentityType(rawValue: type), typeName: type, name: name,
      deviceName: known("DEVNAME"),
      physicalVolume: known("PVID").flatMap { LVMIdentifier($0) },
      physicalVolumeText: known("PVID"), partition: values["PART"].flatMap { Int($0) })
  }
}

extension DevicesFile.Entry {
  /// As `lvmdevices` prints it, behind the device's name.
  public var text: String {
    let part = partition.map { " PART=\($0)" } ?? ""
    return "IDTYPE=\(typeName) IDNAME=\(name) DEVNAME=\(deviceName ?? ".") "
      + "PVID=\(physicalVolumeText ?? ".")\(part)"
  }
}
