import Glibc
import LVMMetadata
import LVMSystemDirectory

/// Which of the machine's block devices LVM's configuration lets commands use: those of its devices
/// file, or all that pass both of its filters.
public struct DeviceSelection: Sendable {
  enum Rule: Sendable {
    /// A device must pass each of them.
    case filters([DeviceFilter])
    case listed(DevicesFile)
  }

  let rule: Rule
  /// What a device must be like, whichever rule selects it.
  struct Requirements: Sendable {
    /// Whether it may be a logical volume, a physical volume of another group
    /// (`devices/scan_lvs`).
    var allowsLogicalVolumes = false
    /// Its size at least, in sectors (`devices/pv_min_size`).
    var smallestSize: UInt64 = 4096

    init() {}

    init(_ configuration: LVMConfiguration) {
      allowsLogicalVolumes = configuration.boolean("devices/scan_lvs") ?? false
      if let kibibytes = configuration.integer("devices/pv_min_size") {
        // LVM ignores anything smaller; nothing is larger than 2^40 KiB.
        smallestSize = UInt64(min(max(kibibytes, 512), 1 << 40)) * 2
      }
    }
  }

  let requirements: Requirements
  /// The devices file in use; nil when there is none.
  public var devicesFile: DevicesFile? {
    switch rule {
    case .filters: nil
    case .listed(let file): file
    }
  }
  /// What LVM's commands say on standard error about the selection itself.
  public let warnings: [String]

  public init(filter: DeviceFilter) {
    self.init(.filters([filter]), [], Requirements())
  }

  /// - Parameters:
  ///   - configuration: `devices/use_devicesfile`, `devices/devicesfile`, `devices/filter`,
  ///     `devices/global_filter`, `devices/scan_lvs` and `devices/pv_min_size` count.
  ///   - devicesFile: the value of `--devicesfile`: a file in LVM's folder of devices files; empty
  ///     for none at all.
  /// - Throws: for a filter that is none, and a devices file that cannot be read: devices that the
  ///   administrator excluded must not come back that way.
  public init(
    _ configuration: LVMConfiguration, devicesFile: String? = nil
  ) throws(DeviceSelectionError) {
    let filters = try Self.filters(configuration)
    let requirements = Requirements(configuration)
    let usesFile =
      devicesFile.map { !$0.isEmpty } ?? configuration.boolean("devices/use_devicesfile") ?? false
    guard usesFile else {
      self.init(.filters(filters.map(\.filter)), [], requirements)
      return
    }
    let name = devicesFile ?? configuration.string("devices/devicesfile") ?? "system.devices"
    guard !name.contains("/"), name != "..", name != "." else {
      throw DeviceSelectionError("Devices file \(name): give the name of a file without folders.")
    }
    let path = "\(configuration.systemDirectory)/devices/\(name)"
    guard let file = try Self.read(path) else {
      // A host whose file was never made uses all devices; one that was asked for must be there.
      guard devicesFile == nil else {
        throw DeviceSelectionError("Devices file does not exist: \(path)")
      }
      self.init(.filters(filters.map(\.filter)), [], requirements)
      return
    }
    self.init(
      .listed(file),
      filters.map {
        "Please remove the lvm.conf \($0.setting), it is ignored with the devices file."
      }, requirements)
  }

  private init(_ rule: Rule, _ warnings: [String], _ requirements: Requirements) {
    self.rule = rule
    self.requirements = requirements
    self.warnings = warnings
  }

  private static func filters(
    _ configuration: LVMConfiguration
  ) throws(DeviceSelectionError) -> [(setting: String, filter: DeviceFilter)] {
    var filters: [(setting: String, filter: DeviceFilter)] = []
    for setting in ["filter", "global_filter"] {
      let path = "devices/\(setting)"
      guard let value = configuration.value(path) else { continue }
      guard let patterns = value.asStrings ?? value.asString.map({ [$0] }) else {
        throw DeviceSelectionError("\(path) is no list of texts")
      }
      do {
        filters.append((setting, try DeviceFilter(patterns: patterns)))
      } catch {
        throw DeviceSelectionError("\(path): \(error)")
      }
    }
    return filters
  }

  /// Nil when there is no such file.
  private static func read(_ path: String) throws(DeviceSelectionError) -> DevicesFile? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw DeviceSelectionError("\(path): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count == 0 { return DevicesFile(parsing: content) }
      guard count > 0 || errno == EINTR else {
        throw DeviceSelectionError("\(path): \(String(cString: strerror(errno)))")
      }
      content += buffer[..<max(count, 0)]
      guard content.count <= DevicesFile.sizeLimit else {
        throw DeviceSelectionError("\(path): this is no devices file, it is too large")
      }
    }
  }
}

/// LVM's configuration does not say which devices may be used.
public struct DeviceSelectionError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
