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

/// lvconvert -m of linear LVs.
public struct ConvertCommand: GroupCommand {
  public static let name = "lvconvert"
  public static let summary = "Make a raid1 of a linear logical volume."
  public static let usage = "lvconvert [--type raid1] -m N [OPTIONS] VG/LV [PV[:RANGE …] …]"
  public static let ownOptions: [CommandOption] = [
    .value("type", nil, "raid1."), .value("mirrors", "m", "Copies beside the first one."),
    .value("regionsize", "R", "What is synchronised at once, MiB if no unit is given."),
    .value("alloc", nil, "contiguous, cling, cling_by_tags, normal, anywhere or inherit."),
    .value("interval", "i", "No effect."), .flag("background", "b", "No effect."),
    .flag("force", "f", "No effect."),
  ]

  public var groupNames: [String]? { [group] }
  private let group: String
  private let volume: String
  private let copyCount: Int
  private let regionSectors: UInt64?
  private let allocation: AllocationChoice?
  private let physicalVolumes: [PhysicalVolumeArgument]?

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    guard let first = arguments.positional.first else {
      throw CommandLineError("Please provide the logical volume name")
    }
    (group, volume) = try CommandArguments.logicalVolume(first)
    guard let mirrors = try arguments.number("mirrors", in: 1...9),
      arguments.value("type") ?? "raid1" == "raid1"
    else {
      throw CommandLineError(
        "clvm lvconvert only makes raid1 of linear volumes (-m N): use LVM's own lvconvert.")
    }
    copyCount = mirrors + 1
    regionSectors = try arguments.size("regionsize", unit: "m")
    if let region = regionSectors, region < 8 || region.nonzeroBitCount != 1 {
      throw .invalidArgument("regionsize", arguments.value("regionsize") ?? "")
    }
    allocation = try arguments.allocationPolicy()
    physicalVolumes = try arguments.physicalVolumes(from: 1)
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    try edit.convertToRAID1(
      volume, copyCount: copyCount, policy: allocation, regionSectors: regionSectors,
      physicalVolumes: physicalVolumes)
  }
}
