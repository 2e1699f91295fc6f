import ArgumentParser
import VolumeActivation

/// What `lvchange` and `vgchange` have in common where they make volumes active or inactive.
struct ActivationArguments: ParsableArguments {
  @OptionGroup var devices: DeviceOptions

  @Option(
    name: [.customShort("a", allowingJoined: true), .long],
    help: "y, or n to deactivate; ay leaves out what is not to be activated automatically.")
  var activate: String?

  @Flag(name: .long, help: "Load the tables of active volumes again where they differ.")
  var refresh = false

  @Flag(
    name: [.customShort("K"), .long],
    help: "Also activate volumes that are marked to be skipped.")
  var ignoreactivationskip = false

  @Option(name: .long, help: "What to do about missing devices: complete, degraded or partial.")
  var activationmode = ActivationOptions.Mode.degraded.rawValue

  @Flag(name: [.short, .long], help: "Do not ask.")
  var yes = false

  @Flag(help: "Lock nothing: no other command may be at work.")
  var nolocking = false

  @Flag(
    name: [.long, .customLong("sysinit")],
    help: "Go on without locks where there can be none, as early in the start of a system.")
  var ignorelockingfailure = false

  /// LVM's words. In a volume group of one host all ways to be active are the same.
  func request() throws -> ActivationRequest {
    guard let mode = ActivationOptions.Mode(rawValue: activationmode) else {
      throw ValidationError("Invalid argument for --activationmode: \(activationmode)")
    }
    let action: ActivationRequest.Action
    switch (activate, refresh) {
    case (nil, true): action = .refresh
    case (nil, false): throw ValidationError("One of -a and --refresh must be given.")
    case (_?, true): throw ValidationError("Only one of -a and --refresh permitted.")
    case ("y"?, false), ("ey"?, false), ("sy"?, false), ("ly"?, false): action = .activate
    case ("ay"?, false): action = .activateAutomatically
    case ("n"?, false), ("ln"?, false): action = .deactivate
    case (let text?, false): throw ValidationError("Invalid argument for --activate: \(text)")
    }
    return ActivationRequest(
      action: action, mode: mode, ignoresActivationSkip: ignoreactivationskip)
  }
}

struct LogicalVolumeChangeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lvchange",
    abstract: "Make logical volumes active or inactive on this machine.",
    usage: "clvm lvchange -a y|n|ay | --refresh [--devices LIST] VG[/LV] …",
    discussion: "Needs no daemon; volume groups that a cluster shares are refused.")

  @OptionGroup var arguments: ActivationArguments

  @Argument(help: "Logical volumes, or volume groups for all their volumes.")
  var names: [String]

  func run() throws {
    let request = try arguments.request()
    var activator = try VolumeActivator(arguments)
    for name in names {
      if let group = VolumePath.volumeGroup(name) {
        activator.carryOut(request, group: group)
      } else {
        let (group, volume) = try VolumePath.parse(name)
        activator.carryOut(request, group: group, volume: volume)
      }
    }
    try activator.finish()
  }
}

struct VolumeGroupChangeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vgchange",
    abstract: "Make all logical volumes of volume groups active or inactive on this machine.",
    usage: "clvm vgchange -a y|n|ay | --refresh [--devices LIST] [VG …]",
    discussion: "Needs no daemon; volume groups that a cluster shares are refused.")

  @OptionGroup var arguments: ActivationArguments

  @Argument(help: "Only these volume groups.")
  var names: [String] = []

  func run() throws {
    let request = try arguments.request()
    for name in names where VolumePath.volumeGroup(name) == nil {
      throw ValidationError("\(name) is not the name of a volume group.")
    }
    var activator = try VolumeActivator(arguments)
    let groups =
      names.isEmpty ? try activator.groupNames() : names.compactMap(VolumePath.volumeGroup)
    for group in groups {
      if let count = activator.carryOut(request, group: group), request.action != .refresh {
        Output.line("  \(count) logical volume(s) in volume group \"\(group)\" now active")
      }
    }
    try activator.finish()
  }
}
