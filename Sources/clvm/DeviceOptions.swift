import ArgumentParser
import BlockDevices

/// Which devices a command looks at; every command that reads disks itself has these options.
struct DeviceOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "Only use these devices, separated by commas; NAME=FILE has a file stand for a device.",
      valueName: "list"))
  var devices: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      "The devices file, in the folder of devices files; empty for none.", valueName: "name"))
  var devicesfile: String?

  @OptionGroup var settings: ConfigurationOptions

  /// False when the machine is to be searched.
  var isGiven: Bool { !devices.isEmpty }

  func choice() throws -> DeviceChoice {
    DeviceChoice(list: devices, devicesFile: devicesfile, try settings.configuration())
  }

  func open(_ access: BlockDevice.Access) throws -> [BlockDevice] { try choice().open(access) }
}
