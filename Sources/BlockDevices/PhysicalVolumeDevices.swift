import LVMMetadata
import VolumeActivation

extension ScannedVolumeGroup {
  /// The devices of the group's physical volumes, as far as they are there and may be trusted.
  public var physicalVolumeDevices: [LVMIdentifier: PhysicalVolumeDevice] {
    var devices: [LVMIdentifier: PhysicalVolumeDevice] = [:]
    for member in members {
      guard case .present(let scanned) = member.state else { continue }
      let number = (scanned.device as? BlockDevice)?.number
      devices[member.id] = PhysicalVolumeDevice(
        number: number, sizeSectors: scanned.device.sizeBytes / 512,
        isPersistentMemory: number.map { PersistentMemory.contains($0) } ?? false,
        readAheadSectors: number.map { DeviceReadAhead.sectors(of: $0) } ?? 0)
    }
    return devices
  }
}

extension DeviceUse {
  /// What sysfs tells of a block device.
  init(_ number: DeviceNumber, systemDirectory: String = "/sys") {
    let folder = "\(systemDirectory)/dev/block/\(number)"
    self = []
    if Directory.firstLine(of: "\(folder)/dm/uuid") != nil { insert(.isMapped) }
    for holder in Directory.entries(of: "\(folder)/holders") {
      let uuid = Directory.firstLine(of: "\(folder)/holders/\(holder)/dm/uuid")
      if uuid?.hasPrefix(MappedDeviceUUID.prefix) == true { insert(.holdsVolumes) }
    }
  }
}

/// Block devices that are memory: a write cache on one is told so.
enum PersistentMemory {
  static func contains(_ number: DeviceNumber, systemDirectory: String = "/sys") -> Bool {
    let folder = "\(systemDirectory)/dev/block/\(number)"
    return Directory.firstLine(of: "\(folder)/queue/dax") == "1"
      || Directory.firstLine(of: "\(folder)/../queue/dax") == "1"
  }
}

/// How far the kernel reads ahead on a block device; `blockdev --getra`.
enum DeviceReadAhead {
  /// 0 when sysfs does not tell.
  static func sectors(of number: DeviceNumber, systemDirectory: String = "/sys") -> UInt32 {
    let folder = "\(systemDirectory)/dev/block/\(number)"
    // A partition has its disk's.
    let kibibytes = ["\(folder)/queue", "\(folder)/../queue"].lazy
      .compactMap { Directory.firstLine(of: "\($0)/read_ahead_kb") }.first
      .flatMap { UInt32($0) }
    return UInt32(clamping: UInt64(kibibytes ?? 0) * 2)
  }
}
