import Foundation
import LVMMetadata
import VolumeActivation

/// One stage of a recording of LVM at work: the metadata text and the mapped devices of a moment.
struct RecordedStage: CustomStringConvertible {
  struct Device: Decodable {
    struct Info: Decodable {
      let name: String
      let uuid: String
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

  /// Linear and striped lines over nothing but disks.
  func isPlain(over disks: Set<DeviceNumber>) throws -> Bool {
    try recordedTable.lines.allSatisfy { line in
      !line.target.areas.isEmpty && line.target.areas.allSatisfy { disks.contains($0.device) }
    }
  }
}
