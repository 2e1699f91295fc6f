import BlockDevices
import LVMMetadata
import LVMSystemDirectory
import VolumeCommands

/// Which devices a command looks at: those that its command line lists, or those that LVM's
/// configuration lets commands use.
struct DeviceChoice {
  /// As on the command line; empty when the machine is to be searched.
  private let list: [String]
  /// The name of a devices file, empty for none; nil leaves it to the configuration.
  private let devicesFile: String?
  let configuration: LVMConfiguration

  init(list: [String], devicesFile: String?, _ configuration: LVMConfiguration) {
    self.list = list
    self.devicesFile = devicesFile
    self.configuration = configuration
  }

  /// What the options say that all of LVM's commands have.
  init(_ arguments: CommandArguments) throws {
    list = arguments.allValues("devices")
    devicesFile = arguments.value("devicesfile")
    // Where metadata can name a profile, --profile is such a one.
    let isForMetadata = ["lvchange", "lvcreate", "vgchange", "vgcreate"].contains(
      arguments.command)
    let profile = arguments.value("profile")
    do {
      configuration = try LVMConfiguration(
        config: arguments.value("config"),
        commandProfile: arguments.value("commandprofile") ?? (isForMetadata ? nil : profile))
      for name in [arguments.value("metadataprofile"), isForMetadata ? profile : nil] {
        if let name { try configuration.checkMetadataProfile(name) }
      }
    } catch var failure as CommandFailure {
      if failure.status == .invalidCommandLine {
        failure.messages.append("Run `\(arguments.command) --help' for more information.")
      }
      throw failure
    } catch let error as LVMConfigurationError {
      throw CommandFailure(error.messages)
    }
  }

  /// False when the machine is to be searched.
  var isGiven: Bool { !list.isEmpty }

  /// The devices listed, without a list all that may be physical volumes; in LVM's order.
  func candidates() throws -> [BlockDeviceCandidate] {
    guard isGiven else { return BlockDeviceScanner(selection: try selection()).candidates() }
    guard devicesFile == nil else {
      throw CommandFailure(
        "A --devices list cannot be used with --devicesfile.", status: .invalidCommandLine)
    }
    var candidates: [BlockDeviceCandidate] = []
    for entry in list.flatMap({ $0.split(separator: ",") }) {
      let candidate = try Self.candidate(String(entry))
      if candidates.contains(candidate) { continue }
      guard !candidates.contains(where: { $0.name == candidate.name }) else {
        throw CommandFailure(
          "device list, \"\(entry)\": \(candidate.name) stands for another one already")
      }
      candidates.append(candidate)
    }
    return candidates.inScanningOrder()
  }

  /// What LVM's configuration lets commands use; what it says about itself is printed.
  private func selection() throws -> DeviceSelection {
    do throws(DeviceSelectionError) {
      let selection = try DeviceSelection(configuration, devicesFile: devicesFile)
      for warning in selection.warnings { Output.error("  \(warning)") }
      return selection
    } catch {
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

extension LVMConfiguration {
  /// - Parameters:
  ///   - config: the value of `--config`.
  ///   - commandProfile: the value of `--commandprofile`.
  /// - Throws: `CommandFailure` with LVM's words.
  init(config: String?, commandProfile: String?) throws {
    do throws(LVMConfigurationError) {
      try self.init(override: config, commandProfile: commandProfile)
    } catch {
      guard error.source != "--config" else {
        throw CommandFailure(
          error.problem, "Failed to set overridden configuration entries.",
          status: .invalidCommandLine)
      }
      throw CommandFailure(error.messages)
    }
  }
}
