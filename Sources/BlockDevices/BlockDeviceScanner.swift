import Glibc
import LVMMetadata
import LVMSystemDirectory
import VolumeActivation

/// A device that may be a physical volume.
public struct BlockDeviceCandidate: Hashable, Sendable {
  /// What it is called: a path below `DeviceDirectory.path`.
  public let name: String
  /// What is to be opened; differs from the name when an image file stands for the device.
  public let path: String
  /// Nil for an image file.
  public let number: DeviceNumber?

  public init(name: String, path: String, number: DeviceNumber?) {
    self.name = name
    self.path = path
    self.number = number
  }

  /// Reads `PATH`, or `NAME=FILE` where the file stands for the device called NAME.
  ///
  /// - Throws: `BlockDeviceListError` when there is no block device or file at the path.
  public init(listed text: String) throws(BlockDeviceListError) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    name = String(parts[0])
    path = String(parts.count == 2 ? parts[1] : parts[0])
    guard !name.isEmpty, !path.isEmpty else {
      throw BlockDeviceListError(entry: text, problem: "it is neither PATH nor NAME=FILE")
    }
    number = DeviceNodes.number(ofBlockDevice: path)
    guard number != nil || access(path, F_OK) == 0 else {
      throw BlockDeviceListError(entry: text, problem: "there is no \(path)")
    }
  }

  public func open(_ access: BlockDevice.Access) throws(MetadataDeviceError) -> BlockDevice {
    try BlockDevice(path: path, name: name, access: access)
  }
}

/// An entry of a configured list of devices that leads nowhere.
public struct BlockDeviceListError: Error, Equatable, Sendable, CustomStringConvertible {
  public let entry: String
  public let problem: String

  public var description: String { "device list, \"\(entry)\": \(problem)" }
}

/// Finds the machine's block devices that may be physical volumes.
///
/// Left out are devices that the selection leaves out, that have no node, that are too small, and
/// the paths below multipath and md devices: their content is reached through those. Logical volumes
/// are left out too, unless lvm.conf has them looked at (`devices/scan_lvs`).
public struct BlockDeviceScanner: Sendable {
  private let selection: DeviceSelection
  private let systemDirectory: String
  private let deviceDirectory: String

  /// - Parameters:
  ///   - systemDirectory: where sysfs is mounted.
  ///   - deviceDirectory: where the nodes are.
  public init(
    filter: DeviceFilter = .acceptingAll, systemDirectory: String = "/sys",
    deviceDirectory: String = DeviceDirectory.path
  ) {
    self.init(
      selection: DeviceSelection(filter: filter), systemDirectory: systemDirectory,
      deviceDirectory: deviceDirectory)
  }

  /// The devices that LVM's configuration selects.
  public init(
    selection: DeviceSelection, systemDirectory: String = "/sys",
    deviceDirectory: String = DeviceDirectory.path
  ) {
    self.selection = selection
    self.systemDirectory = systemDirectory
    self.deviceDirectory = deviceDirectory
  }

  /// Every candidate, in LVM's order.
  public func candidates() -> [BlockDeviceCandidate] {
    candidates(DeviceNodes(below: deviceDirectory))
  }

  func candidates(_ nodes: DeviceNodes) -> [BlockDeviceCandidate] {
    switch selection.rule {
    case .filters(let filters):
      let matchers = filters.map { $0.matcher() }
      return found(nodes).compactMap { device in
        var name = device.names.first
        for matcher in matchers where name != nil {
          name = matcher.acceptedName(among: device.names)
        }
        return name.map { BlockDeviceCandidate(name: $0, path: $0, number: device.number) }
      }
    case .listed(let file):
      return assignments(file, nodes).compactMap(\.candidate)
        .inScanningOrder()
    }
  }

  /// The device that each entry of a devices file means, in the file's order.
  public func assignments(_ file: DevicesFile) -> [DeviceAssignment] {
    assignments(file, DeviceNodes(below: deviceDirectory))
  }

  func assignments(_ file: DevicesFile, _ nodes: DeviceNodes) -> [DeviceAssignment] {
    DeviceAssignment.all(of: file, among: found(nodes))
  }

  /// A device that may be a PV, whoever selects it.
  struct FoundDevice {
    let number: DeviceNumber
    /// The usual one first.
    let names: [String]
    let identity: DeviceIdentity
  }

