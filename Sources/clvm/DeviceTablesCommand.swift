import ArgumentParser
import BlockDevices
import Glibc
import LVMMetadata
import VolumeActivation
import VolumeReports

/// What activation would load, without asking the kernel for anything.
struct DeviceTablesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dm-tables",
    abstract: "Print the device-mapper tables that activation would load.",
    usage: "clvm dm-tables [--json] [--devices LIST | --file FILE] VG[/LV] …",
    discussion: """
      Nothing is loaded, and the kernel is not looked at. Mapped devices are written @dm:NAME and
      physical volumes @NAME. Missing devices are replaced as partial activation would do it, and a
      snapshot that is to be merged is shown as not begun, unless asked otherwise.
      """)

  @OptionGroup var devices: DeviceOptions

  @Option(
    name: [.customShort("f"), .long],
    help: "Take the volume group from a file of vgcfgbackup, with all its devices in place.")
  var file: String?

  @Option(name: .long, help: "What to do about missing devices: complete, degraded or partial.")
  var activationmode = ActivationOptions.Mode.partial.rawValue

  @Flag(name: .long, help: "Show snapshots that are to be merged as being merged.")
  var merging = false

  @Flag(name: .long, help: "As JSON; otherwise a line each.")
  var json = false

  @Argument(help: "Volume groups and logical volumes.")
  var names: [String]

  func run() throws {
    let source = try DeviceTablesSource(devices: devices, file: file)
    var options = ActivationOptions()
    guard let mode = ActivationOptions.Mode(rawValue: activationmode) else {
      throw ValidationError("Invalid argument for --activationmode: \(activationmode)")
    }
    options.mode = mode
    options.merge = merging ? .running : .pending
    var planned: [PlannedDevice] = []
    var seen: Set<MappedDeviceUUID> = []
    var failure = CommandFailure()
    for name in names {
      do {
        for plan in try source.plans(name, options, &failure) {
          planned += plan.devices.filter { seen.insert($0.uuid).inserted }
        }
      } catch let error as CommandFailure {
        failure.messages += error.messages
      }
    }
    let output = DeviceTablesOutput(planned, source)
    if json { Output.json(output.json) } else { Output.lines(output.lines) }
    guard failure.messages.isEmpty else { throw failure }
  }
}

/// Volume groups with the devices they would lie on, by name.
private struct DeviceTablesSource {
  private let planners: [ActivationPlanner]
  private let deviceNames: [LVMIdentifier: String]

  init(devices: DeviceOptions, file: String?) throws {
    if let file {
      guard !devices.isGiven else { throw ValidationError("Give --devices or --file, not both.") }
      let group = try Self.group(inFile: file)
      planners = [Self.planner(group, devices: Self.wholeDevices(of: group))]
      deviceNames = Dictionary(
        group.physicalVolumes.map { ($0.id, $0.label) }, uniquingKeysWith: { first, _ in first })
      return
    }
    let scan = MetadataScanner.scan(try devices.open(.readOnly))
    for warning in scan.warnings + scan.groups.flatMap(\.warnings) {
      Output.error("  WARNING: \(warning)")
    }
    var names: [LVMIdentifier: String] = [:]
    planners = scan.groups.map { group in
      for member in group.members {
        if let device = member.scanned?.device { names[member.id] = device.name }
      }
      return Self.planner(group.volumeGroup, devices: group.physicalVolumeDevices)
    }
    deviceNames = names
  }

  /// The tables are those of the host that owns the group, whoever asks.
  private static func planner(
    _ group: VolumeGroup, devices: [LVMIdentifier: PhysicalVolumeDevice]
  ) -> ActivationPlanner {
    ActivationPlanner(
      group, devices: devices, hostSystemID: group.systemID, acceptingClustered: true)
  }

  private static func group(inFile path: String) throws -> VolumeGroup {
    guard let bytes = TextFile.read(path) else {
      throw CommandFailure("\(path): \(String(cString: strerror(errno)))")
    }
    do {
      return try MetadataText(parsing: bytes).volumeGroup
    } catch {
      throw CommandFailure("\(path): \(error)")
    }
  }

  private static func wholeDevices(
    of group: VolumeGroup
  ) -> [LVMIdentifier: PhysicalVolumeDevice] {
    Dictionary(
      group.physicalVolumes.filter { !$0.isMarkedMissing }.map { volume in
        (
          volume.id,
          PhysicalVolumeDevice(number: nil, sizeSectors: volume.deviceSizeSectors ?? .max)
        )
      }, uniquingKeysWith: { first, _ in first })
  }

  /// The plans of a volume, or of all volumes of a group; refusals of the latter go to `failure`.
  func plans(
    _ name: String, _ options: ActivationOptions, _ failure: inout CommandFailure
  ) throws -> [PlannedVolume] {
    if let groupName = VolumePath.volumeGroup(name) {
      let planner = try planner(named: groupName)
      var plans: [PlannedVolume] = []
      for volume in planner.volumeNames {
        do {
          plans.append(try planner.plan(named: volume, options))
        } catch {
          failure.messages.append("\(error)")
        }
      }
      return plans
    }
    let (groupName, volume) = try VolumePath.parse(name)
    do {
      return [try planner(named: groupName).plan(named: volume, options)]
    } catch let refusal as ActivationRefusal {
      throw CommandFailure(refusal.description)
    }
  }

  private func planner(named name: String) throws -> ActivationPlanner {
    let found = planners.filter { $0.volumeGroup.name == name }
    guard let planner = found.first else {
      throw CommandFailure(
        "Volume group \"\(name)\" not found", "Cannot process volume group \(name)")
    }
    guard found.count == 1 else {
      throw CommandFailure("Multiple volume groups called \"\(name)\": use --devices")
    }
    return planner
  }

  /// `@NAME` of a physical volume.
  func name(of physicalVolume: LVMIdentifier) -> String {
    "@" + (deviceNames[physicalVolume] ?? physicalVolume.dashed)
  }
}

/// Devices as they are printed.
private struct DeviceTablesOutput {
  private let devices: [PlannedDevice]
  private let names: [MappedDeviceUUID: MappedDeviceName]
  private let source: DeviceTablesSource

  init(_ devices: [PlannedDevice], _ source: DeviceTablesSource) {
    self.devices = devices.sorted { $0.name < $1.name }
    self.source = source
    names = Dictionary(
      devices.map { ($0.uuid, $0.name) }, uniquingKeysWith: { first, _ in first })
  }

  private func name(_ reference: DeviceReference) -> String {
    switch reference {
    case .physicalVolume(let id, _): source.name(of: id)
    case .mapped(let uuid): "@dm:" + (names[uuid]?.text ?? uuid.text)
    }
  }

  var json: JSONValue {
    .object([("devices", .object(devices.map { ($0.name.text, json($0)) }))])
  }

  private func json(_ device: PlannedDevice) -> JSONValue {
    let lines = device.table.lines.map { line in
      JSONValue.object([
        ("start", .unsigned(line.start)), ("length", .unsigned(line.length)),
        ("target", .string(line.target.type)), ("params", .string(line.target.parameters(name))),
      ])
    }
    return .object([("uuid", .string(device.uuid.text)), ("table", .array(lines))])
  }

  var lines: [String] {
    devices.flatMap { device in
      device.table.lines.map { line in
        let parameters = line.target.parameters(name)
        return "\(device.name): \(line.start) \(line.length) \(line.target.type)"
          + (parameters.isEmpty ? "" : " \(parameters)")
      }
    }
  }
}
