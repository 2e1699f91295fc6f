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
    guard CommandArguments.volumeGroup(first) == nil else {
      throw .usage(Self.name, "Please specify a logical volume path.")
    }
    let (group, name) = try CommandArguments.logicalVolume(first)
    var request = ResizeRequest(
      Self.direction, volume: name, size: try arguments.sizeArgument(Self.name))
    try Self.checkSign(of: request.size, arguments)
    if let text = arguments.value("poolmetadatasize") {
      request.poolMetadataSize = try CommandArguments.sizeArgument("poolmetadatasize", text)
    }
    (request.stripeCount, request.stripeSectors) = try arguments.stripes(Self.name)
    request.copyCount = try arguments.number("mirrors", in: 0...63).map { $0 + 1 }
    request.allocation = try arguments.allocationPolicy()
    request.physicalVolumes = try arguments.physicalVolumes(from: 1)
    request.isSynchronised = !arguments.has("nosync")
    request.isForced = arguments.has("force") || arguments.has("yes")
    guard
      request.size != nil || request.poolMetadataSize != nil
        || (request.physicalVolumes != nil && Self.direction != .reduce)
    else {
      throw .noSyntax(Self.name)
    }
    self.init(group: group, request: request)
  }

  private static func checkSign(
    of size: SizeArgument?, _ arguments: CommandArguments
  ) throws(CommandLineError) {
    let forbidden: SizeArgument.Sign? =
      switch direction {
      case .extend: .decrease
      case .reduce: .increase
      case .either: nil
      }
    guard let size, size.sign == forbidden else { return }
    let option = arguments.has("size") ? "size" : "extents"
    let word = size.sign == .decrease ? "negative" : "positive"
    throw CommandLineError(
      "\(option == "size" ? "Size" : "Extents") may not be \(word).",
      "Invalid argument for --\(option): \(arguments.value(option) ?? "")",
      "Error during parsing of command line.")
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
]

private let growingOptions: [CommandOption] = [
  .value("poolmetadatasize", nil, "The same for the metadata of a thin pool."),
  .value("stripes", "i", "Stripes of the new segment."),
  .value("stripesize", "I", "Size of a stripe, KiB if no unit is given."),
  .value("alloc", nil, "contiguous, cling, cling_by_tags, normal, anywhere or inherit."),
  .flag("nosync", nil, "Take new extents of a mirror for equal."),
]

/// lvextend.
public struct ExtendCommand: SizingCommand {
  public static let name = "lvextend"
  public static let summary = "Make a logical volume larger."
  public static let usage = "lvextend -L|-l [+]SIZE [OPTIONS] VG/LV [PV[:RANGE …] …]"
  public static let ownOptions =
    sizingOptions + growingOptions + [.value("mirrors", "m", "Copies: as many as there are.")]
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
