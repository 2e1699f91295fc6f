import LVMMetadata

/// lvconvert, as far as the metadata alone decides.
public struct ConvertCommand: GroupCommand {
  public static let name = "lvconvert"
  public static let summary =
    "Make a raid1 of a linear volume, pools, caches and thin volumes of volumes; split and merge snapshots."
  public static let usage = """
    lvconvert [--type raid1] -m N [OPTIONS] VG/LV [PV[:RANGE …] …]
      clvm lvconvert --type cache|writecache --cachevol FASTLV [OPTIONS] VG/LV
      clvm lvconvert --type cache --cachepool POOL [OPTIONS] VG/LV
      clvm lvconvert --splitcache|--uncache VG/LV
      clvm lvconvert --type thin-pool|cache-pool [--poolmetadata LV] [OPTIONS] VG/LV [PV …]
      clvm lvconvert --type thin --thinpool POOL [--originname NAME] VG/LV
      clvm lvconvert --swapmetadata --poolmetadata LV VG/POOL
      clvm lvconvert --merge VG/SNAPSHOT
      clvm lvconvert --splitsnapshot VG/SNAPSHOT
      clvm lvconvert -s [-c SIZE] [-Z y|n] VG/ORIGIN LV
    """
  public static let ownOptions: [CommandOption] =
    [
      .value("type", nil, "raid1, cache, writecache, cache-pool, thin-pool, thin or snapshot."),
      .value("mirrors", "m", "Copies beside the first one; +N or -N."),
      .value("mirrorlog", nil, "core or disk, of type mirror."),
      .value("regionsize", "R", "What is synchronised at once, MiB if no unit is given."),
      .value("alloc", nil, "contiguous, cling, cling_by_tags, normal, anywhere or inherit."),
      .value("chunksize", "c", "Of a pool or a snapshot, KiB if no unit is given."),
      .value("poolmetadata", nil, "The volume that becomes a pool's metadata."),
      .value("poolmetadatasize", nil, "Of a pool, MiB if no unit is given."),
      .value("poolmetadataspare", nil, "y or n."),
      .flag("thin", "T", "Make a thin volume over the volume named."),
      .flag("cache", "H", "Like --type cache."),
      .value("thinpool", nil, "The thin pool, or the volume that becomes one."),
      .value("originname", nil, "How the origin of a thin volume is called from then on."),
      .value("discards", nil, "passdown, nopassdown or ignore."),
      .value("errorwhenfull", nil, "y or n."),
      .value(
        "zero", "Z", "y or n: zero new chunks of a thin pool; wipe what a cache or a snapshot held."
      ),
      .flag("splitcache", nil, "Take the cache away and keep it."),
      .flag("uncache", nil, "Take the cache away and remove it."),
      .flag("swapmetadata", nil, "Exchange the metadata of a pool that is not active."),
      .flag("snapshot", "s", "Let a volume be the snapshot of another."),
      .flag("splitsnapshot", nil, "Take a snapshot from its origin."),
      .flag("merge", nil, "Let a snapshot go back into its origin at the next activation."),
      .flag("mergesnapshot", nil, "The same for a thick snapshot."),
      .flag("mergethin", nil, "The same for a thin snapshot."),
      .flag("repair", nil, "Of RAID volumes: refused."), .value("replace", nil, "The same."),
      .value("splitmirrors", nil, "The same."), .flag("trackchanges", nil, "The same."),
      .value("name", "n", "Of what is split off."),
      .value("interval", "i", "No effect."), .flag("background", "b", "No effect."),
      .flag("force", "f", "Do not ask."),
    ] + CommandOption.cacheOptions

  private enum Kind: Sendable {
    case images(ImageConversion)
    case raid(RAIDConversion)
    case cache(CacheRequest)
    case cachePool(name: String, PoolConversion, zeroesMetadata: Bool?)
    case removeCache(removesCache: Bool)
    case pool(PoolConversion)
    case thin(pool: String, PoolConversion, originName: String?)
    case swapMetadata(volume: String)
    case merge
    case splitSnapshot
    case attachSnapshot(store: String, chunkSectors: UInt64, zeroes: Bool)
  }

