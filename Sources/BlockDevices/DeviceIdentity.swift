/// What sysfs tells about a block device that stays when its name changes.
struct DeviceIdentity {
  /// The folder of the device in sysfs.
  let folder: String
  /// Nil for a whole disk.
  let partition: Int?

  /// - Parameter folder: `…/block/sda` or `…/block/sda/sda1`.
  init(folder: String) {
    self.folder = folder
    partition = Directory.firstLine(of: "\(folder)/partition").flatMap { Int($0) }
  }

  /// Partitions are known by their disks.
  private var diskFolder: String {
    guard partition != nil, let slash = folder.lastIndex(of: "/") else { return folder }
    return String(folder[..<slash])
  }

  /// Whether the device is the one that an entry means; names are not compared here.
  func matches(_ entry: DevicesFile.Entry) -> Bool {
    guard let type = entry.type, entry.partition == partition else { return false }
    return names(type).contains(entry.name)
  }

  /// True when something better than its name identifies the device.
  var isStable: Bool {
    DevicesFile.IdentityType.allCases.contains { !names($0).isEmpty }
  }

  /// What LVM writes for the device, in the forms of its versions; empty when it has no such name.
  private func names(_ type: DevicesFile.IdentityType) -> [String] {
    switch type {
    case .sysWWID:
      let text = line("device/wwid") ?? line("wwid") ?? ""
      // All virtual disks of QEMU may have the same one.
      return text.contains("QEMU HARDDISK") ? [] : Self.forms(of: text)
    case .sysSerial: return Self.forms(of: line("device/serial") ?? line("serial") ?? "")
    case .multipathUUID: return mapped("mpath-")
    case .encryptedUUID: return mapped("CRYPT-")
    case .logicalVolumeUUID: return mapped("LVM-")
    case .raidUUID: return Self.forms(of: line("md/uuid") ?? "")
    case .loopFile:
      let text = line("loop/backing_file") ?? ""
      return text.hasSuffix("(deleted)") ? [] : Self.forms(of: text)
    case .deviceName: return []
    }
  }

  private func mapped(_ prefix: String) -> [String] {
    guard let uuid = line("dm/uuid"), uuid.hasPrefix(prefix) else { return [] }
    return Self.forms(of: uuid)
  }

  private func line(_ name: String) -> String? {
    Directory.firstLine(of: "\(diskFolder)/\(name)")
  }

  /// With each blank made an underscore, and with each run of blanks made one.
  private static func forms(of text: String) -> [String] {
    var words = text.split(omittingEmptySubsequences: false) { $0.isWhitespace }
    while words.first?.isEmpty == true { words.removeFirst() }
    while words.last?.isEmpty == true { words.removeLast() }
    guard !words.isEmpty else { return [] }
    let plain = words.joined(separator: "_")
    let compact = words.filter { !$0.isEmpty }.joined(separator: "_")
    return plain == compact ? [plain] : [plain, compact]
  }
}