  private func found(_ nodes: DeviceNodes) -> [FoundDevice] {
    let root = "\(systemDirectory)/block"
    var found: [DeviceNumber: FoundDevice] = [:]
    for disk in Directory.entries(of: root) {
      let folder = "\(root)/\(disk)"
      let partitions = Directory.entries(of: folder).map { "\(folder)/\($0)" }
        .filter { Directory.firstLine(of: "\($0)/partition") != nil }
      for folder in [folder] + partitions
      where !isLogicalVolumeToSkip(folder) && !isServedByAnother(folder) {
        guard let device = device(folder, nodes) else { continue }
        found[device.number] = device
      }
    }
    return found.sorted { $0.key.scanningOrder < $1.key.scanningOrder }.map(\.value)
  }

  private func device(_ folder: String, _ nodes: DeviceNodes) -> FoundDevice? {
    guard let number = Directory.firstLine(of: "\(folder)/dev").flatMap({ DeviceNumber($0) }),
      let size = Directory.firstLine(of: "\(folder)/size").flatMap({ UInt64($0) }),
      size >= selection.requirements.smallestSize
    else { return nil }
    // The kernel's own name is the usual one; sysfs writes its slashes as exclamation marks.
    let kernelName = String(
      (folder.split(separator: "/").last ?? "").map { $0 == "!" ? "/" : $0 })
    let usual = "\(deviceDirectory)/\(kernelName)"
    let names = nodes.names(of: number)
    return FoundDevice(
      number: number, names: names.filter { $0 == usual } + names.filter { $0 != usual },
      identity: DeviceIdentity(folder: folder))
  }

  /// A logical volume that is nobody's physical volume, or that cannot be read now: as a part of
  /// another volume, or because the read would wait for somebody's resume.
  private func isLogicalVolumeToSkip(_ folder: String) -> Bool {
    guard let uuid = Directory.firstLine(of: "\(folder)/dm/uuid"),
      uuid.hasPrefix(MappedDeviceUUID.prefix)
    else { return false }
    guard selection.requirements.allowsLogicalVolumes, let device = MappedDeviceUUID(uuid) else {
      return true
    }
    return device.suffix != nil || isPart(folder, device) || isSuspended(folder, depth: 0)
  }

  /// A part of another volume of its own group, such as a mirror's image: the same content.
  private func isPart(_ folder: String, _ device: MappedDeviceUUID) -> Bool {
    Directory.entries(of: "\(folder)/holders").contains { holder in
      Directory.firstLine(of: "\(folder)/holders/\(holder)/dm/uuid")
        .flatMap { MappedDeviceUUID($0) }?.volumeGroup == device.volumeGroup
    }
  }

  /// Suspended itself, or on top of a device that is.
  private func isSuspended(_ folder: String, depth: Int) -> Bool {
    if Directory.firstLine(of: "\(folder)/dm/suspended") == "1" { return true }
    // Stacks are a few devices high; sysfs has no cycles, and a limit costs nothing.
    guard depth < Self.stackHeightMax else { return true }
    return Directory.entries(of: "\(folder)/slaves").contains {
      isSuspended("\(systemDirectory)/block/\($0)", depth: depth + 1)
    }
  }

  private static let stackHeightMax = 16

  /// A path to a device that multipath or md has assembled.
  private func isServedByAnother(_ folder: String) -> Bool {
    Directory.entries(of: "\(folder)/holders").contains { holder in
      let uuid = Directory.firstLine(of: "\(folder)/holders/\(holder)/dm/uuid")
      return uuid?.hasPrefix("mpath-") == true
        || Directory.firstLine(of: "\(folder)/holders/\(holder)/md/level") != nil
    }
  }
}

extension DeviceNumber {
  /// Devices are read by LVM in ascending order of this: their 32-bit number (`makedev`) from its
  /// lowest byte on. The first one of duplicates, and the order of groups, come from it.
  var scanningOrder: UInt32 {
    let number = (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)
    return number.byteSwapped
  }
}

extension [BlockDeviceCandidate] {
  /// In LVM's order; when some are files, which have no number, as they are.
  public func inScanningOrder() -> [BlockDeviceCandidate] {
    let numbers = compactMap { $0.number?.scanningOrder }
    guard numbers.count == count else { return self }
    return zip(numbers, self).sorted { $0.0 < $1.0 }.map(\.1)
  }
}
