import Glibc

/// The locks under which LVM's commands on one host exclude each other: flock(2) on files in
/// `global/locking_dir`. They end with the object.
///
/// As with LVM, whoever leaves a lock last removes its file, so whoever gets a lock makes sure that
/// the file is still the one that others find; and a reader waits behind a writer that waits, on a
/// second file that ends in `:aux` (`global/prioritise_write_locks`).
public final class HostLocks {
  /// What must live as long as the locks: open files that are locked themselves.
  public var companions: [AnyObject] = []

  public enum Resource: Hashable, Sendable {
    /// Which devices are PVs, and which names volume groups have: `P_global`.
    case global
    /// One volume group, by its name: `V_<VG>`.
    case volumeGroup(String)

    fileprivate var fileName: String {
      switch self {
      case .global: "P_global"
      case .volumeGroup(let name): "V_\(name)"
      }
    }
  }

  public enum Access: Sendable {
    case shared
    case exclusive
  }

  /// What a lock is worth.
  public enum Mode: Sendable {
    case files
    /// `--nolocking`: nothing is locked.
    case none
    /// `--readonly`: nothing is locked, and exclusive locks are refused.
    case readOnly
  }

  private let mode: Mode
  private let folder: String
  private let waits: Bool
  private let prefersWriters: Bool
  private var held: [Resource: LockFile] = [:]

  /// What the configuration asks for and is no longer done, worded as LVM warns of it.
  public let warnings: [String]

  /// - Parameters:
  ///   - mode: what the command line asks for; `global/locking_type` may ask for less.
  ///   - maySkip: goes on without locks where there can be none (`--ignorelockingfailure`).
  /// - Throws: when there can be no lock files.
  public init(
    _ configuration: LVMConfiguration, _ mode: Mode = .files, maySkip: Bool = false
  ) throws(HostLockError) {
    let (wanted, warnings) = Self.mode(configuration, mode)
    self.warnings = warnings
    folder = configuration.string("global/locking_dir") ?? "/run/lock/lvm"
    waits = configuration.integer("global/wait_for_locks") != 0
    prefersWriters = configuration.integer("global/prioritise_write_locks") != 0
    guard wanted == .files else {
      self.mode = wanted
      return
    }
    do {
      try SystemFile.createFolder(folder)
      self.mode = .files
    } catch {
      guard maySkip else {
        throw HostLockError("\(error)", "File locking initialisation failed.")
      }
      self.mode = .readOnly
    }
  }

  deinit {
    for file in held.values { file.release() }
  }

  /// The types of old versions of LVM.
  private static func mode(
    _ configuration: LVMConfiguration, _ mode: Mode
  ) -> (Mode, warnings: [String]) {
    let type = configuration.integer("global/locking_type") ?? 1
    func deprecated(_ instead: String) -> String {
      "WARNING: locking_type (\(type)) is deprecated, using \(instead)."
    }
    switch type {
    case 0: return (.none, [deprecated("--nolocking")])
    case 1: return (mode, [])
    case 4: return (.readOnly, [deprecated("--sysinit --readonly")])
    case 2, 3:
      let advice = "WARNING: see lvmlockd(8) for information on using cluster/clvm VGs."
      return (mode, [advice, deprecated("file locking")])
    default: return (mode, [deprecated("file locking")])
    }
  }

  /// Takes a lock, and waits for it if `global/wait_for_locks` permits. Whoever has the lock of one
  /// group never waits for that of another, since that one's holder may wait for this.
  ///
  /// - Throws: what LVM says then.
  public func acquire(_ resource: Resource, _ access: Access) throws(HostLockError) {
    precondition(held[resource] == nil, "\(resource) is locked already")
    switch mode {
    case .none: return
    case .readOnly:
      guard access == .shared else {
        throw HostLockError("Operation prohibited while --readonly is set.")
      }
    case .files:
      do throws(SystemFileError) {
        held[resource] = try acquire("\(folder)/\(resource.fileName)", access)
      } catch {
        throw HostLockError("\(error)")
      }
    }
  }

  private func acquire(_ path: String, _ access: Access) throws(SystemFileError) -> LockFile {
    let waits = waits && !held.keys.contains { $0 != .global }
    guard prefersWriters else { return try LockFile(path, access, waits: waits) }
    let queue = try LockFile(path + ":aux", .exclusive, waits: true)
    if access == .shared {
      queue.release()
      return try LockFile(path, access, waits: waits)
    }
    defer { queue.release() }
    return try LockFile(path, access, waits: waits)
  }

  /// Gives a lock up; one that is not held is no matter.
  public func release(_ resource: Resource) {
    held.removeValue(forKey: resource)?.release()
  }
}

/// A lock of this host cannot be had.
public struct HostLockError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Line by line.
  public var messages: [String]

  init(_ messages: String...) { self.messages = messages }

  public var description: String { messages.joined(separator: " ") }
}

/// A file that is locked.
private struct LockFile {
  private let path: String
  private let descriptor: Int32

  init(_ path: String, _ access: HostLocks.Access, waits: Bool) throws(SystemFileError) {
    let operation = (access == .shared ? LOCK_SH : LOCK_EX) | (waits ? 0 : LOCK_NB)
    while true {
      let descriptor = open(path, O_CREAT | O_APPEND | O_RDWR | O_CLOEXEC, 0o700)
      guard descriptor >= 0 else { throw SystemFile.error(path, "open") }
      while flock(descriptor, operation) != 0 {
        guard errno == EINTR else {
          let error = SystemFile.error(path, "flock")
          close(descriptor)
          throw error
        }
      }
      // Whoever had the lock before may have removed the file, which nobody else finds then.
      if Self.isFound(descriptor, at: path) {
        self.path = path
        self.descriptor = descriptor
        return
      }
      close(descriptor)
    }
  }

  func release() {
    // Only the last one removes the file.
    if flock(descriptor, LOCK_UN) == 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0,
      Self.isFound(descriptor, at: path)
    {
      unlink(path)
    }
    close(descriptor)
  }

  private static func isFound(_ descriptor: Int32, at path: String) -> Bool {
    var mine = stat()
    var named = stat()
    return fstat(descriptor, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino
      && mine.st_dev == named.st_dev
  }
}
