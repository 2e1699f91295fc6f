import LVMMetadata

/// lvcreate.
public struct CreateCommand: GroupCommand {
  public static let name = "lvcreate"
  public static let summary = "Create a logical volume."
  public static let usage =
    "lvcreate -L SIZE|-l EXTENTS [-n NAME] [--type TYPE] [OPTIONS] VG [PV[:RANGE …] …]"
  public static let ownOptions: [CommandOption] =
    [
      .value("name", "n", "The new volume's name."),
      .value("size", "L", "Size, MiB if no unit is given."),
      .value("extents", "l", "Size in extents, or a percentage of VG, FREE, PVS or ORIGIN."),
      .value("virtualsize", "V", "Size of a thin volume."),
      .value(
        "type", nil,
        "linear, striped, mirror, raid…, snapshot, thin-pool, thin, cache-pool, cache, writecache, error "
          + "or zero."),
      .value("stripes", "i", "Data stripes."),
      .value("stripesize", "I", "Size of a stripe, KiB if no unit is given."),
      .value("mirrors", "m", "Copies beside the first one."),
      .value("mirrorlog", nil, "core or disk, of type mirror."),
      .flag("nosync", nil, "Take the copies for equal."),
      .value("regionsize", "R", "What is synchronised at once, MiB if no unit is given."),
      .value("minrecoveryrate", nil, "KiB a second and device."),
      .value("maxrecoveryrate", nil, "KiB a second and device."),
      .flag("snapshot", "s", "Make a snapshot of the volume named."),
      .flag("thin", "T", "Make a thin pool, or a thin volume in it."),
      .value("thinpool", nil, "The thin pool to make, or to use."),
      .value("chunksize", "c", "Of a snapshot or a pool, KiB if no unit is given."),
      .value("poolmetadatasize", nil, "Of a pool, MiB if no unit is given."),
      .value("poolmetadataspare", nil, "y or n."),
      .value("discards", nil, "passdown, nopassdown or ignore."),
      .value("errorwhenfull", nil, "y or n."),
      .value("alloc", nil, "contiguous, cling, cling_by_tags, normal, anywhere or inherit."),
      .value("contiguous", "C", "y or n."),
      .value("activate", "a", "y, n, ay, ey, sy …: whether it is active afterwards."),
      .value("zero", "Z", "y or n: zero the start of the volume; of a pool, its new chunks."),
      .value("wipesignatures", "W", "y or n: wipe what others would take its contents for."),
      .value("permission", "p", "r or rw."),
      .value("readahead", "r", "auto, none or a number of sectors."),
      .value("persistent", "M", "y or n: fixed minor number."),
      .value("minor", nil, "The minor number."), .value("major", nil, "Ignored, as by LVM."),
      .value("setactivationskip", "k", "y or n."),
      .flag("ignoreactivationskip", "K", "Activate all the same."),
      .value("setautoactivation", nil, "y or n."), .value("addtag", nil, "A tag."),
      .value("metadataprofile", nil, "Attach the profile of this name."),
      .flag("ignoremonitoring", nil, "No effect."), .value("monitor", nil, "No effect."),
      .flag("cache", "H", "Like --type cache."),
    ] + CommandOption.cacheOptions

