import AdminProtocol
import ArgumentParser
import Glibc
import LVMMetadata
import VolumeReports

/// What `lvextend` and `lvreduce` have in common.
struct ResizeOptions: ParsableArguments {
  @OptionGroup var daemon: DaemonOptions

  @Option(
    name: [.customShort("L", allowingJoined: true), .long], parsing: .unconditional,
    help: "The new size, or with + or - the difference: a number with a unit of bskmgtpe.")
  var size: String?

  @Option(
    name: [.customShort("l", allowingJoined: true), .long], parsing: .unconditional,
    help: "The same in extents, or as a percentage of VG, FREE, PVS, LV or ORIGIN.")
  var extents: String?

  @Option(name: .long, help: "Only look at these devices, separated by commas.")
  var devices: [String] = []

  @Flag(name: [.short, .long], help: "Do not ask.")
  var yes = false

  @Flag(name: [.short, .long], help: "Override what is only a precaution; implies --yes.")
  var force = false

  @Flag(name: [.short, .long], help: "Decide everything, change nothing.")
  var test = false

  @Argument(help: "The logical volume: VG/LV or its path below /dev.")
  var logicalVolume: String

  func sizeArgument() throws -> SizeArgument {
    switch (size, extents) {
    case (let text?, nil):
      do throws(InvalidSize) { return try SizeArgument(size: text) } catch {
        throw ValidationError(error.message ?? "Invalid argument for --size: \(text)")
      }
    case (nil, let text?):
      do throws(InvalidSize) { return try SizeArgument(extents: text) } catch {
        throw ValidationError(error.message ?? "Invalid argument for --extents: \(text)")
      }
    default: throw ValidationError("Please specify either size or extents (not both).")
    }
  }

  func request(_ command: ResizeRequest.Command, _ pvs: [String]) throws -> ResizeRequest {
    let (group, volume) = try VolumePath.parse(logicalVolume)
    return ResizeRequest(
      command: command, volumeGroup: group, logicalVolume: volume, size: try sizeArgument(),
      physicalVolumes: pvs,
      devices: devices.flatMap { $0.split(separator: ",").map(String.init) }, isTest: test)
  }

  func perform(_ request: ResizeRequest) throws {
    let reply = try daemon.perform(.resize(request))
    guard case .resized(let outcome) = reply else { throw daemon.unexpected(reply) }
    for warning in outcome.warnings { Output.error("  WARNING: \(warning)") }
    if daemon.json {
      Output.json(outcome.json)
    } else {
      Output.lines(outcome.lines)
    }
  }
}

struct ExtendCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lvextend",
    abstract: "Make a logical volume larger on all nodes at once.",
    usage: "clvm lvextend -L|--size [+]SIZE | -l|--extents [+]EXTENTS VG/LV [PV …]")

  @OptionGroup var options: ResizeOptions

  @Option(name: .long, help: "contiguous, cling, cling_by_tags, normal, anywhere or inherit.")
  var alloc: String?

  @Option(name: [.customShort("i"), .long], help: "Stripes of the new segment.")
  var stripes: UInt32?

  @Option(name: [.customShort("I"), .customLong("stripesize")], help: "Size of a stripe, in KiB.")
  var stripeSize: String?

  @Argument(help: "Only use free extents of these: PV[:FIRST-LAST] or @TAG.")
  var physicalVolumes: [String] = []

  func run() throws {
    var request = try options.request(.extend, physicalVolumes)
    guard request.size.sign != .decrease else {
      throw ValidationError("Size may not be negative.")
    }
    request.allocation = alloc
    request.stripes = stripes
    request.stripeSizeSectors = try stripeSize.map(Self.stripeSizeSectors)
    try options.perform(request)
  }

  /// LVM's default unit for stripes is KiB.
  private static func stripeSizeSectors(_ text: String) throws -> UInt32 {
    guard let size = try? SizeArgument(size: text, defaultUnit: "k"), size.sign == .absolute,
      case .sectors(let sectors) = size.amount, let narrow = UInt32(exactly: sectors)
    else { throw ValidationError("Invalid argument for --stripesize: \(text)") }
    return narrow
  }
}

struct ReduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lvreduce",
    abstract: "Make a logical volume smaller on all nodes at once.",
    usage: "clvm lvreduce -L|--size [-]SIZE | -l|--extents [-]EXTENTS VG/LV")

  @OptionGroup var options: ResizeOptions

  func run() throws {
    let request = try options.request(.reduce, [])
    guard request.size.sign != .increase else {
      throw ValidationError("Positive sign not permitted.")
    }
    if !options.yes && !options.force && !options.test { try confirm(request) }
    try options.perform(request)
  }

  private func confirm(_ request: ResizeRequest) throws {
    let name = "\(request.volumeGroup)/\(request.logicalVolume)"
    Output.error("  WARNING: Reducing active logical volume \(name).")
    Output.error("  THIS MAY DESTROY YOUR DATA (filesystem etc.)")
    let question = "Do you really want to reduce \(name)? [y/n]: "
    write(STDERR_FILENO, question, question.utf8.count)
    guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
      throw CommandFailure("Logical volume \(name) NOT reduced.")
    }
  }
}

extension ResizeOutcome {
  var lines: [String] {
    let name = "\(volumeGroup)/\(logicalVolume)"
    let old = SizeUnits.humanReadable.text(bytes: oldSizeBytes, style: .spaced)
    let new = SizeUnits.humanReadable.text(bytes: newSizeBytes, style: .spaced)
    var lines = [
      "  Size of logical volume \(name) changed from \(old) (\(oldExtents) extents) to \(new) "
        + "(\(newExtents) extents)."
    ]
    if !suspensions.isEmpty {
      let times = suspensions.map { "\($0.milliseconds) ms on node \($0.node)" }
      lines.append("  Suspended for " + times.joined(separator: ", ") + ".")
    }
    return lines + ["  Logical volume \(name) successfully resized."]
  }

  var json: JSONValue {
    .object([
      ("vg_name", .string(volumeGroup)), ("lv_name", .string(logicalVolume)),
      ("old_size", .unsigned(oldSizeBytes)), ("new_size", .unsigned(newSizeBytes)),
      ("old_extents", .unsigned(oldExtents)), ("new_extents", .unsigned(newExtents)),
      (
        "nodes",
        .array(
          suspensions.map {
            .object([("node", $0.node.json), ("suspended_ms", .unsigned($0.milliseconds))])
          })
      ),
      ("warnings", .array(warnings.map { .string($0) })),
    ])
  }
}
