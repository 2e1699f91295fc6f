import ArgumentParser
import BlockDevices
import LVMMetadata

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

  /// The devices listed, in that order; without a list all that may be physical volumes.
  func candidates() throws -> [BlockDeviceCandidate] {
    guard isGiven else { return BlockDeviceScanner(selection: try selection()).candidates() }
    guard devicesfile == nil else {
      throw CommandFailure(
        "A --devices list cannot be used with --devicesfile.", status: .invalidCommandLine)
    }
    var candidates: [BlockDeviceCandidate] = []
    for entry in devices.flatMap({ $0.split(separator: ",") }) {
      let candidate = try Self.candidate(String(entry))
      if candidates.contains(candidate) { continue }
      guard !candidates.contains(where: { $0.name == candidate.name }) else {
        throw CommandFailure(
          "device list, \"\(entry)\": \(candidate.name) stands for another one already")
      }
      candidates.append(candidate)
    }
    return candidates
  }

  /// What LVM's configuration lets commands use; what it says about itself is printed.
  func selection() throws -> DeviceSelection {
    do {
      let selection = try DeviceSelection(
        try settings.configuration(), devicesFile: devicesfile)
      for warning in selection.warnings { Output.error("  \(warning)") }
      return selection
    } catch let error as DeviceSelectionError {
      throw CommandFailure(error.description)
    }
  }

  private static func candidate(_ entry: String) throws -> BlockDeviceCandidate {
    do throws(BlockDeviceListError) {
      return try BlockDeviceCandidate(listed: entry)
    } catch {
      throw CommandFailure(error.description)
    }
  }

  /// Opens them. One of a list that cannot be opened is warned of; of devices found by searching
  /// some cannot be opened by anybody: empty drives, say.
  func open(_ access: BlockDevice.Access) throws -> [BlockDevice] {
    try candidates().compactMap { candidate in
      do {
        return try candidate.open(access)
      } catch {
        if isGiven { Output.error("  WARNING: \(error)") }
        return nil
      }
    }
  }

  /// The device that an argument of the command line means: by name, or by another path to the
  /// same block device.
  static func device(_ argument: String, among devices: [BlockDevice]) -> BlockDevice? {
    if let device = devices.first(where: { $0.name == argument }) { return device }
    guard let number = DeviceNodes.number(ofBlockDevice: argument) else { return nil }
    return devices.first { $0.number == number }
  }
}
