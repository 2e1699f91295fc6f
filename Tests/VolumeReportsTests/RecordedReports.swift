import ByteCoding
import FoundationEssentials
import Glibc
import LVMMetadata

@testable import VolumeReports

/// One stage of a recording: the devices, and what LVM 2.03.16 reported about them.
///
/// The reports were made with `--units b --nosuffix --reportformat json`. A device's file holds
/// its size, then runs of sectors that are not all zero: offset, count and bytes.
struct RecordedReports: CustomStringConvertible {
  typealias Row = [String: String]

  private struct Document: Decodable {
    let report: [[String: [Row]]]
  }

  let description: String
  let devices: [MemoryDevice]
  let physicalVolumes: [Row]
  let volumeGroups: [Row]
  let logicalVolumes: [Row]
  let segments: [Row]

  static func all() throws -> [RecordedReports] {
    try names(in: root).flatMap { name in
      try names(in: "\(root)/\(name)").map { try RecordedReports("\(name)/\($0)") }
    }
  }

  init(_ stage: String) throws {
    description = stage
    let folder = "\(Self.root)/\(stage)"
    devices = try Self.names(in: folder).filter { $0.hasSuffix(".sectors") }.map { file in
      var reader = ByteReader(try Self.bytes("\(folder)/\(file)"))
      let device = MemoryDevice(
        name: "/dev/" + file.prefix { $0 != "." }, sizeBytes: try reader.read())
      while !reader.isAtEnd {
        let offset = try reader.read(UInt64.self)
        let count = Int(try reader.read(UInt32.self))
        device.store(Array(try reader.readBytes(count)), at: offset)
      }
      return device
    }
    physicalVolumes = try Self.rows("pv", "\(folder)/pvs.json")
    volumeGroups = try Self.rows("vg", "\(folder)/vgs.json")
    logicalVolumes = try Self.rows("lv", "\(folder)/lvs.json")
    segments = try Self.rows("seg", "\(folder)/fullreport.json")
  }

  /// What a report is made from: the devices, and the states that LVM saw.
  var source: ReportSource {
    var states: [LVMIdentifier: DeviceState] = [:]
    for row in logicalVolumes {
      guard let id = LVMIdentifier(row["lv_uuid"] ?? ""),
        let major = UInt32(row["lv_kernel_major"] ?? ""),
        let minor = UInt32(row["lv_kernel_minor"] ?? "")
      else { continue }
      states[id] = DeviceState(
        major: major, minor: minor, isSuspended: row["lv_suspended"] != "",
        hasLiveTable: row["lv_live_table"] != "", hasInactiveTable: row["lv_inactive_table"] != "",
        isOpen: row["lv_device_open"] != "")
    }
    var numbers: [String: (major: UInt32, minor: UInt32)] = [:]
    for row in physicalVolumes {
      guard let name = row["pv_name"], let major = UInt32(row["pv_major"] ?? ""),
        let minor = UInt32(row["pv_minor"] ?? "")
      else { continue }
      numbers[name] = (major, minor)
    }
    return ReportSource(
      scan: MetadataScanner.scan(devices), states: .known(states), deviceNumbers: numbers,
      formatTime: Self.universalTime)
  }

  private static func universalTime(_ seconds: UInt64) -> String {
    var moment = time_t(clamping: seconds)
    var parts = tm()
    gmtime_r(&moment, &parts)
    var text = [CChar](repeating: 0, count: 64)
    let length = strftime(&text, text.count, "%Y-%m-%d %H:%M:%S +0000", &parts)
    return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static let root: String = {
    var parts = #filePath.split(separator: "/").dropLast()
    while let last = parts.last, last != "Tests" { parts.removeLast() }
    return "/" + parts.dropLast().joined(separator: "/") + "/Fixtures/reports"
  }()

  private static func rows(_ key: String, _ path: String) throws -> [Row] {
    // LVM writes no report about logical volumes where there are none.
    guard access(path, F_OK) == 0 else { return [] }
    let document = try JSONDecoder().decode(Document.self, from: Data(bytes(path)))
    return document.report.flatMap { $0[key] ?? [] }
  }

  private static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: path)))
  }

  private static func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }
}
