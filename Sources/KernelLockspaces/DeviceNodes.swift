import CLinux
import Glibc

/// The DLM's device nodes where libdlm and ocfs2-tools look for them: in `/dev/misc`.
///
/// The kernel's devtmpfs puts them into `/dev`. Where udev runs, the rule `51-clvmd-dlm.rules`
/// links them; elsewhere `synchronize` makes them. Without them mount.ocfs2 says "Unable to access
/// cluster service" (kernel-dlm-control 2).
public struct DeviceNodes: Sendable {
  let paths: KernelControlPaths

  public init(paths: KernelControlPaths = KernelControlPaths()) { self.paths = paths }

  /// One change in `/dev/misc`.
  public enum Change: Equatable, Sendable {
    case make(name: String, minor: UInt32)
    /// Its lockspace is gone, or its number is now that of another device.
    case remove(name: String)
  }

  /// True when the shipped rule does the work.
  public var isManagedByUdev: Bool { access(paths.udevControl, F_OK) == 0 }

  /// Makes what is missing and removes what is stale; nothing when udev runs. To be called after the
  /// module is loaded and after each reading with `UeventSocket.Reading.deviceNodesChanged`.
  /// Returns what it did.
  @discardableResult
  public func synchronize() throws(KernelControlError) -> [Change] {
    if isManagedByUdev { return [] }
    let files = HostKernelFiles()
    let wanted = Self.devices(
      inMisc: String(decoding: try files.read(paths.miscDevices), as: UTF8.self))
    try files.ensureDirectory(paths.miscDeviceNodes)
    let present = try presentNodes(try files.entries(of: paths.miscDeviceNodes))
    let changes = Self.changes(wanted: wanted, present: present)
    for change in changes { try apply(change) }
    return changes
  }

  /// The DLM's devices in the text of `/proc/misc`, by name, with their minor numbers.
  static func devices(inMisc text: String) -> [String: UInt32] {
    var devices: [String: UInt32] = [:]
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ", maxSplits: 1)
      guard fields.count == 2, let minor = UInt32(fields[0]) else { continue }
      let name = String(fields[1])
      if isOfTheLockManager(name) { devices[name] = minor }
    }
    return devices
  }

  /// What a name in `/dev/misc` leads to.
  enum Node: Equatable {
    case misc(minor: UInt32)
    /// Another kind of file, or a link to nowhere.
    case other
  }

  static func changes(wanted: [String: UInt32], present: [String: Node]) -> [Change] {
    let wantedNodes = wanted.mapValues { Node.misc(minor: $0) }
    let stale = present.filter { name, node in wantedNodes[name] != node }.keys
    let missing = wanted.filter { name, minor in present[name] != .misc(minor: minor) }
    return stale.sorted().map { .remove(name: $0) }
      + missing.sorted { $0.key < $1.key }.map { .make(name: $0.key, minor: $0.value) }
  }

  static func isOfTheLockManager(_ name: String) -> Bool {
    (name.hasPrefix("dlm_") || name.hasPrefix("dlm-")) && !name.contains("/")
  }

  private static let miscMajor: UInt32 = 10

  private func presentNodes(_ names: [String]) throws(KernelControlError) -> [String: Node] {
    var present: [String: Node] = [:]
    for name in names where Self.isOfTheLockManager(name) {
      let path = "\(paths.miscDeviceNodes)/\(name)"
      var major: UInt32 = 0
      var minor: UInt32 = 0
      let kind = clinux_character_device_numbers(path, &major, &minor)
      guard kind >= 0 || errno == ENOENT else {
        throw .fileOperation(.inspect, path: path, errno: errno)
      }
      present[name] = kind == 1 && major == Self.miscMajor ? .misc(minor: minor) : .other
    }
    return present
  }

  private func apply(_ change: Change) throws(KernelControlError) {
    switch change {
    case .make(let name, let minor):
      let path = "\(paths.miscDeviceNodes)/\(name)"
      // Whoever reads the first takes other programs' requests away.
      let mode: mode_t =
        name == "dlm_plock" ? 0o600 : name.hasPrefix("dlm-") ? 0o666 : 0o660
      guard clinux_make_character_device(path, mode, Self.miscMajor, minor) == 0 else {
        throw .fileOperation(.makeDevice, path: path, errno: errno)
      }
    case .remove(let name):
      let path = "\(paths.miscDeviceNodes)/\(name)"
      guard unlink(path) == 0 || errno == ENOENT else {
        throw .fileOperation(.removeFile, path: path, errno: errno)
      }
    }
  }
}
