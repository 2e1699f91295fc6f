import ByteCoding
import FoundationEssentials
import Glibc
import LVMMetadata
import VolumeActivation

@testable import VolumeReports

/// One stage of a recording: the devices, and what LVM 2.03.16 and the kernel said about them.
///
/// `STAGE.devices` holds for each device the length of its name and the name, its size and the
/// number of its runs, and for each run of sectors that are not all zero offset, count and bytes:
/// labels, headers of metadata areas and the texts they point to.
///
/// `STAGE.report` has a line for each row of LVM's reports (made with `--units b --nosuffix`), cells
/// that are not empty as `NAME=VALUE` with tabs between; and a line for each mapped device,
/// followed by one for each target of it.
struct RecordedReports: CustomStringConvertible, Sendable {
  typealias Row = [String: String]

  let description: String
  private let devicesPath: String
  private(set) var rows: [String: [Row]] = [:]
  private(set) var states: [String: DeviceState] = [:]

  static func all() throws -> [RecordedReports] {
    try names(in: root).flatMap { name in
      try names(in: "\(root)/\(name)").filter { $0.hasSuffix(".report") }
        .map { try RecordedReports("\(name)/\($0.dropLast(7))") }
    }
  }

  init(_ stage: String) throws {
    description = stage
    devicesPath = "\(Self.root)/\(stage).devices"
    let text = String(decoding: try Self.bytes("\(Self.root)/\(stage).report"), as: UTF8.self)
    var current: String?
    for line in text.split(separator: "\n") {
      let cells = line.split(separator: "\t", omittingEmptySubsequences: false)
      switch cells[0] {
      case "dm":
        current = String(cells[2])
        states[String(cells[2])] = Self.state(cells)
      case "status":
        guard let current, let start = UInt64(cells[1]), let length = UInt64(cells[2]) else {
          continue
        }
        states[current]?.targets.append(
          DeviceState.Target(
            start: start, length: length, type: String(cells[3]), parameters: String(cells[4])))
      default:
        var row: Row = [:]
        for cell in cells.dropFirst() {
          let parts = cell.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
          row[String(parts[0])] = String(parts[1])
        }
        rows[String(cells[0]), default: []].append(row)
      }
    }
  }

  /// `dm NAME UUID MAJOR MINOR suspended open readonly read-ahead tables`.
  private static func state(_ cells: [Substring]) -> DeviceState {
    DeviceState(
      major: UInt32(cells[3]) ?? 0, minor: UInt32(cells[4]) ?? 0,
      isSuspended: cells[5] == "Suspended", hasLiveTable: cells[9].contains("Live"),
      hasInactiveTable: cells[9].contains("Inactive"), openCount: Int(cells[6]) ?? 0,
      isReadOnly: cells[7] == "Read-only", readAheadSectors: UInt32(cells[8]) ?? 0)
  }

  func devices() throws -> [MemoryDevice] {
    var reader = ByteReader(try Self.bytes(devicesPath))
    var devices: [MemoryDevice] = []
    while !reader.isAtEnd {
      let length = Int(try reader.read(UInt8.self))
      let name = String(decoding: try reader.readBytes(length), as: UTF8.self)
      let device = MemoryDevice(name: name, sizeBytes: try reader.read())
      for _ in 0..<(try reader.read(UInt32.self)) {
        let offset = try reader.read(UInt64.self)
        let count = Int(try reader.read(UInt32.self))
        device.store(Array(try reader.readBytes(count)), at: offset)
      }
      devices.append(device)
    }
    return devices
  }

  /// What a report is made from.
  func source() throws -> ReportSource {
    let devices = try devices()
    var numbers: [String: (major: UInt32, minor: UInt32)] = [:]
    for row in rows["pv"] ?? [] {
      guard let name = row["pv_name"], let major = UInt32(row["pv_major"] ?? ""),
        let minor = UInt32(row["pv_minor"] ?? "")
      else { continue }
      numbers[name] = (major, minor)
    }
    let states = states
    let scan = MetadataScanner.scan(devices)
    let known = Set(scan.physicalVolumes.map(\.device.name))
    let others = devices.filter { !known.contains($0.name) }
    return ReportSource(
      scan: scan, states: .known { states[$0.text] }, deviceNumbers: numbers,
      otherDevices: others.map { ($0.name, $0.sizeBytes) }, formatTime: Self.universalTime)
  }

  static func universalTime(_ seconds: UInt64) -> String {
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

  private static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: path)))
  }

  private static func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }
}
