import LVMMetadata

/// What lvextend, lvreduce and lvresize share.
protocol SizingCommand: GroupCommand {
  static var direction: ResizeRequest.Direction { get }
  var group: String { get }
  var request: ResizeRequest { get }
  init(group: String, request: ResizeRequest)
}

extension SizingCommand {
  public var groupNames: [String]? { [group] }

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    guard let first = arguments.positional.first else { throw .noSyntax(Self.name) }
    let followsPolicy = arguments.has("usepolicies")
    let size = try followsPolicy ? nil : Self.sizes(arguments)
    guard first.contains("/") else {
      throw .usage(
        Self.name,
        VolumeName.isValid(first)
          ? "Please specify a logical volume path." : "Logical volume name \"\(first)\" is invalid."
      )
    }
    let (group, name) = try CommandArguments.logicalVolume(first, Self.name)
    var request = ResizeRequest(Self.direction, volume: name, size: size)
    request.followsPolicy = followsPolicy
    request.type = arguments.value("type")
    request.resizesFileSystem = arguments.has("resizefs")
    if !followsPolicy, let text = arguments.value("poolmetadatasize") {
      request.poolMetadataSize = try CommandArguments.sizeArgument("poolmetadatasize", text)
    }
    (request.stripeCount, request.stripeSectors) = try arguments.stripes(Self.name)
    request.copyCount = try arguments.number("mirrors", in: 0...63).map { $0 + 1 }
    request.allocation = try arguments.allocationPolicy()
    request.physicalVolumes = try arguments.physicalVolumes(from: 1)
    request.isSynchronised = !arguments.has("nosync")
    request.isForced = arguments.has("force") || arguments.has("yes")
    if request.type == "linear", request.stripeCount ?? 1 > 1 {
      throw .usage(Self.name, "Cannot use stripes with linear type.")
    }
    self.init(group: group, request: request)
  }

  /// `-L` or `-l`, after LVM's word on what may not be zero.
  private static func sizes(_ arguments: CommandArguments) throws(CommandLineError) -> SizeArgument?
  {
    try arguments.refuseZero(["extents", "poolmetadatasize", "size", "stripes", "stripesize"])
    guard !arguments.has("size") || !arguments.has("extents") else {
      throw .usage(Self.name, "Please specify either size or extents but not both.")
    }
    return try arguments.sizeArgument(Self.name)
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    try edit.resize(request)
  }
}

private let sizingOptions: [CommandOption] = [
  .value("size", "L", "The new size, or with + or - the difference; MiB if no unit is given."),
  .value("extents", "l", "The same in extents, or as a percentage of VG, FREE, PVS, LV, ORIGIN."),
  .flag("force", "f", "Override what is only a precaution."),
  .flag("nofsck", "n", "No effect."),
  .flag("resizefs", "r", "Refused: the file system is resized by its own tools."),
]

private let growingOptions: [CommandOption] = [
  .value("poolmetadatasize", nil, "The same for the metadata of a thin pool."),
  .value("stripes", "i", "Stripes of the new segment."),
  .value("stripesize", "I", "Size of a stripe, KiB if no unit is given."),
  .value("alloc", nil, "contiguous, cling, cling_by_tags, normal, anywhere or inherit."),
  .flag("nosync", nil, "Take new extents of a mirror for equal."),
  .value("type", nil, "The volume's type, which it must have."),
]

/// lvextend.
public struct ExtendCommand: SizingCommand {
  public static let name = "lvextend"
  public static let summary = "Make a logical volume larger."
  public static let usage = "lvextend -L|-l [+]SIZE [OPTIONS] VG/LV [PV[:RANGE …] …]"
  public static let ownOptions =
    sizingOptions + growingOptions + [
      .value("mirrors", "m", "Copies: as many as there are."),
      .flag("usepolicies", nil, "By the policy of lvm.conf, of a pool or a snapshot."),
    ]
  static let direction = ResizeRequest.Direction.extend
  let group: String
  let request: ResizeRequest
}

/// lvreduce.
public struct ReduceCommand: SizingCommand {
  public static let name = "lvreduce"
  public static let summary = "Make a logical volume smaller."
  public static let usage = "lvreduce -L|-l [-]SIZE VG/LV"
  public static let ownOptions = sizingOptions
  static let direction = ResizeRequest.Direction.reduce
  let group: String
  let request: ResizeRequest
}

/// lvresize.
public struct ResizeCommand: SizingCommand {
  public static let name = "lvresize"
  public static let summary = "Give a logical volume another size."
  public static let usage = "lvresize -L|-l [+|-]SIZE [OPTIONS] VG/LV [PV[:RANGE …] …]"
  public static let ownOptions = sizingOptions + growingOptions
  static let direction = ResizeRequest.Direction.either
  let group: String
  let request: ResizeRequest
}
