/// Options that lvcreate takes for a form of its command line, and refuses all the same for the type of
/// the new volume, before it looks at a disk.
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

  // MARK: - Options that LVM refuses by type

  func check() throws(CommandLineError) {
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
    arguments.optionNames.first { options.contains($0) }
  }
}
