/// Which options lvcreate takes for which type of volume; LVM's refuses all others by name, before it
/// looks at a disk.
struct CreateOptionRules {
  private enum Form {
    case plain, linear, striped, mirror, raid, mirrored, snapshot, typedSnapshot
    case thinPool, newThin, thin, thinSnapshot
    case cachePool, cache
  }

  private let arguments: CommandArguments
  private let form: Form

  init(_ arguments: CommandArguments) {
    self.arguments = arguments
    form = Self.form(of: arguments)
  }

  /// True for what stands for `--type cache`.
  static func impliesCache(_ arguments: CommandArguments) -> Bool {
    arguments.has("cache") || arguments.has("cachepool")
  }

  private static func form(of arguments: CommandArguments) -> Form {
    let hasSize = arguments.has("size") || arguments.has("extents")
    let isThin = arguments.has("thin") || arguments.has("thinpool")
    switch arguments.value("type") {
    case "linear", "error", "zero": return .linear
    case "striped": return .striped
    case "mirror": return .mirror
    case "snapshot": return .typedSnapshot
    case "thin-pool": return .thinPool
    case "cache-pool": return .cachePool
    case "cache", "writecache": return .cache
    case "thin": return hasSize ? .newThin : .thin
    case let type? where type.hasPrefix("raid"): return .raid
    case _?: return .plain
    case nil: break
    }
    if impliesCache(arguments) { return .cache }
    if arguments.has("snapshot"), !arguments.has("virtualsize") {
      return hasSize ? .snapshot : .thinSnapshot
    }
    if isThin || arguments.has("virtualsize") { return hasSize ? .newThin : .thin }
    if let copies = arguments.value("mirrors"), copies != "0" { return .mirrored }
    return arguments.has("stripes") ? .striped : .plain
  }

  // MARK: - Options that a form does not have

  private static let pool = [
    "chunksize", "discards", "errorwhenfull", "poolmetadatasize", "poolmetadataspare",
  ]
  private static let rates = ["maxrecoveryrate", "minrecoveryrate"]
  private static let thin = ["snapshot", "thin", "thinpool", "virtualsize"]

  private static let cache = [
    "cache", "cachemetadataformat", "cachemode", "cachepolicy", "cachepool", "cachesettings",
    "cachevol",
  ]

  private var foreignOptions: [String] {
    switch form {
    case .cachePool, .cache:
      Self.rates + Self.thin + ["discards", "errorwhenfull", "mirrorlog", "mirrors", "regionsize"]
        + (form == .cache ? [] : ["cache", "cachevol"])
    default: Self.cache + otherForeignOptions
    }
  }

  private var otherForeignOptions: [String] {
    switch form {
    case .cachePool, .cache: []
    case .plain: Self.pool + Self.rates + ["mirrorlog", "regionsize", "stripesize"]
    case .linear:
      Self.pool + Self.rates + Self.thin
        + ["mirrorlog", "mirrors", "regionsize", "stripes", "stripesize"]
    case .striped: Self.pool + Self.rates + ["mirrorlog", "regionsize"]
    case .mirror: Self.pool + Self.rates + Self.thin
    case .raid: Self.pool + Self.thin + ["mirrorlog"]
    case .mirrored: Self.pool + Self.thin
    case .snapshot, .typedSnapshot:
      Self.pool.filter { $0 != "chunksize" } + Self.rates
        + ["mirrorlog", "mirrors", "regionsize", "thin"]
        + (form == .snapshot ? [] : ["thinpool"])
    case .thinPool:
      Self.rates + ["mirrorlog", "mirrors", "regionsize", "snapshot", "virtualsize"]
    case .newThin: Self.rates + ["mirrorlog", "mirrors", "regionsize"]
    case .thin:
      Self.pool + Self.rates
        + ["mirrorlog", "mirrors", "regionsize", "snapshot", "stripes", "stripesize"]
    case .thinSnapshot:
      Self.pool + Self.rates + ["mirrorlog", "mirrors", "regionsize", "stripes", "stripesize"]
    }
  }

