import LVMMetadata

/// lvcreate.
public struct CreateCommand: GroupCommand {
  public static let name = "lvcreate"
  public static let summary = "Create a logical volume."
  public static let usage =
    "lvcreate -L SIZE|-l EXTENTS [-n NAME] [--type TYPE] [OPTIONS] VG [PV[:RANGE …] …]"
  public static let ownOptions: [CommandOption] = [
    .value("name", "n", "The new volume's name."),
    .value("size", "L", "Size, MiB if no unit is given."),
    .value("extents", "l", "Size in extents, or a percentage of VG, FREE, PVS or ORIGIN."),
    .value("virtualsize", "V", "Size of a thin volume."),
    .value("type", nil, "linear, striped, mirror, raid…, snapshot, thin-pool or thin."),
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
    .value("chunksize", "c", "Of a snapshot or a thin pool, KiB if no unit is given."),
    .value("poolmetadatasize", nil, "Of a thin pool, MiB if no unit is given."),
    .value("poolmetadataspare", nil, "y or n."),
    .value("discards", nil, "passdown, nopassdown or ignore."),
    .value("errorwhenfull", nil, "y or n."),
    .value("alloc", nil, "contiguous, cling, cling_by_tags, normal, anywhere or inherit."),
    .value("contiguous", "C", "y or n."),
    .value("activate", "a", "y, n, ay, ey, sy …: whether it is active afterwards."),
    .value("zero", "Z", "y or n: zero the start of the volume; of a pool, its new chunks."),
    .value("wipesignatures", "W", "y or n."),
    .value("permission", "p", "r or rw."),
    .value("readahead", "r", "auto, none or a number of sectors."),
    .value("persistent", "M", "y or n: fixed minor number."),
    .value("minor", nil, "The minor number."), .value("major", nil, "Ignored, as by LVM."),
    .value("setactivationskip", "k", "y or n."),
    .flag("ignoreactivationskip", "K", "Activate all the same."),
    .value("setautoactivation", nil, "y or n."), .value("addtag", nil, "A tag."),
    .flag("ignoremonitoring", nil, "No effect."), .value("monitor", nil, "No effect."),
  ]

  public var groupNames: [String]? { [group] }
  private let group: String
  private var request = CreateRequest()
  /// `-s` of a volume that may be thin: only the group tells.
  private var snapshotOrigin: String?
  /// A thin volume to be made together with its pool.
  private var thinVolume: CreateRequest?
  private var ignoredMajor: String?

  public init(_ arguments: CommandArguments) throws(CommandLineError) {
    request.size = try arguments.sizeArgument(Self.name)
    if request.size?.sign == .decrease {
      throw CommandLineError(
        "Size may not be negative.", "Error during parsing of command line.")
    }
    request.virtualSectors = try arguments.size("virtualsize", unit: "m")
    var (group, target) = try Self.place(arguments)
    if let name = arguments.value("name") {
      if name.contains("/") {
        let parts = try CommandArguments.logicalVolume(name)
        guard group == nil || group == parts.group else {
          throw CommandLineError("Inconsistent volume group names given: \"\(group ?? "")\"")
        }
        (group, request.name) = (parts.group, parts.name)
      } else {
        request.name = name
      }
    }
    if let name = request.name { try CommandLineError.checkNewName(name, command: Self.name) }
    guard let group else { throw .noSyntax(Self.name) }
    self.group = group
    try readKind(arguments, target: target)
    try readLayout(arguments)
    try readAttributes(arguments)
    let needsSize =
      switch request.kind {
      case .thin, .thinSnapshot: false
      default: snapshotOrigin == nil
      }
    guard request.size != nil || !needsSize else { throw .noSyntax(Self.name) }
    // A name given with -n stands in place of the group when the group came with it.
    let isGroupFirst = !arguments.positional.isEmpty
    request.physicalVolumes = try arguments.physicalVolumes(from: isGroupFirst ? 1 : 0)
  }

  /// The group, and the LV that the first argument names.
  private static func place(
    _ arguments: CommandArguments
  ) throws(CommandLineError) -> (group: String?, volume: String?) {
    guard let first = arguments.positional.first else { return (nil, nil) }
    if let group = CommandArguments.volumeGroup(first) { return (group, nil) }
    let parts = try CommandArguments.logicalVolume(first)
    return (parts.group, parts.name)
  }

  private mutating func readKind(
    _ arguments: CommandArguments, target: String?
  ) throws(CommandLineError) {
    let mirrors = try arguments.number("mirrors", in: 0...63)
    request.copyCount = mirrors.map { $0 + 1 }
    let type = arguments.value("type")
    if arguments.has("snapshot") || type == "snapshot" {
      guard let target else {
        throw CommandLineError("Please specify a logical volume to act as the snapshot origin.")
      }
      if request.size != nil {
        request.kind = .snapshot(origin: target)
      } else {
        snapshotOrigin = target
      }
      return
    }
    if arguments.has("thin") || arguments.has("thinpool") || type == "thin-pool" || type == "thin" {
      return try readThin(arguments, target: target, type: type)
    }
    switch type {
    case "linear", "striped": request.kind = .striped
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
      throw CommandLineError(
        "clvm lvcreate does not make volumes of type \(type): use LVM's own lvcreate.")
    }
    if case .striped = request.kind { request.copyCount = nil }
    if case .raid(let type) = request.kind, let stripes = try arguments.stripes(Self.name).count,
      let raid = RAIDType(type), !raid.isRAID1
    {
      let least = raid.parityCount == 2 ? 3 : 2
      guard stripes >= least else {
        throw .usage(Self.name, "Minimum of \(least) stripes required for \(type).")
      }
    }
  }

