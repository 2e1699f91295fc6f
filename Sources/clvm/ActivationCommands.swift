import AdminProtocol
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
  var activationmode = Self.defaultMode

  static let defaultMode = ActivationOptions.Mode.degraded.rawValue

  @Flag(name: [.short, .long], help: "Do not ask.")
  var yes = false

  @Flag(help: "Lock nothing: no other command may be at work.")
  var nolocking = false

  @Flag(
    name: [.long, .customLong("sysinit")],
    help: "Go on without locks where there can be none, as early in the start of a system.")
  var ignorelockingfailure = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Of shared volume groups: on these nodes, or on all on which the group is started.",
      valueName: "all|NODE,...")) var nodes: String?

  @OptionGroup var daemon: DaemonOptions

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

extension ActivationArguments {
  static let discussion = """
    Volume groups of this machine need no daemon. Those that the cluster has started go to clvmd: here, or \
    with --nodes on all nodes that are named, or on none of them. -asy makes volumes active on several \
    nodes, -aey on one only; -ay is -aey on one node and -asy on several.
    """

  /// The same for shared volume groups.
  func sharedAction() throws -> (action: VolumeActivationRequest.Action, isAutomatic: Bool) {
    switch (activate, refresh) {
    case (nil, true): return (.refresh, false)
    case ("y"?, false), ("ly"?, false): return (.activate, false)
    case ("ay"?, false): return (.activate, true)
    case ("sy"?, false): return (.activateShared, false)
    case ("ey"?, false): return (.activateExclusively, false)
    case ("n"?, false), ("ln"?, false): return (.deactivate, false)
    default:
      _ = try request()
      throw ValidationError("Invalid argument for --activate: \(activate ?? "")")
    }
  }
}

struct LogicalVolumeChangeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lvchange",
    abstract: "Make logical volumes active or inactive.",
    usage:
      "clvm lvchange -a y|n|ay|sy|ey | --refresh [--nodes all|NODE,…] [--devices LIST] VG[/LV] …",
    discussion: ActivationArguments.discussion)

  @OptionGroup var arguments: ActivationArguments

  @Argument(help: "Logical volumes, or volume groups for all their volumes.")
  var names: [String]

  func run() throws {
    var shared = try SharedActivation("lvchange", arguments)
    let names = try shared.take(names)
    guard !names.isEmpty else { return try shared.carryOut() }
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
    try shared.carryOut()
    try activator.finish()
  }
}

struct VolumeGroupChangeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vgchange",
    abstract: "Make all logical volumes of volume groups active or inactive.",
    usage: "clvm vgchange -a y|n|ay|sy|ey | --refresh [--nodes all|NODE,…] [--devices LIST] [VG …]",
    discussion: ActivationArguments.discussion)

  @OptionGroup var arguments: ActivationArguments

  @Argument(help: "Only these volume groups.")
  var names: [String] = []

  func run() throws {
    var shared = try SharedActivation("vgchange", arguments)
    let isForShared = arguments.nodes != nil && names.isEmpty
    let names = isForShared ? try shared.takeAll() : try shared.take(names)
    if names.isEmpty, shared.isWanted { return try shared.carryOut() }
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
    try shared.carryOut()
    try activator.finish()
  }
}
