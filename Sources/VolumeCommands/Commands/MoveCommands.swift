import LVMMetadata

/// pvmove, of LVs that are not active.
public struct MoveCommand: GroupCommand {
  public static let name = "pvmove"
  public static let summary = "Move extents away from a physical volume."
  public static let usage = "pvmove [-n VG/LV] [--alloc POLICY] PV[:RANGE …] [PV[:RANGE …] …]"
  public static let ownOptions: [CommandOption] = [
    .value("name", "n", "Only extents of this logical volume."),
    .value("alloc", nil, "contiguous, cling, cling_by_tags, normal, anywhere or inherit."),
    .value("interval", "i", "No effect."),
    .flag("noudevsync", nil, "No effect."),
  ]

  /// The group of the source; the shell finds it.
  public var groupNames: [String]? { nil }
  /// The device whose group is meant.
  public let sourceDevice: String
  private var request: MoveRequest

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    guard let source = try arguments.physicalVolumes(from: 0)?.first,
      case .device(let device) = source.subject
    else {
      throw CommandLineError(
        "Please provide the physical volume to move from; to abort or to continue a pvmove, use "
          + "LVM's own.")
    }
    sourceDevice = device
    request = MoveRequest(
      source: source, destinations: try arguments.physicalVolumes(from: 1))
    request.volume = arguments.value("name").map { String($0.split(separator: "/").last ?? "") }
    request.allocation = try arguments.allocationPolicy()
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) { try edit.move(request) }
}
