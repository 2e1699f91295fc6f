import ArgumentParser
import BlockDevices
import DurableFiles
import Glibc
import LVMMetadata

/// pvck, as LVM's.
struct PhysicalVolumeCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pvck", abstract: "Look into the headers and metadata of physical volumes.",
    usage: """
      clvm pvck [OPTIONS] PV …
      clvm pvck --dump headers|metadata|metadata_all|metadata_area|metadata_search [OPTIONS] PV
      clvm pvck --repairtype label_header [OPTIONS] PV
      """,
    discussion: """
      Without an option it checks the headers. It reads the device itself, whatever group it \
      belongs to, and takes no lock.
      """)

  @Option(name: .long, help: "What to print.")
  var dump: String?

  @Option(
    name: [.customShort("f"), .long],
    help: "Write what is dumped into this file, in the place of standard output.")
  var file: String?

  @Option(name: .long, help: "The sector of the label: 0 to 3.")
  var labelsector = 1

  @Option(name: .long, help: "Which metadata area to dump: 1 or 2.")
  var pvmetadatacopies = 1

  @Option(name: .long, help: "label_header: write a label's header that fits the rest of it.")
  var repairtype: String?

  @Flag(help: .hidden)
  var `repair` = false

  @Option(help: .hidden)
  var settings: String?

  @Flag(name: [.short, .long], help: "Do not ask.")
  var yes = false

  @Flag(name: [.short, .long], help: "Change nothing.")
  var test = false

  @OptionGroup var devices: DeviceOptions

  @Argument(help: "Devices.")
  var names: [String]

  private func check() throws {
    guard !repair, settings == nil, repairtype == nil || repairtype == "label_header" else {
      throw CommandFailure(
        "clvm pvck repairs the header of a label only (--repairtype label_header). For the rest use "
          + "clvm vgck --updatemetadata or vgcfgrestore where the label is good, or LVM's own pvck.",
        status: .invalidCommandLine)
    }
    guard (0...3).contains(labelsector) else {
      throw CommandFailure(
        "Invalid argument for --labelsector: \(labelsector)", status: .invalidCommandLine)
    }
    guard (1...2).contains(pvmetadatacopies) else {
      throw CommandFailure(
        "Invalid argument for --pvmetadatacopies: \(pvmetadatacopies)",
        status: .invalidCommandLine)
    }
    guard dump == nil || repairtype == nil, names.count == 1 || dump == nil && repairtype == nil
    else {
      throw CommandFailure("Command does not accept argument.", status: .invalidCommandLine)
    }
  }

  func run() throws {
    try check()
    let dump = try dump.map { text in
      guard let dump = PhysicalVolumeInspection.Dump(rawValue: text) else {
        throw CommandFailure(
          "Invalid argument for --dump: \(text)", "Error during parsing of command line.",
          status: .invalidCommandLine)
      }
      return dump
    }
    var isGood = true
    var hasToldFailure = dump != nil
    for name in names {
      let device = try open(name, repairtype == nil ? .readOnly : .readWrite)
      do {
        if repairtype != nil {
          try repairLabel(device)
        } else {
          let inspection = try inspect(device, dump)
          isGood = isGood && inspection.isGood
          hasToldFailure = hasToldFailure || inspection.lines.contains(where: \.isError)
        }
      } catch let error as MetadataDeviceError {
        throw CommandFailure("\(error)")
      }
    }
    guard isGood else {
      throw hasToldFailure
        ? CommandFailure([]) : CommandFailure("Command failed with status code 5.")
    }
  }

  private func open(_ name: String, _ access: BlockDevice.Access) throws -> BlockDevice {
    let candidates = try devices.choice().candidates()
    let number = DeviceNodes.number(ofBlockDevice: name)
    guard
      let candidate = candidates.first(where: {
        $0.name == name || number != nil && $0.number == number
      })
    else {
      guard number != nil else { throw CommandFailure("Cannot access device \(name).") }
      let why = devices.isGiven ? "not in devices list" : "rejected by filter config"
      throw CommandFailure("Cannot use \(name): device is \(why).")
    }
    do {
      return try candidate.open(access)
    } catch {
      throw CommandFailure("\(error)")
    }
  }

  /// Prints what is found.
  private func inspect(
    _ device: BlockDevice, _ dump: PhysicalVolumeInspection.Dump?
  ) throws -> PhysicalVolumeInspection {
    var inspection = try PhysicalVolumeInspection(device, labelSector: labelsector)
    if let dump {
      guard dump != .metadataArea || file != nil else {
        throw CommandFailure("Give the file for the metadata area with -f.")
      }
      try inspection.dump(dump, areaNumber: pvmetadatacopies)
    } else {
      inspection.check()
    }
    let isText = dump == .metadata || dump == .metadataArea
    for line in inspection.lines {
      if line.isError {
        Output.flush()
        Output.error("  \(line.text)")
      } else {
        Output.line("  \(line.text)")
      }
    }
    if let file, !inspection.content.isEmpty {
      var status = stat()
      // As LVM: nothing is overwritten, no device either.
      guard lstat(file, &status) != 0 else { throw CommandFailure("Failed to create file \(file)") }
      do {
        try replaceFile(file, with: inspection.content, permissions: 0o600)
      } catch {
        throw CommandFailure("\(error)")
      }
    } else if isText, !inspection.content.isEmpty {
      Output.line("  ---")
      Output.bytes(inspection.content)
      Output.line("")
      Output.line("  ---")
    }
    return inspection
  }

  private func repairLabel(_ device: BlockDevice) throws {
    let inspection = try PhysicalVolumeInspection(device, labelSector: labelsector)
    let lines = inspection.labelFindings
    for line in lines { Output.error("  \(line.text)") }
    guard let repair = inspection.labelRepair else {
      guard lines.isEmpty else {
        throw CommandFailure(
          "\(device.name) has no label whose areas could be trusted: use LVM's own pvck.")
      }
      return
    }
    Output.line("  Writing label_header.crc 0x\(String(repair.checksum, radix: 16))")
    guard !test else { return }
    guard yes || confirm("Write new label_header to \(device.name)? ") else {
      throw CommandFailure([])
    }
    try repair.write()
  }

  private func confirm(_ question: String) -> Bool {
    Output.flush()
    Output.error(question)
    return ["y", "yes"].contains(readLine()?.lowercased())
  }
}
