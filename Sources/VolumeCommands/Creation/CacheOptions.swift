import ConfigText
import LVMMetadata

/// What a command line says about a cache (lvm2-metadata 7.6); nil is the default.
public struct CacheOptions: Sendable {
  public struct Setting: Sendable, Equatable {
    public var key: String
    public var value: Int64
  }

  public var chunkSectors: UInt64?
  public var metadataSectors: UInt64?
  /// "writethrough", "writeback" or "passthrough".
  public var mode: String?
  public var policy: String?
  /// 1 or 2.
  public var metadataFormat: Int?
  /// Of the policy, in order.
  public var settings: [Setting] = []

  public init() {}

  /// The bounds of chunks, in sectors; they are multiples of the least.
  static let chunkRange: ClosedRange<UInt64> = 64...2 << 20

  /// What LVM says against a chunk size, in sectors.
  static func problems(ofChunk chunk: UInt64) -> [String] {
    let size = DisplayUnit.message(sectors: chunk)
    let least = DisplayUnit.message(sectors: chunkRange.lowerBound)
    var problems: [String] = []
    if !chunkRange.contains(chunk) {
      problems.append(
        "Cache chunk size \(size) is not in the range \(least) to "
          + "\(DisplayUnit.message(sectors: chunkRange.upperBound)).")
    }
    if !chunk.isMultiple(of: chunkRange.lowerBound) {
      problems.append("Cache chunk size \(size) must be a multiple of \(least).")
    }
    return problems
  }

  /// `policy_settings` of the text; nil when there are none.
  var settingsSection: ConfigSection? {
    guard !settings.isEmpty else { return nil }
    var section = ConfigSection()
    for setting in settings { section.append(setting.key, number: setting.value) }
    return section
  }
}

extension CommandOption {
  /// What says how a cache works.
  static let cacheOptions: [CommandOption] = [
    .value("cachepool", nil, "The cache pool."),
    .value("cachevol", nil, "The volume that becomes the cache; what it holds is lost."),
    .value("cachemode", nil, "writethrough, writeback or passthrough."),
    .value("cachepolicy", nil, "The policy of a cache."),
    .value("cachesettings", nil, "Settings of a cache, as KEY=NUMBER …."),
    .value("cachemetadataformat", nil, "1, 2 or auto."),
  ]
}

extension CommandArguments {
  /// What is said of a cache. The settings of a write cache are read by themselves.
  func cacheOptions() throws(CommandLineError) -> CacheOptions {
    var options = CacheOptions()
    options.chunkSectors = try size("chunksize", unit: "k")
    options.metadataSectors = try size("poolmetadatasize", unit: "m")
    options.mode = value("cachemode")?.lowercased()
    options.policy = value("cachepolicy")
    options.metadataFormat = value("cachemetadataformat").flatMap(Int.init).flatMap {
      $0 == 0 ? nil : $0
    }
    options.settings = try cacheSettings()
    return options
  }

  /// What `--cachesettings` says of a write cache: the size of its blocks, and the rest.
  func writecacheSettings() throws(CommandLineError) -> (
    blockBytes: Int?, settings: [CacheOptions.Setting]
  ) {
    var blockBytes: Int?
    var settings: [CacheOptions.Setting] = []
    for setting in try cacheSettings() {
      if setting.key == "block_size" {
        guard setting.value == 512 || setting.value == 4096 else {
          throw .invalidArgument("cachesettings", "block_size=\(setting.value)")
        }
        blockBytes = Int(setting.value)
        continue
      }
      guard Self.writecacheKeys.contains(setting.key) else {
        throw CommandLineError("Unknown writecache setting: \(setting.key)")
      }
      settings.append(setting)
    }
    return (blockBytes, settings)
  }

  /// Those that are numbers of their own in the metadata (lvm2-metadata 7.7).
  private static let writecacheKeys: Set<String> = [
    "high_watermark", "low_watermark", "writeback_jobs", "autocommit_blocks", "autocommit_time",
    "fua", "nofua", "cleaner", "max_age",
  ]

  func cacheSettings() throws(CommandLineError) -> [CacheOptions.Setting] {
    var settings: [CacheOptions.Setting] = []
    for (key, value, text) in try cacheSettingsOrDefaults() {
      guard let value else { throw .invalidArgument("cachesettings", text) }
      settings.append(.init(key: key, value: value))
    }
    return settings
  }

  /// The keys, their values, nil for "default", and the arguments that they stand in.
  private func cacheSettingsOrDefaults() throws(CommandLineError) -> [(String, Int64?, String)] {
    var settings: [(String, Int64?, String)] = []
    for text in allValues("cachesettings") {
      for setting in text.split(separator: " ") {
        let parts = setting.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else {
          throw .invalidArgument("cachesettings", text)
        }
        let value = Int64(parts[1])
        guard value ?? -1 >= 0 || parts[1] == "default" else {
          throw .invalidArgument("cachesettings", text)
        }
        settings.append((String(parts[0]), value, text))
      }
    }
    return settings
  }

  /// What lvchange is told about a cache.
  func cacheChange() throws(CommandLineError) -> CacheChange {
    var change = CacheChange()
    change.mode = value("cachemode")?.lowercased()
    change.policy = value("cachepolicy")
    change.settings = try cacheSettingsOrDefaults().map { ($0.0, $0.1) }
    return change
  }
}
