import ConfigText
import Glibc

/// The settings of LVM on this host: lvm.conf, what lvmlocal.conf says otherwise, and above both
/// what a command line says with `--config`.
public struct LVMConfiguration: Sendable {
  /// `LVM_SYSTEM_DIR`, or /etc/lvm.
  public let systemDirectory: String
  /// The first that has a setting decides.
  private let layers: [ConfigSection]

  /// Plenty for lvm.conf, whose comments are long.
  private static let limits = ConfigLimits(byteCount: 4 << 20, depth: 8, itemCount: 100_000)

  /// Reads the files; one that does not exist sets nothing.
  ///
  /// - Parameters:
  ///   - systemDirectory: nil takes `LVM_SYSTEM_DIR` or /etc/lvm, as LVM does.
  ///   - override: the text of `--config`.
  ///   - commandProfile: the name of a profile, whose settings go before those of the files.
  /// - Throws: when a file cannot be read or is no configuration text: settings that cannot be
  ///   understood must not turn into defaults.
  public init(
    systemDirectory: String? = nil, override: String? = nil, commandProfile: String? = nil
  ) throws(LVMConfigurationError) {
    let directory = systemDirectory ?? Self.standardDirectory
    var layers: [ConfigSection] = []
    if let override { layers.append(try Self.parse(Array(override.utf8), of: "--config")) }
    if let commandProfile {
      layers.append(
        try Self.profile(commandProfile, .command, layers, systemDirectory: directory))
    }
    // An empty LVM_SYSTEM_DIR means that there are no files.
    if !directory.isEmpty {
      for name in ["lvmlocal.conf", "lvm.conf"] {
        if let layer = try Self.read("\(directory)/\(name)") { layers.append(layer) }
      }
    }
    self.systemDirectory = directory
    self.layers = layers
  }

  /// What a profile is for.
  private enum ProfileKind: String {
    case command
    case metadata
  }

  /// Throws unless there is a profile of that name which metadata can name.
  public func checkMetadataProfile(_ name: String) throws(LVMConfigurationError) {
    _ = try Self.profile(name, .metadata, layers, systemDirectory: systemDirectory)
  }

  private static func profile(
    _ name: String, _ kind: ProfileKind, _ layers: [ConfigSection], systemDirectory: String
  ) throws(LVMConfigurationError) -> ConfigSection {
    guard !name.contains("/") else {
      throw LVMConfigurationError(source: name, problem: "bad profile name, it contains '/'.")
    }
    var folder = layers.lazy.compactMap { $0.value("config/profile_dir")?.asString }.first
    if folder == nil, !systemDirectory.isEmpty {
      for file in ["lvmlocal.conf", "lvm.conf"] where folder == nil {
        folder = try read("\(systemDirectory)/\(file)")?.value("config/profile_dir")?.asString
      }
    }
    let path = "\(folder ?? "\(systemDirectory)/profile")/\(name).profile"
    guard let section = try read(path) else {
      throw LVMConfigurationError(
        source: path,
        problem: "stat failed: No such file or directory",
        consequence: "Failed to apply \(kind.rawValue) profile \(name).")
    }
    return section
  }

  public static var standardDirectory: String {
    getenv("LVM_SYSTEM_DIR").map { String(cString: $0) } ?? "/etc/lvm"
  }

  private static func read(_ path: String) throws(LVMConfigurationError) -> ConfigSection? {
    do {
      return try parse(try SystemFile.read(path), of: path)
    } catch let error as SystemFileError {
      if error.code == ENOENT { return nil }
      throw LVMConfigurationError(source: path, problem: "\(error)")
    } catch let error as LVMConfigurationError {
      throw error
    } catch {
      throw LVMConfigurationError(source: path, problem: "\(error)")
    }
  }

  private static func parse(
    _ text: [UInt8], of source: String
  ) throws(LVMConfigurationError) -> ConfigSection {
    do {
      return try ConfigSection(parsing: text, limits: limits)
    } catch {
      throw LVMConfigurationError(source: source, problem: "\(error)")
    }
  }

  /// The value at a path ("backup/retain_min"); nil when nothing sets it.
  public func value(_ path: String) -> ConfigValue? {
    for layer in layers {
      if let value = layer.value(path) { return value }
    }
    return nil
  }

  /// Nil when it is not set, or not to a text.
  public func string(_ path: String) -> String? { value(path)?.asString }

  /// Nil when it is not set, or not to a whole number.
  public func integer(_ path: String) -> Int64? { value(path)?.asInteger }

  /// Nil when it is not set. LVM takes `1`, "1", "y", "yes", "on" and "true" for true.
  public func boolean(_ path: String) -> Bool? {
    switch value(path) {
    case .integer(let number)?: number != 0
    case .string(let word)?: ["1", "y", "yes", "on", "true"].contains(word)
    case .list(let items)?: items.first?.asInteger.map { $0 != 0 }
    case .float?, .bytes?, nil: nil
    }
  }

  /// The names of the sections within a section, of all layers, each once.
  public func sectionNames(_ path: String) -> [String] {
    var names: [String] = []
    for layer in layers {
      guard case .section(let section)? = layer.content(path) else { continue }
      for entry in section.entries {
        if case .section = entry.content, !names.contains(entry.name) { names.append(entry.name) }
      }
    }
    return names
  }

  /// Nil when it is not set, or not to texts.
  public func strings(_ path: String) -> [String]? { value(path)?.asStrings }
}

/// LVM's configuration cannot be used.
public struct LVMConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file, or `--config`.
  public var source: String
  public var problem: String
  /// What the command cannot do therefore, in a sentence; nil when the problem says it.
  public var consequence: String?

  public init(source: String, problem: String, consequence: String? = nil) {
    self.source = source
    self.problem = problem
    self.consequence = consequence
  }

  /// For people, in lines.
  public var messages: [String] { ["\(source): \(problem)"] + (consequence.map { [$0] } ?? []) }

  public var description: String { messages.joined(separator: ": ") }
}