  private mutating func readThin(
    _ arguments: CommandArguments, target: String?, type: String?
  ) throws(CommandLineError) {
    let pool =
      arguments.value("thinpool").map { String($0.split(separator: "/").last ?? "") }
      ?? target
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

  private func mirrorLog(
    _ arguments: CommandArguments
  ) throws(CommandLineError) -> CreateRequest.MirrorLog {
    guard let text = arguments.value("mirrorlog") else { return .disk }
    guard let log = CreateRequest.MirrorLog(rawValue: text) else {
      throw CommandLineError("clvm lvcreate does not make mirror logs of type \(text).")
    }
    return log
  }

  private mutating func readLayout(_ arguments: CommandArguments) throws(CommandLineError) {
    (request.stripeCount, request.stripeSectors) = try arguments.stripes(Self.name)
    request.regionSectors = try arguments.size("regionsize", unit: "m")
    if let region = request.regionSectors, region < 8 || region.nonzeroBitCount != 1 {
      throw CommandLineError(
        "Region size \(DisplayUnit.message(sectors: region)) must be a power of two and at least "
          + "4.00 KiB.")
    }
    let chunk = try arguments.size("chunksize", unit: "k")
    request.chunkSectors = chunk
    request.pool.chunkSectors = chunk
    request.pool.metadataSectors = try arguments.size("poolmetadatasize", unit: "m")
    request.pool.hasSpare = try arguments.bool("poolmetadataspare") ?? true
    if let discards = arguments.value("discards") {
      guard ["passdown", "nopassdown", "ignore"].contains(discards) else {
        throw .invalidArgument("discards", discards)
      }
      request.pool.discards = discards
    }
    request.pool.failsWhenFull = try arguments.bool("errorwhenfull") ?? false
    request.allocation = try arguments.allocationPolicy()
    request.isSynchronised = !arguments.has("nosync")
    request.recoveryRates = (
      try arguments.number("minrecoveryrate", in: 0...Int(Int32.max)),
      try arguments.number("maxrecoveryrate", in: 0...Int(Int32.max))
    )
  }

  private mutating func readAttributes(_ arguments: CommandArguments) throws(CommandLineError) {
    let zero = try arguments.bool("zero")
    request.zeroes = zero ?? true
    if let zero, case .thinPool = request.kind { request.pool.zeroesNewBlocks = zero }
    _ = try arguments.bool("wipesignatures")
    switch arguments.value("permission") {
    case nil, "rw": break
    case "r": request.isWritable = false
    case let text?: throw .invalidArgument("permission", text)
    }
    request.activates = try Activation(arguments)?.isActivation ?? true
    request.readAheadSectors = try arguments.readAhead()?.sectors
    if try arguments.bool("persistent") == true {
      guard let minor = try arguments.number("minor", in: 0...1_048_575) else {
        throw CommandLineError("Please specify minor number with --minor when using -My.")
      }
      request.minor = Int32(minor)
      ignoredMajor = arguments.value("major")
    }
    request.skipsActivation = try arguments.bool("setactivationskip")
    if request.skipsActivation == true, !arguments.has("ignoreactivationskip") {
      request.activates = false
    }
    request.autoactivates = try arguments.bool("setautoactivation") ?? true
    request.tags = try arguments.tags("addtag")
  }

  public func apply(to edit: inout GroupEdit) throws(VolumeGroupRefusal) {
    var request = request
    if let major = ignoredMajor {
      edit.warn(
        "WARNING: Ignoring supplied major number \(major) - kernel assigns major numbers "
          + "dynamically. Using major number \(GroupEdit.deviceMapperMajor) instead.")
    }
    if let origin = snapshotOrigin {
      let volume = edit.group.logicalVolume(named: origin)
      guard volume == nil || volume?.segments.first?.baseType == "thin" else {
        throw VolumeGroupRefusal("Please specify either size or extents with snapshots.")
      }
      request.kind = .thinSnapshot(origin: origin)
    }
    if !request.isSynchronised {
      edit.warn("WARNING: New mirror won't be synchronised. Don't read what you didn't write!")
    }
    guard var thin = thinVolume else { return try edit.create(request) }
    request.name = request.name ?? edit.generatedName("lvol")
    try edit.createPoolQuietly(request)
    thin.kind = .thin(pool: request.name ?? "")
    thin.activates = request.activates
    thin.tags = request.tags
    try edit.create(thin)
  }
}

/// The value of `-a` (lvm2's dm-activation).
public struct Activation: Sendable, Equatable {
  /// y, n, ay, ey, sy, ly …
  public let word: String

  init?(_ arguments: CommandArguments) throws(CommandLineError) {
    guard let text = arguments.value("activate") else { return nil }
    guard Self.words.contains(text) else { throw .invalidArgument("activate", text) }
    word = text
  }

  public var isActivation: Bool { !word.hasSuffix("n") }

  private static let words: Set<String> = [
    "y", "n", "ay", "ya", "ey", "en", "sy", "ly", "ln", "aay",
  ]
}
