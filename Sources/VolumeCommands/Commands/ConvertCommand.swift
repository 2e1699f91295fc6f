import LVMMetadata

/// lvconvert, as far as the metadata alone decides.
public struct ConvertCommand: GroupCommand {
  public static let name = "lvconvert"
  public static let summary =
    "Make a raid1 of a linear volume, cache a volume, or note that a snapshot is to be merged."
  public static let usage = """
    lvconvert [--type raid1] -m N [OPTIONS] VG/LV [PV[:RANGE …] …]
      clvm lvconvert --type cache|writecache --cachevol FASTLV [OPTIONS] VG/LV
      clvm lvconvert --splitcache|--uncache VG/LV
      clvm lvconvert --merge VG/SNAPSHOT
    """
  public static let ownOptions: [CommandOption] = [
    .value("type", nil, "raid1, cache or writecache."),
    .value("mirrors", "m", "Copies beside the first one."),
    .value("regionsize", "R", "What is synchronised at once, MiB if no unit is given."),
    .value("alloc", nil, "contiguous, cling, cling_by_tags, normal, anywhere or inherit."),
    .value("cachevol", nil, "The volume that becomes the cache; what it holds is lost."),
    .value("chunksize", "c", "Of a cache, KiB if no unit is given."),
    .value("cachemode", nil, "writethrough, writeback or passthrough."),
    .value("cachepolicy", nil, "The policy of a cache."),
    .value("cachesettings", nil, "Settings of a cache, as KEY=NUMBER …."),
    .value("cachemetadataformat", nil, "2, which is what a cache volume has."),
    .value("poolmetadatasize", nil, "Of a cache, MiB if no unit is given."),
    .flag("splitcache", nil, "Take the cache away and keep it."),
    .flag("uncache", nil, "Take the cache away and remove it."),
    .flag("merge", nil, "Let a snapshot go back into its origin at the next activation."),
    .flag("mergesnapshot", nil, "The same for a thick snapshot."),
    .flag("mergethin", nil, "The same for a thin snapshot."),
    .value("interval", "i", "No effect."), .flag("background", "b", "No effect."),
    .flag("force", "f", "Do not ask."),
  ]

  private enum Kind: Sendable {
    case raid1(copyCount: Int, regionSectors: UInt64?)
    case cache(CacheRequest)
    case removeCache(removesCache: Bool)
    case merge
  }

  public var groupNames: [String]? { [group] }
  private let group: String
  private let volume: String
  private let kind: Kind
  private let allocation: AllocationChoice?
  private let physicalVolumes: [PhysicalVolumeArgument]?

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    guard let first = arguments.positional.first else {
      throw CommandLineError("Please provide the logical volume name")
    }
    (group, volume) = try CommandArguments.logicalVolume(first)
    kind = try Self.kind(arguments)
    allocation = try arguments.allocationPolicy()
    if case .raid1 = kind {
      physicalVolumes = try arguments.physicalVolumes(from: 1)
    } else {
      guard arguments.positional.count == 1 else {
        throw CommandLineError("Command does not accept argument: \(arguments.positional[1]).")
      }
      physicalVolumes = nil
    }
  }

  private static func kind(_ arguments: CommandArguments) throws(CommandLineError) -> Kind {
    let merges = ["merge", "mergesnapshot", "mergethin"].contains { arguments.has($0) }
    let given = [
      merges, arguments.has("splitcache"), arguments.has("uncache"), arguments.has("mirrors"),
      arguments.has("cachevol"),
    ].count { $0 }
    guard given == 1 else { throw .unsupported }
    if merges { return .merge }
    if arguments.has("splitcache") { return .removeCache(removesCache: false) }
    if arguments.has("uncache") { return .removeCache(removesCache: true) }
    if let cache = arguments.value("cachevol") {
      return .cache(try cacheRequest(arguments, over: cache))
    }
    guard let mirrors = try arguments.number("mirrors", in: 1...9),
      arguments.value("type") ?? "raid1" == "raid1"
    else { throw .unsupported }
    let region = try arguments.size("regionsize", unit: "m")
    if let region, region < 8 || region.nonzeroBitCount != 1 {
      throw .invalidArgument("regionsize", arguments.value("regionsize") ?? "")
    }
    return .raid1(copyCount: mirrors + 1, regionSectors: region)
  }

  private static func cacheRequest(
    _ arguments: CommandArguments, over cache: String
  ) throws(CommandLineError) -> CacheRequest {
    let fast = String(cache.split(separator: "/").last ?? "")
    var request: CacheRequest
    switch arguments.value("type") {
    case "cache": request = CacheRequest(.cache, over: fast)
    case "writecache": request = CacheRequest(.writecache, over: fast)
    default: throw .unsupported
    }
    request.chunkSectors = try arguments.size("chunksize", unit: "k")
    request.metadataSectors = try arguments.size("poolmetadatasize", unit: "m")
    if let mode = arguments.value("cachemode") {
      guard ["writethrough", "writeback", "passthrough"].contains(mode) else {
        throw .invalidArgument("cachemode", mode)
      }
      request.mode = mode
    }
    if let policy = arguments.value("cachepolicy") { request.policy = policy }
    if let format = arguments.value("cachemetadataformat"), format != "2", format != "auto" {
      throw CommandLineError("clvm makes caches with metadata format 2 only.")
    }
    for text in arguments.allValues("cachesettings") {
      for setting in text.split(separator: " ") {
        let parts = setting.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let value = Int64(parts[1]), value >= 0 else {
          throw .invalidArgument("cachesettings", text)
        }
        if request.kind == .writecache, parts[0] == "block_size" {
          guard value == 512 || value == 4096 else { throw .invalidArgument("cachesettings", text) }
          request.blockBytes = Int(value)
          continue
        }
        if request.kind == .writecache, !writecacheSettings.contains(String(parts[0])) {
          throw CommandLineError("Unknown writecache setting: \(parts[0])")
        }
        request.settings.append(.init(key: String(parts[0]), value: value))
      }
    }
    request.isForced = arguments.has("force") || arguments.has("yes")
    return request
  }

  /// Those that are numbers of their own in the metadata (lvm2-metadata 7.7).
  private static let writecacheSettings: Set<String> = [
    "high_watermark", "low_watermark", "writeback_jobs", "autocommit_blocks", "autocommit_time",
    "fua", "nofua", "cleaner", "max_age",
  ]

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    switch kind {
    case .raid1(let copyCount, let regionSectors):
      try edit.convertToRAID1(
        volume, copyCount: copyCount, policy: allocation, regionSectors: regionSectors,
        physicalVolumes: physicalVolumes)
    case .cache(let request): try edit.addCache(to: volume, request)
    case .removeCache(let removesCache):
      try edit.removeCache(from: volume, removesCache: removesCache)
    case .merge: try edit.merge(volume)
    }
  }
}

extension CommandLineError {
  fileprivate static let unsupported = CommandLineError(
    "clvm lvconvert makes raid1 of linear volumes (-m N), caches and write caches over a volume "
      + "(--type cache|writecache --cachevol), takes caches away (--splitcache, --uncache), and "
      + "merges snapshots (--merge): for all else use LVM's own lvconvert.")
}
