import Foundation
import LVMMetadata
import Testing
import VolumeActivation

/// One stage of a recording of LVM at work: the metadata text and the mapped devices of a moment.
struct RecordedStage: CustomStringConvertible {
  struct Device: Decodable {
    struct Info: Decodable {
      let name: String
      let uuid: String
      let major: String
      let minor: String
      let readonly: String
    }
    struct Line: Decodable {
      let start: UInt64
      let length: UInt64
      let target: String
      let params: String
    }

    let info: Info
    let table: [Line]
  }

  private struct Recording: Decodable {
    let devices: [String: Device]
    let deviceNames: [String: String]

    enum CodingKeys: String, CodingKey {
      case devices
      case deviceNames = "device_names"
    }
  }

  let description: String
  let group: VolumeGroup
  let devices: [Device]
  /// The numbers of the physical volumes' devices.
  let disks: Set<DeviceNumber>

  private static let folder = URL(filePath: #filePath)
    .deletingLastPathComponent().appending(path: "../../Fixtures/lvm2").standardized

  /// Every stage with mapped devices, ordered by name.
  static func all() throws -> [RecordedStage] {
    let files = FileManager.default
    var stages: [RecordedStage] = []
    for name in try files.contentsOfDirectory(atPath: folder.path).sorted() {
      let caseFolder = folder.appending(path: name)
      for stage in (try? files.contentsOfDirectory(atPath: caseFolder.path).sorted()) ?? [] {
        let stageFolder = caseFolder.appending(path: stage)
        let recording = stageFolder.appending(path: "dm.json")
        guard files.fileExists(atPath: recording.path) else { continue }
        for text in try files.contentsOfDirectory(atPath: stageFolder.path).sorted()
        where text.hasPrefix("vgcfgbackup.") {
          stages.append(
            try RecordedStage(
              "\(name)/\(stage)/\(text)", text: stageFolder.appending(path: text),
              recording: recording))
        }
      }
    }
    return stages
  }

  private init(_ description: String, text: URL, recording: URL) throws {
    self.description = description
    group = try MetadataText(parsing: Data(contentsOf: text)).volumeGroup
    let recording = try JSONDecoder().decode(Recording.self, from: Data(contentsOf: recording))
    devices = recording.devices.values.sorted { $0.info.name < $1.info.name }
    disks = Set(
      recording.deviceNames.filter { $0.value.hasPrefix("@pv") }.keys
        .compactMap { DeviceNumber($0) })
  }

  /// The devices of the group's physical volumes: the recording's disks are called /dev/ubda,
  /// /dev/ubdb … and numbered 98:0, 98:16 …
  var physicalVolumeDevices: [LVMIdentifier: PhysicalVolumeDevice] {
    var found: [LVMIdentifier: PhysicalVolumeDevice] = [:]
    for volume in group.physicalVolumes {
      // A physical volume that was missing has "[unknown]" instead of a path.
      guard let path = volume.device, path.hasPrefix("/dev/ubd"), let letter = path.utf8.last
      else { continue }
      let number = DeviceNumber(major: 98, minor: UInt32(letter - UInt8(ascii: "a")) * 16)
      guard disks.contains(number), !volume.isMarkedMissing else { continue }
      found[volume.id] = PhysicalVolumeDevice(
        number: number, sizeSectors: volume.deviceSizeSectors ?? 0)
    }
    return found
  }

  func device(_ uuid: MappedDeviceUUID) -> Device? {
    devices.first { $0.info.uuid == uuid.text }
  }

  /// The number that a reference had when the stage was recorded.
  func number(of reference: DeviceReference) throws -> DeviceNumber {
    switch reference {
    case .physicalVolume(_, let number): try #require(number)
    case .mapped(let uuid): try #require(device(uuid)?.number, "\(self): no \(uuid)")
    }
  }

  /// The plans of all volumes, as far as their types are known.
  func plans() throws -> [PlannedVolume] {
    let planner = ActivationPlanner(
      group, devices: physicalVolumeDevices, hostSystemID: group.systemID)
    var options = ActivationOptions()
    options.mode = .partial
    options.merge = .pending
    var plans: [PlannedVolume] = []
    for name in planner.volumeNames {
      do {
        plans.append(try planner.plan(named: name, options))
      } catch {
        guard case .segmentType = error.reason else { throw error }
      }
    }
    return plans
  }

  /// Every device that full activation would make, by UUID.
  func plannedDevices() throws -> [String: PlannedDevice] {
    Dictionary(
      try plans().flatMap(\.devices).map { ($0.uuid.text, $0) },
      uniquingKeysWith: { first, _ in first })
  }
}

extension RecordedStage.Device {
  var recordedTable: DeviceTable {
    get throws {
      try DeviceTable(
        table.map {
          TableLine(
            start: $0.start, length: $0.length,
            target: TableTarget(type: $0.target, parameters: $0.params))
        })
    }
  }

  var number: DeviceNumber? { DeviceNumber("\(info.major):\(info.minor)") }
}