  public var groupNames: [String]? { [group] }
  private let group: String
  private let volume: String
  private let kind: Kind
  /// Types of LVs that LVM takes, as it calls them; empty for all.
  private let volumeTypes: [Substring]
  private let allocation: AllocationChoice?
  private let physicalVolumes: [PhysicalVolumeArgument]?

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    // A pool may be named by its option alone.
    let alone = ["thinpool", "cachepool"].compactMap { arguments.value($0) }
    guard let first = arguments.positional.first ?? alone.first else {
      throw CommandLineError("Please provide the logical volume name")
    }
    (group, volume) = try CommandArguments.logicalVolume(first, Self.name)
    kind = try Self.kind(arguments)
    volumeTypes =
      arguments.positional.isEmpty
      ? [] : CommandSyntax(Self.name)?.volumeTypes(arguments) ?? []
    allocation = try arguments.allocationPolicy()
    switch kind {
    case .images, .pool, .raid: physicalVolumes = try arguments.physicalVolumes(from: 1)
    case .attachSnapshot: physicalVolumes = nil
    default:
      guard arguments.positional.count <= 1 else {
        throw CommandLineError("Command does not accept argument: \(arguments.positional[1]).")
      }
      physicalVolumes = nil
    }
  }

  // MARK: - What is asked for

  private static func kind(_ arguments: CommandArguments) throws(CommandLineError) -> Kind {
    let merges = ["merge", "mergesnapshot", "mergethin"].contains { arguments.has($0) }
    let actions = [
      merges, arguments.has("splitcache"), arguments.has("uncache"), arguments.has("mirrors"),
      arguments.has("cachevol"), arguments.has("swapmetadata"), arguments.has("splitsnapshot"),
      arguments.has("snapshot"), arguments.has("repair"), arguments.has("replace"),
      arguments.has("splitmirrors"),
    ].count { $0 }
    guard actions <= 1 else { throw .unsupported }
    if merges { return .merge }
    if arguments.has("splitcache") { return .removeCache(removesCache: false) }
    if arguments.has("uncache") { return .removeCache(removesCache: true) }
    if arguments.has("splitsnapshot") { return .splitSnapshot }
    if arguments.has("swapmetadata") {
      guard let metadata = arguments.value("poolmetadata") else { throw .noSyntax(name) }
      return .swapMetadata(volume: bareName(metadata))
    }
    let type = Self.requestedType(arguments)
    if arguments.has("snapshot") || type == "snapshot" { return try attachedSnapshot(arguments) }
    if let cache = arguments.value("cachevol") {
      return .cache(try cacheRequest(arguments, over: cache))
    }
    if arguments.has("repair") { return .raid(.repair) }
    if arguments.has("replace") { return .raid(.replace) }
    if arguments.has("splitmirrors") {
      return .raid(.split(tracksChanges: arguments.has("trackchanges")))
    }
    if arguments.has("mirrors") || arguments.has("mirrorlog") || type == "mirror" {
      return try images(arguments)
    }
    if let type, ["linear", "striped"].contains(type) || RAIDType(type) != nil {
      return .raid(.reshape(type: type))
    }
    if type == nil, let region = try regionSize(arguments) { return .raid(.regionSize(region)) }
    switch type ?? impliedType(arguments) {
    case "thin-pool": return .pool(try poolConversion(.thin, arguments))
    case "cache-pool": return .pool(try poolConversion(.cache, arguments))
    case "thin":
      guard let pool = arguments.value("thinpool") else { throw .noSyntax(name) }
      return .thin(
        pool: bareName(pool), try poolConversion(.thin, arguments),
        originName: arguments.value("originname").map(bareName))
    case "cache":
      guard let pool = arguments.value("cachepool") else { throw .noSyntax(name) }
      return .cachePool(
        name: bareName(pool), try poolConversion(.cache, arguments),
        zeroesMetadata: try arguments.bool("zero"))
    default: throw .unsupported
    }
  }

  private static func requestedType(_ arguments: CommandArguments) -> String? {
    arguments.value("type") ?? (arguments.has("cache") ? "cache" : nil)
  }

  /// What LVM takes the options for when there is no `--type`.
  private static func impliedType(_ arguments: CommandArguments) -> String? {
    let hasVolume = !arguments.positional.isEmpty
    if arguments.has("thinpool") {
      return hasVolume && arguments.has("thin") ? "thin" : hasVolume ? nil : "thin-pool"
    }
    if arguments.has("cachepool") { return hasVolume ? nil : "cache-pool" }
    return nil
  }

  /// What is said of mirrors, and of a linear volume that becomes one.
  private struct ImageConversion: Sendable {
    enum Copies: Sendable {
      case count(Int)
      case change(Int)
    }

    var type: String?
    var copies: Copies?
    var log: CreateRequest.MirrorLog?
    var regionSectors: UInt64?
  }

  private static func images(_ arguments: CommandArguments) throws(CommandLineError) -> Kind {
    var conversion = ImageConversion()
    conversion.type = arguments.value("type")
    if let text = arguments.value("mirrors") {
      let digits = text.drop { $0 == "+" || $0 == "-" }
      guard text.utf8.count - digits.utf8.count <= 1, let number = Int(digits), number <= 63 else {
        throw .invalidArgument("mirrors", text)
      }
      conversion.copies =
        text.hasPrefix("+")
        ? .change(number)
        : text.hasPrefix("-")
          ? .change(-number)
          : .count(number + 1)
    }
    if let text = arguments.value("mirrorlog") {
      guard let log = CreateRequest.MirrorLog(rawValue: text) else {
        throw CommandLineError("clvm lvconvert does not make mirror logs of type \(text).")
      }
      conversion.log = log
    }
    conversion.regionSectors = try regionSize(arguments)
    return .images(conversion)
  }

  private static func regionSize(
    _ arguments: CommandArguments
  ) throws(CommandLineError) -> UInt64? {
    try arguments.size("regionsize", unit: "m")
  }

  private static func cacheRequest(
    _ arguments: CommandArguments, over cache: String
  ) throws(CommandLineError) -> CacheRequest {
    var request: CacheRequest
    switch Self.requestedType(arguments) {
    case "cache": request = CacheRequest(.cache, over: bareName(cache))
    case "writecache": request = CacheRequest(.writecache, over: bareName(cache))
    default: throw .unsupported
    }
    if request.kind == .writecache {
      (request.blockBytes, request.settings) = try arguments.writecacheSettings()
    } else {
      request.options = try arguments.cacheOptions()
    }
    guard request.options.metadataFormat != 1 else {
      throw CommandLineError("Caches over a volume have metadata format 2 only.")
    }
    request.isForced = arguments.has("force") || arguments.has("yes")
    return request
  }

  private static func poolConversion(
    _ kind: PoolConversion.Kind, _ arguments: CommandArguments
  ) throws(CommandLineError) -> PoolConversion {
    var request = CreateRequest()
    request.cache = try arguments.cacheOptions()
    request.pool.chunkSectors = request.cache.chunkSectors
    request.pool.metadataSectors = request.cache.metadataSectors
    request.pool.hasSpare = try arguments.bool("poolmetadataspare") ?? true
    request.pool.failsWhenFull = try arguments.bool("errorwhenfull") ?? false
    if let discards = arguments.value("discards") {
      request.pool.discards = discards.lowercased()
    }
    let zeroes = try arguments.bool("zero") ?? true
    if kind == .thin { request.pool.zeroesNewBlocks = zeroes }
    var conversion = PoolConversion(kind, request)
    conversion.zeroesMetadata = zeroes
    conversion.metadataVolume = arguments.value("poolmetadata").map(bareName)
    return conversion
  }

  private static func attachedSnapshot(
    _ arguments: CommandArguments
  ) throws(CommandLineError) -> Kind {
    guard arguments.positional.count == 2 else { throw .noSyntax(name) }
    let chunk = try arguments.size("chunksize", unit: "k") ?? GroupEdit.defaultCOWChunkSectors
    return .attachSnapshot(
      store: bareName(arguments.positional[1]), chunkSectors: chunk,
      zeroes: try arguments.bool("zero") ?? true)
  }

  private static func bareName(_ path: String) -> String {
    String(path.split(separator: "/").last ?? "")
  }

  // MARK: - Doing it

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    try edit.checkType(of: volume, volumeTypes)
    switch kind {
    case .images(let conversion): try convertImages(conversion, &edit)
    case .raid(let conversion): try edit.refuse(conversion, of: volume)
    case .cache(let request): try edit.addCache(to: volume, request)
    case .cachePool(let pool, let conversion, let zeroesMetadata):
      try edit.addCache(to: volume, pool: pool, conversion, zeroesMetadata: zeroesMetadata)
    case .removeCache(let removesCache):
      try edit.removeCache(from: volume, removesCache: removesCache)
    case .pool(var conversion):
      conversion.request.physicalVolumes = physicalVolumes
      try edit.convertToPool(volume, conversion)
    case .thin(let pool, let conversion, let originName):
      guard let base = edit.group.logicalVolume(named: pool)?.segments.first?.baseType else {
        throw VolumeGroupRefusal("Thin pool \(pool) not found.")
      }
      if base != "thin-pool" {
        try edit.convertToPool(pool, conversion)
      }
      try edit.convertToThin(volume, pool: pool, originName: originName)
    case .swapMetadata(let other): try edit.swapPoolMetadata(of: volume, with: other)
    case .merge: try edit.merge(volume)
    case .splitSnapshot: try edit.splitSnapshot(volume)
    case .attachSnapshot(let store, let chunk, let zeroes):
      try edit.attachSnapshot(store, to: volume, chunk: chunk, zeroes: zeroes)
    }
  }

  private func convertImages(
    _ conversion: ImageConversion, _ edit: inout GroupEdit
  ) throws(VolumeGroupRefusal) {
    guard let current = edit.group.logicalVolume(named: volume)?.segments.first else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(group)/\(volume)\"")
    }
    let count: Int? =
      switch conversion.copies {
      case nil: nil
      case .count(let count)?: count
      case .change(let change)?: max((current.imageLayout?.images.count ?? 1) + change, 1)
      }
    if conversion.type == "mirror" || conversion.log != nil
      || conversion.type == nil && current.baseType == "mirror"
    {
      var request = CreateRequest()
      request.regionSectors = conversion.regionSectors
      request.allocation = allocation
      request.physicalVolumes = physicalVolumes
      let isNew = conversion.type == "mirror" && current.baseType != "mirror"
      return try edit.convertMirror(
        volume, copyCount: count ?? (isNew ? 2 : nil), log: conversion.log, request)
    }
    guard current.stripedLayout != nil, let count, count > 1,
      conversion.type ?? "raid1" == "raid1"
    else { return try edit.refuse(.reshape(type: conversion.type), of: volume) }
    guard count <= 10 else {
      throw VolumeGroupRefusal("Only up to 10 mirrors in raid1 supported currently.")
    }
    try edit.convertToRAID1(
      volume, copyCount: count, policy: allocation, regionSectors: conversion.regionSectors,
      physicalVolumes: physicalVolumes)
  }
}

extension CommandLineError {
  fileprivate static let unsupported = CommandLineError(
    "clvm lvconvert makes raid1 and mirrors of linear volumes (-m N), pools (--type thin-pool|cache-pool), thin "
      + "volumes over others (--type thin), caches and write caches (--type cache|writecache), takes "
      + "caches away (--splitcache, --uncache), splits, attaches and merges snapshots: for all else "
      + "use LVM's own lvconvert.")
}