  public var groupNames: [String]? { [group] }
  private let group: String
  private var request = CreateRequest()
  /// `-s` of a volume that may be thin: only the group tells.
  private var snapshotOrigin: String?
  /// A thin volume to be made together with its pool.
  private var thinVolume: CreateRequest?
  private var ignoredMajor: String?

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    try CreateOptionRules(arguments).check()
    let (named, target) = try Self.names(arguments)
    request.name = named.volume
    group = named.group
    try arguments.refuseZero([
      "chunksize", "extents", "size", "stripes", "stripesize", "virtualsize",
    ])
    request.size = try arguments.sizeArgument(Self.name)
    if request.size?.sign == .decrease {
      throw CommandLineError(
        "Size may not be negative.", "Error during parsing of command line.")
    }
    request.virtualSectors = try arguments.size("virtualsize", unit: "m")
    try readKind(arguments, target: target)
    try readLayout(arguments)
    try readAttributes(arguments)
    let needsSize =
      switch request.kind {
      case .thin, .thinSnapshot, .thinOver: false
      default: snapshotOrigin == nil
      }
    guard request.size != nil || !needsSize else { throw .noSyntax(Self.name) }
    // A name given with -n stands in place of the group when the group came with it.
    let isGroupFirst = !arguments.positional.isEmpty
    request.physicalVolumes = try arguments.physicalVolumes(from: isGroupFirst ? 1 : 0)
  }

  /// What names say, in the order in which LVM looks at them.
  ///
  /// - Returns: the group with the new LV's name, and the LV that the first argument names.
  private static func names(
    _ arguments: CommandArguments
  ) throws(CommandLineError) -> (named: (group: String, volume: String?), target: String?) {
    var group: String?
    func note(_ other: String) throws(CommandLineError) {
      guard group == nil || group == other else {
        throw .usage(
          name, "Inconsistent volume group names given: \"\(group ?? "")\" and \"\(other)\"")
      }
      group = other
    }
    var volume = arguments.value("name")
    if let text = volume, text.contains("/") {
      let parts = try CommandArguments.logicalVolume(text, name)
      try note(parts.group)
      volume = parts.name
    }
    if let volume { try CommandLineError.checkNewName(volume, command: name) }
    for option in ["thinpool", "cachepool"] {
      guard let text = arguments.value(option), text.contains("/") else { continue }
      try note(try CommandArguments.logicalVolume(text, name).group)
    }
    var target: String?
    if let first = arguments.positional.first {
      if let named = CommandArguments.volumeGroup(first) {
        try note(named)
      } else {
        let parts = try CommandArguments.logicalVolume(first, name)
        try note(parts.group)
        target = parts.name
      }
    }
    guard let known = group else { throw .noSyntax(name) }
    guard VolumeName.isValid(known) else {
      throw .usage(name, "Volume group name \(known) has invalid characters")
    }
    return (named: (group: known, volume: volume), target: target)
  }

  private mutating func readKind(
    _ arguments: CommandArguments, target: String?
  ) throws(CommandLineError) {
    let mirrors = try arguments.number("mirrors", in: 0...63)
    request.copyCount = mirrors.map { $0 + 1 }
    let type =
      arguments.value("type") ?? (CreateOptionRules.impliesCache(arguments) ? "cache" : nil)
    if let type, ["cache-pool", "cache", "writecache"].contains(type) {
      return try readCache(arguments, target: target, type: type)
    }
    let isSparse = arguments.has("virtualsize") && type == nil
    if type == "snapshot" || arguments.has("snapshot") && !isSparse {
      guard let target else {
        throw .usage(Self.name, "The origin name should include the volume group.")
      }
      if request.size != nil {
        request.kind = .snapshot(origin: target)
      } else if let pool = arguments.value("thinpool") {
        request.kind = .thinOver(externalOrigin: target, pool: Self.bareName(pool))
      } else {
        snapshotOrigin = target
      }
      return
    }
    if isSparse || arguments.has("thin") || arguments.has("thinpool") || type == "thin-pool"
      || type == "thin"
    {
      return try readThin(arguments, target: target, type: type)
    }
    switch type {
    case "linear", "striped": request.kind = .striped
    case "error", "zero": request.kind = .unmapped(type ?? "")
    case "mirror": request.kind = .mirror(log: try mirrorLog(arguments))
    case let type? where RAIDType(type) != nil: request.kind = .raid(type)
    case nil:
      let stripes = try arguments.stripes(Self.name).count ?? 1
      if arguments.has("mirrorlog") {
        request.kind = .mirror(log: try mirrorLog(arguments))
      } else if let mirrors, mirrors > 0 {
        request.kind = .raid(stripes > 1 ? "raid10" : "raid1")
      }
    case let type?:
      let reason =
        type.hasPrefix("vdo")
        ? ", which the program vdoformat formats through their mapped device" : ""
      throw CommandLineError(
        "clvm lvcreate does not make volumes of type \(type)\(reason): use LVM's own lvcreate.")
    }
    if case .striped = request.kind { request.copyCount = nil }
  }

  private mutating func readThin(
    _ arguments: CommandArguments, target: String?, type: String?
  ) throws(CommandLineError) {
    let named = arguments.value("thinpool").map(Self.bareName)
    let pool = named ?? target
    let isVolume = request.virtualSectors != nil
    let kind = isVolume ? "thin" : "thin-pool"
    if let named, let target, named != target {
      throw .usage(Self.name, "Ambiguous \(kind) name specified, \(target) and \(named).")
    }
    if request.size != nil, !isVolume, let name = request.name, let pool, name != pool {
      throw .usage(Self.name, "Ambiguous \(kind) name specified, \(name) and \(pool).")
    }
    for option in ["alloc", "contiguous"] where request.size == nil && arguments.has(option) {
      request.problem = "--\(option) is only available when creating thin pool."
      break
    }
    if request.size != nil, isVolume, arguments.has("readahead") {
      request.problem =
        "Ambigous --readahead parameter specified. Please use either with pool or volume."
    }
    if request.size != nil, !isVolume, arguments.has("minor") {
      request.problem = "Persistent major and minor numbers are unsupported with pools."
    }
    if request.size != nil {
      guard type != "thin" || request.virtualSectors != nil else {
        throw CommandLineError("--type thin needs --virtualsize.")
      }
      request.kind = .thinPool
      if request.virtualSectors != nil {
        var thin = CreateRequest()
        thin.name = request.name
        thin.virtualSectors = request.virtualSectors
        thinVolume = thin
        request.name = pool
      } else {
        request.name = request.name ?? pool
      }
    } else if request.virtualSectors != nil, let pool {
      request.kind = .thin(pool: pool)
    } else {
      throw CommandLineError(
        "Please specify the size of the thin pool (-L, -l) or of a thin volume (-V) in a pool.")
    }
  }

  private mutating func readCache(
    _ arguments: CommandArguments, target: String?, type: String
  ) throws(CommandLineError) {
    guard type != "writecache" else {
      guard let fast = arguments.value("cachevol") else { throw .noSyntax(Self.name) }
      let (blockBytes, settings) = try arguments.writecacheSettings()
      request.writecacheSettings = settings
      request.kind = .cached(
        by: .volume(Self.bareName(fast), blockBytes: blockBytes, isWritecache: true))
      return
    }
    request.cache = try arguments.cacheOptions()
    if type == "cache-pool" {
      request.kind = .cachePool
      let named = arguments.value("cachepool").map(Self.bareName) ?? target
      if let named, let name = request.name, named != name {
        throw .usage(Self.name, "Ambiguous cache-pool name specified, \(name) and \(named).")
      }
      request.name = request.name ?? named
    } else if let pool = arguments.value("cachepool"), target == nil {
      request.kind = .cached(by: .pool(Self.bareName(pool)))
    } else if let fast = arguments.value("cachevol"), target == nil {
      request.kind = .cached(
        by: .volume(Self.bareName(fast), blockBytes: nil, isWritecache: false))
    } else if let target, !arguments.has("cachevol") {
      request.kind = .cachePoolOver(volume: target)
      request.name = request.name ?? arguments.value("cachepool").map(Self.bareName)
    } else {
      throw .usage(
        Self.name,
        "Creation of cached volume and cache pool in one command is not yet supported.")
    }
  }

  private static func bareName(_ path: String) -> String {
    String(path.split(separator: "/").last ?? "")
  }

  private func mirrorLog(
    _ arguments: CommandArguments
  ) throws(CommandLineError) -> CreateRequest.MirrorLog {
    guard let text = arguments.value("mirrorlog") else { return .disk }
    guard let log = CreateRequest.MirrorLog(rawValue: text) else {
      throw CommandLineError("clvm lvcreate does not make mirror logs of type \(text).")
    }
    return log
  }

  private func checkChunk(_ chunk: UInt64?) throws(CommandLineError) {
    guard let chunk else { return }
    switch request.kind {
    case .snapshot:
      guard (8...1024).contains(chunk), chunk.nonzeroBitCount == 1 else {
        throw .usage(Self.name, "Chunk size must be a power of 2 in the range 4K to 512K.")
      }
    case .thinPool, .cachePool, .cachePoolOver, .cached:
      let problems =
        request.kind == .thinPool
        ? GroupEdit.problems(ofPoolChunk: chunk) : CacheOptions.problems(ofChunk: chunk)
      guard problems.isEmpty else {
        throw CommandLineError(problems + ["Run `\(Self.name) --help' for more information."])
      }
    default: return
    }
  }

  /// How many copies and stripes a mirror or a RAID volume may have, and of what it is told.
  private func checkImages(_ arguments: CommandArguments) throws(CommandLineError) {
    let type: String
    switch request.kind {
    case .raid(let name): type = name
    case .mirror: type = "mirror"
    default: return
    }
    let raid = RAIDType(type)
    let isMirrored = raid.map { $0.isRAID1 || $0.isRAID10 } ?? true
    let copies = request.copyCount
    if let copies {
      guard copies <= 2 || raid?.isRAID10 != true else {
        throw .usage(
          Self.name, "RAID10 currently supports only 2-way mirroring (i.e. '-m 1')")
      }
      guard copies > 1 || !isMirrored else {
        throw .usage(Self.name, "--mirrors must be at least 1 with segment type \(type).")
      }
    }
    let most = raid == nil ? 8 : raid?.isRAID1 == true ? 10 : 64 - (raid?.parityCount ?? 0)
    if isMirrored, raid?.isRAID10 != true, let copies, copies > most {
      throw .usage(Self.name, "Only up to \(most) mirrors in \(type) supported currently.")
    }
    let stripes = request.stripeCount
    if let stripes, raid != nil, raid?.isRAID1 != true {
      let per = raid?.isRAID10 == true ? 2 : 1
      guard stripes * per <= most else {
        throw .usage(Self.name, "Only up to \(most / per) stripes in \(type) supported currently.")
      }
    }
    guard request.isSynchronised || raid?.parityCount != 2 else {
      throw .usage(Self.name, "nosync option prohibited on RAID6.")
    }
    guard let raid else { return }
    if raid.isRAID1, let stripes, stripes > 1 {
      throw .usage(Self.name, "Stripes argument cannot be used with segment type, \(type)")
    }
    if !raid.isRAID1, let stripes {
      let least = raid.parityCount == 2 ? 3 : 2
      guard stripes >= least else {
        throw .usage(Self.name, "Minimum of \(least) stripes required for \(type).")
      }
    }
    guard isMirrored || !arguments.has("mirrors") else {
      throw .usage(Self.name, "Mirror argument cannot be used with segment type, \(type)")
    }
    let rates = [try arguments.rate("minrecoveryrate"), try arguments.rate("maxrecoveryrate")]
    guard raid.isRAID0 || (rates[0] ?? 0) <= (rates[1] ?? 0) else {
      throw .usage(Self.name, "Minimum recovery rate cannot be higher than maximum.")
    }
  }

  private mutating func readLayout(_ arguments: CommandArguments) throws(CommandLineError) {
    (request.stripeCount, request.stripeSectors) = try arguments.stripes(Self.name)
    request.regionSectors = try arguments.size("regionsize", unit: "m")
    let chunk = try arguments.size("chunksize", unit: "k")
    guard chunk != 0 else { throw .usage(Self.name, "--chunksize may not be zero.") }
    try checkChunk(chunk)
    request.chunkSectors = chunk
    request.pool.chunkSectors = chunk
    request.pool.metadataSectors = try arguments.size("poolmetadatasize", unit: "m")
    request.pool.hasSpare = try arguments.bool("poolmetadataspare") ?? true
    if let discards = arguments.value("discards") {
      request.pool.discards = discards.lowercased()
    }
    request.pool.failsWhenFull = try arguments.bool("errorwhenfull") ?? false
    request.allocation = try arguments.allocationPolicy()
    request.isSynchronised = !arguments.has("nosync")
    try checkImages(arguments)
    request.recoveryRates = (
      try arguments.rate("minrecoveryrate"), try arguments.rate("maxrecoveryrate")
    )
  }

  private mutating func readAttributes(_ arguments: CommandArguments) throws(CommandLineError) {
    let zero = try arguments.bool("zero")
    request.zeroes = zero ?? true
    let wipes = try arguments.bool("wipesignatures")
    request.wipesSignatures = wipes
    request.mustZero = zero ?? wipes ?? false
    if let zero, case .thinPool = request.kind { request.pool.zeroesNewBlocks = zero }
    request.isWritable = arguments.value("permission") != "r"
    request.activates = Activation(arguments)?.isActivation ?? true
    request.activatesOnRequest = request.activates
    request.readAheadSectors = try arguments.readAhead()?.sectors
    request.warning = try arguments.readAheadWarning()
    if try arguments.bool("persistent") == true {
      ignoredMajor = arguments.value("major")
      if let minor = try arguments.number("minor", in: 0...Int(Int32.max)) {
        if minor > 1_048_575 {
          request.problem = "Minor number \(minor) outside range 0-1048575."
        } else {
          request.minor = Int32(minor)
        }
      } else {
        request.problem = "Please specify minor number with --minor when using -My."
      }
    }
    request.skipsActivation = try arguments.bool("setactivationskip")
    if request.skipsActivation == true, !arguments.has("ignoreactivationskip") {
      request.activates = false
      request.isActivationSkipped = true
    }
    request.autoactivates = try arguments.bool("setautoactivation") ?? true
    request.tags = try arguments.tags("addtag")
    request.profile = arguments.metadataProfile
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    var request = request
    if let major = ignoredMajor {
      edit.warn(
        "WARNING: Ignoring supplied major number \(major) - kernel assigns major numbers "
          + "dynamically. Using major number \(GroupEdit.deviceMapperMajor) instead.")
    }
    if let warning = request.warning { edit.warn(warning) }
    if let problem = request.problem { throw VolumeGroupRefusal(problem) }
    if let obstacle = request.zeroingObstacle {
      // LVM makes nothing, and its status is that of success.
      edit.warn(obstacle)
      edit.isUnchanged = true
      return
    }
    if let origin = snapshotOrigin {
      let volume = edit.group.logicalVolume(named: origin)
      guard volume == nil || volume?.segments.first?.baseType == "thin" else {
        throw VolumeGroupRefusal("Please specify either size or extents with snapshots.")
      }
      request.kind = .thinSnapshot(origin: origin)
    }
    guard let thin = thinVolume else { return try edit.create(request) }
    // The pool gets the first name that is free, the volume its own or the next one; what is said of
    // a volume is said of the thin one.
    var pool = CreateRequest()
    (pool.kind, pool.name, pool.size) = (.thinPool, request.name, request.size)
    (pool.stripeCount, pool.stripeSectors) = (request.stripeCount, request.stripeSectors)
    (pool.allocation, pool.physicalVolumes) = (request.allocation, request.physicalVolumes)
    pool.pool = request.pool
    let poolName = try edit.createPoolQuietly(pool)
    var all = request
    (all.kind, all.name) = (.thin(pool: poolName), thin.name)
    (all.size, all.virtualSectors) = (nil, thin.virtualSectors)
    (all.allocation, all.physicalVolumes) = (nil, nil)
    try edit.create(all)
  }
}

/// The value of `-a` (lvm2's dm-activation).
public struct Activation: Sendable, Equatable {
  /// y, n, ay, ey, sy, ly …
  public let word: String

  init?(_ arguments: CommandArguments) {
    guard let text = arguments.value("activate") else { return nil }
    word = text
  }

  public var isActivation: Bool { !word.contains("n") }
}