  /// How many arguments the form has beside PVs; nil where PVs may follow.
  private var argumentCountMax: Int? {
    switch form {
    case .thin, .thinSnapshot: 1
    case .linear where ["error", "zero"].contains(arguments.value("type")): 1
    default: nil
    }
  }

  func check() throws(CommandLineError) {
    let foreign = Set(foreignOptions)
    var lines: [String] = []
    for option in CreateCommand.ownOptions.inLVMsOrder
    where foreign.contains(option.name) && arguments.has(option.name) {
      let value = arguments.value(option.name) ?? ""
      if option.name == "mirrors", value == "0" { continue }
      lines.append(
        "Command does not accept option: --\(option.name)\(option.takesValue ? " \(value)" : "").")
    }
    if let most = argumentCountMax, arguments.positional.count > most {
      for word in arguments.positional.dropFirst(most) {
        lines.append("Command does not accept argument: \(word).")
      }
    }
    guard lines.isEmpty else { throw CommandLineError(lines) }
    try checkUnsupported()
  }

  // MARK: - Options that LVM refuses by type

  private func checkUnsupported() throws(CommandLineError) {
    switch form {
    case .snapshot, .typedSnapshot, .thinSnapshot:
      try refuse(
        ["nosync", "setautoactivation", "wipesignatures", "zero"],
        "is unsupported with snapshots.")
    case .mirror: try refuse(["setautoactivation"], "is unsupported with mirrors.")
    case .mirrored:
      try refuseOnly(["mirrorlog"], "is supported only with mirrors.")
      try refuse(["setautoactivation"], "is unsupported with raids.")
    case .raid: try refuse(["setautoactivation"], "is unsupported with raids.")
    case .newThin: try refuse(["nosync", "setautoactivation"], "is unsupported with thins.")
    case .thin:
      try refuse(["nosync", "setautoactivation"], "is unsupported with thins.")
      try refuseOnly(["zero"], "is supported only with thin pool creation.")
    case .thinPool:
      try refuse(
        [
          "errorwhenfull", "major", "minor", "nosync", "setautoactivation", "thin",
          "wipesignatures",
        ], "is unsupported with thin pools.")
      guard arguments.value("permission") != "r" else {
        throw .usage(CreateCommand.name, "Cannot create read-only thin pool.")
      }
    case .cachePool:
      try refuse(
        [
          "major", "minor", "nosync", "setautoactivation", "stripes", "stripesize",
          "wipesignatures", "zero",
        ], "is unsupported with cache pools.")
      guard arguments.value("permission") != "r" else {
        throw .usage(CreateCommand.name, "Cannot create read-only cache pool.")
      }
    case .plain, .linear, .striped, .cache:
      try refuseOnly(["nosync"], "is supported only with mirrors or raids.")
    }
  }

  private func refuse(_ options: [String], _ words: String) throws(CommandLineError) {
    guard let option = first(of: options) else { return }
    throw .usage(CreateCommand.name, "Option --\(option) \(words)")
  }

  private func refuseOnly(_ options: [String], _ words: String) throws(CommandLineError) {
    guard let option = first(of: options) else { return }
    throw .usage(CreateCommand.name, "--\(option) \(words)")
  }

  private func first(of options: [String]) -> String? {
    CreateCommand.ownOptions.inLVMsOrder.first {
      options.contains($0.name) && arguments.has($0.name)
    }?.name
  }
}

extension [CommandOption] {
  /// LVM goes through options without a letter first, by name, and then through the others by letter.
  var inLVMsOrder: [CommandOption] {
    sorted { left, right in
      switch (left.letter, right.letter) {
      case (nil, nil): return left.name < right.name
      case (nil, _?): return true
      case (_?, nil): return false
      case (let first?, let second?):
        let order = (first.lowercased(), second.lowercased())
        return order.0 == order.1 ? first > second : order.0 < order.1
      }
    }
  }
}
