import ArgumentParser
import BlockDevices
import LVMMetadata

/// lvmdevices, as far as it only reads.
struct DevicesFileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lvmdevices",
    abstract: "List the devices of LVM's devices file, or check them.",
    discussion: "The file itself is changed by LVM's own lvmdevices.")

  @Option(
    name: .long,
    help: ArgumentHelp("This file, in the folder of devices files.", valueName: "name"))
  var devicesfile: String?

  @OptionGroup var settings: ConfigurationOptions

  @Flag(name: .long, help: "Tell what is not as the file says.")
  var check = false

  func run() throws {
    let selection: DeviceSelection
    do {
      selection = try DeviceSelection(try settings.configuration(), devicesFile: devicesfile)
    } catch let error as DeviceSelectionError {
      throw CommandFailure(error.description)
    }
    for warning in selection.warnings { Output.error("  \(warning)") }
    guard let file = selection.devicesFile else {
      let isUsed = try settings.configuration().boolean("devices/use_devicesfile") == true
      throw CommandFailure(
        isUsed ? "Devices file does not exist." : "Devices file not enabled.")
    }
    let assignments = BlockDeviceScanner(selection: selection).assignments(file)
    if check { return show(assignments) }
    for assignment in assignments {
      let name = assignment.candidate?.name ?? "not found"
      Output.line("  Device \(name) \(assignment.entry.text)")
    }
  }

  /// As LVM: differences are told, and are no failure.
  private func show(_ assignments: [DeviceAssignment]) {
    for assignment in assignments {
      let entry = assignment.entry
      guard let device = assignment.candidate else {
        Output.error(
          "  Device not found for \(entry.typeName) \(entry.name) "
            + "(devices file PVID \(entry.physicalVolumeText ?? "none")).")
        continue
      }
      let found = assignment.physicalVolume?.plain
      if found != entry.physicalVolumeText {
        Output.error(
          "  Device \(device.name) has \(found.map { "PVID \($0)" } ?? "no PVID") "
            + "(devices file \(entry.physicalVolumeText ?? "none"))")
      }
      if let name = entry.deviceName, name != device.name {
        Output.error("  Device \(device.name) has updated name (devices file \(name))")
      }
    }
  }
}
