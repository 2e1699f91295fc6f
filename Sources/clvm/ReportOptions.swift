import ArgumentParser
import BlockDevices
import DeviceMapper
import Glibc
import LVMMetadata
import VolumeActivation
import VolumeReports

/// What `pvs`, `vgs` and `lvs` have in common: they read the disks, and ask no daemon.
struct ReportOptions: ParsableArguments {
  @Option(
    name: [.customShort("o", allowingJoined: true), .customLong("options")],
    parsing: .unconditionalSingleValue,
    help: "Columns, separated by commas; +LIST adds to the usual ones, -LIST takes away.")
  var columns: [String] = []

  @Option(name: .long, help: "Unit of sizes: r, h, b, s, k, m, g, t, p, e or a capital.")
  var units = "r"

  @Flag(name: .long, help: "Leave the unit's letter away.")
  var nosuffix = false

  @Flag(name: .long, help: "Leave the headings away.")
  var noheadings = false

  @Option(name: .long, help: "basic, json or json_std.")
  var reportformat = ReportStyle.Format.basic.rawValue

  @OptionGroup var devices: DeviceOptions

  func style() throws -> ReportStyle {
    var style = ReportStyle()
    guard let format = ReportStyle.Format(rawValue: reportformat) else {
      throw ValidationError("Invalid argument for --reportformat: \(reportformat)")
    }
    guard let units = SizeUnits(units) else { throw ValidationError("Invalid units specification") }
    style.format = format
    style.units = units
    style.hasSuffix = !nosuffix
    style.hasHeadings = !noheadings
    return style
  }

  func report(_ kind: Report.Kind) throws -> Report {
    do {
      return try Report(kind, columns: columns)
    } catch {
      throw CommandFailure(error.message)
    }
  }

  /// Reads the devices. Warnings go to standard error.
  func source() throws -> ReportSource {
    let opened = try devices.open(.readOnly)
    let scan = MetadataScanner.scan(opened)
    for warning in scan.warnings + scan.groups.flatMap(\.warnings) {
      Output.error("  WARNING: \(warning)")
    }
    var numbers: [String: (major: UInt32, minor: UInt32)] = [:]
    for device in opened {
      if let number = device.number { numbers[device.name] = (number.major, number.minor) }
    }
    return ReportSource(
      scan: scan, states: Self.deviceStates(), deviceNumbers: numbers, formatTime: Self.localTime)
  }

  private static func deviceStates() -> DeviceStates {
    var mapper = LibraryDeviceMapper()
    do throws(DeviceMapperError) {
      var states: [LVMIdentifier: DeviceState] = [:]
      for device in try mapper.devices() where device.uuid.suffix == nil {
        guard let state = try mapper.state(of: device.uuid) else { continue }
        states[device.uuid.logicalVolume] = DeviceState(
          major: state.device.number.major, minor: state.device.number.minor,
          isSuspended: state.isSuspended, hasLiveTable: state.hasLiveTable,
          hasInactiveTable: state.hasInactiveTable, isOpen: state.openCount > 0)
      }
      return .known(states)
    } catch {
      Output.error("  WARNING: States of devices are not shown: \(error)")
      return .unknown
    }
  }

  /// "2024-01-31 12:00:00 +0100", in the time zone of the user.
  private static func localTime(_ seconds: UInt64) -> String {
    var moment = time_t(clamping: seconds)
    var parts = tm()
    guard localtime_r(&moment, &parts) != nil else { return "" }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      let length = strftime(buffer.baseAddress, buffer.count, "%Y-%m-%d %H:%M:%S %z", &parts)
      return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}
