import LVMMetadata

@testable import VolumeActivation

/// A group of two physical volumes for tests, with helpers to spell segments.
enum Sample {
  static let firstPV = identifier("PV-1")
  static let secondPV = identifier("PV-2")
  static let firstDevice = DeviceNumber(major: 8, minor: 0)
  static let secondDevice = DeviceNumber(major: 8, minor: 16)
  /// In sectors.
  static let extentSize: UInt64 = 8192
  static let extentStart: UInt64 = 2048
  static let deviceSize: UInt64 = extentStart + 100 * extentSize

  static let devices: [LVMIdentifier: PhysicalVolumeDevice] = [
    firstPV: PhysicalVolumeDevice(number: firstDevice, sizeSectors: deviceSize),
    secondPV: PhysicalVolumeDevice(number: secondDevice, sizeSectors: deviceSize),
  ]

  static var mapper: SimulatedDeviceMapper {
    SimulatedDeviceMapper(blockDevices: [firstDevice: deviceSize, secondDevice: deviceSize])
  }

  /// An identifier that begins with the letters and digits of `text`.
  static func identifier(_ text: String) -> LVMIdentifier {
    let letters = text.filter { $0.isLetter || $0.isNumber }
    guard
      let identifier = LVMIdentifier(letters + String(repeating: "0", count: 32 - letters.count))
    else { preconditionFailure("\(text) makes no identifier") }
    return identifier
  }

  static func linear(
    _ pv: LVMIdentifier = firstPV, from firstExtent: Int, count: Int, start: Int = 0
  ) -> Segment {
    Segment(
      startExtent: start, extentCount: count,
      kind: .striped(
        StripedLayout(areas: [.physicalVolume(pv, firstExtent: firstExtent)])))
  }

  static func volume(_ name: String, id: String? = nil, _ segments: Segment...) -> LogicalVolume {
    LogicalVolume(name: name, id: identifier(id ?? name), segments: segments)
  }

  static func group(_ volumes: LogicalVolume...) -> VolumeGroup { group(volumes) }

  static func group(_ volumes: [LogicalVolume]) -> VolumeGroup {
    VolumeGroup(
      name: "vg", id: identifier("VG"), extentSizeSectors: extentSize,
      physicalVolumes: [
        PhysicalVolume(
          label: "pv0", id: firstPV, device: "/dev/sda", extentStartSectors: extentStart,
          extentCount: 100),
        PhysicalVolume(
          label: "pv1", id: secondPV, device: "/dev/sdb", extentStartSectors: extentStart,
          extentCount: 100),
      ], logicalVolumes: volumes)
  }

  static func planner(_ group: VolumeGroup) -> ActivationPlanner {
    ActivationPlanner(group, devices: devices)
  }

  static func plans(_ group: VolumeGroup) throws -> [PlannedVolume] {
    let planner = planner(group)
    return try group.logicalVolumes.map { try planner.plan($0) }
  }
}

extension PlannedVolume {
  /// The table of a volume that lies on nothing but physical volumes.
  var plainTable: DeviceTable {
    table.resolved { reference in
      guard case .physicalVolume(_, let number?) = reference else {
        preconditionFailure("\(volume) lies on \(reference)")
      }
      return number
    }
  }
}
