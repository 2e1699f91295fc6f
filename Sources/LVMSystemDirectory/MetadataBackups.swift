import ConfigText
import Glibc
import LVMMetadata

/// Where and whether copies of metadata are kept: `backup { … }` of lvm.conf.
public struct BackupSettings: Sendable, Equatable {
  /// A copy of the newest version of each group after every change.
  public var isBackupEnabled: Bool
  public var backupDirectory: String
  /// A copy of each version before it is changed.
  public var isArchiveEnabled: Bool
  public var archiveDirectory: String
  /// So many archived versions of a group are kept however old they are.
  public var retainCountMin: Int
  /// So long an archived version is kept in any case.
  public var retainDays: Int

  public init(_ configuration: LVMConfiguration) {
    let directory = configuration.systemDirectory
    isBackupEnabled = configuration.boolean("backup/backup") ?? true
    backupDirectory = configuration.string("backup/backup_dir") ?? "\(directory)/backup"
    isArchiveEnabled = configuration.boolean("backup/archive") ?? true
    archiveDirectory = configuration.string("backup/archive_dir") ?? "\(directory)/archive"
    retainCountMin = Int(clamping: configuration.integer("backup/retain_min") ?? 10)
    retainDays = Int(clamping: configuration.integer("backup/retain_days") ?? 30)
  }
}

/// The backup and archive files of this host (lvm2-metadata 13), as LVM names and writes them.
///
/// A command archives a group once before its first change and backs it up once after its last:
///
///     try backups.archive(oldGroup, commandLine: line)
///     …changes…
///     try backups.backup(newGroup, commandLine: line)
public struct MetadataBackups: Sendable {
  public let settings: BackupSettings

  public init(_ settings: BackupSettings) { self.settings = settings }

  public init(_ configuration: LVMConfiguration) { self.init(BackupSettings(configuration)) }

  /// Keeps `group`, which is about to be changed, in the archive.
  ///
  /// - Parameter commandLine: the words of the command, joined by spaces.
  /// - Returns: the file; nil when archiving is switched off.
  /// - Throws: when the file cannot be written; LVM does not change the group then.
  @discardableResult
  public func archive(
    _ group: VolumeGroup, commandLine: String
  ) throws(SystemFileError) -> String? {
    guard settings.isArchiveEnabled, !settings.archiveDirectory.isEmpty else { return nil }
    let folder = settings.archiveDirectory
    try SystemFile.createFolder(folder)
    let description = "Created *before* executing '\(commandLine)'"
    let temporary = try writeTemporary(
      group, description: description, in: folder, durable: false)
    let older = try MetadataArchive(folder: folder, group: group.name)
    let path = try older.add(temporary)
    older.removeExpired(
      countMin: settings.retainCountMin, days: settings.retainDays, now: time(nil))
    return path
  }

  /// Replaces the backup of `group`.
  ///
  /// - Returns: the file; nil when backups are switched off. LVM warns then: "This metadata update
  ///   is NOT backed up."
  @discardableResult
  public func backup(
    _ group: VolumeGroup, commandLine: String
  ) throws(SystemFileError) -> String? {
    guard settings.isBackupEnabled, !settings.backupDirectory.isEmpty else { return nil }
    try SystemFile.createFolder(settings.backupDirectory)
    let path = backupPath(of: group.name)
    try write(group, description: "Created *after* executing '\(commandLine)'", to: path)
    return path
  }

  /// Where the backup of the group called `name` is.
  public func backupPath(of name: String) -> String { "\(settings.backupDirectory)/\(name)" }

  /// Forgets the backup of a group that was removed or renamed. What cannot be removed stays, as
  /// with LVM.
  public func removeBackup(of name: String) { unlink(backupPath(of: name)) }

  /// Writes a group in the form of a backup file to `path`: in one step, so that there is the old
  /// file or the new one. What is there and no file (`/dev/stdout`) is written to.
  public func write(
    _ group: VolumeGroup, description: String, to path: String
  ) throws(SystemFileError) {
    var attributes = stat()
    if stat(path, &attributes) == 0, attributes.st_mode & S_IFMT != S_IFREG {
      return try SystemFile.write(text(group, description: description), to: path)
    }
    let temporary = try writeTemporary(
      group, description: description, in: SystemFile.folder(of: path), durable: true)
    try SystemFile.rename(temporary, to: path)
  }

  /// The content of a backup file.
  public static func read(_ path: String) throws(SystemFileError) -> [UInt8] {
    try SystemFile.read(path)
  }

  private func writeTemporary(
    _ group: VolumeGroup, description: String, in folder: String, durable: Bool
  ) throws(SystemFileError) -> String {
    let bytes = text(group, description: description)
    let host = HostIdentity.current.nodeName
    let number = UInt32.random(in: 0...UInt32(Int32.max))
    let path = "\(folder)/.lvm_\(host)_\(getpid())_\(number)"
    try SystemFile.create(path, bytes, durable: durable)
    return path
  }

  private func text(_ group: VolumeGroup, description: String) -> [UInt8] {
    MetadataText(
      volumeGroup: group, provenance: MetadataProvenance(description: description)
    ).bytes(form: .file, secondsFromUTC: HostIdentity.secondsFromUTC)
  }
}

/// What `uname` says of this host.
struct HostIdentity {
  let nodeName: String
  /// System, node, release, version and machine.
  let details: String

  static let current: HostIdentity = {
    var names = utsname()
    guard uname(&names) == 0 else { return HostIdentity(nodeName: "localhost", details: "") }
    let parts = [
      text(of: names.sysname), text(of: names.nodename), text(of: names.release),
      text(of: names.version), text(of: names.machine),
    ]
    return HostIdentity(nodeName: parts[1], details: parts.joined(separator: " "))
  }()

  private static func text<Field>(of field: Field) -> String {
    withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  /// How far local time was ahead of UTC at a moment.
  @Sendable static func secondsFromUTC(at secondsSince1970: UInt64) -> Int {
    var moment = time_t(clamping: secondsSince1970)
    var parts = tm()
    return localtime_r(&moment, &parts) == nil ? 0 : parts.tm_gmtoff
  }
}

extension MetadataProvenance {
  /// Written by this program, on this host, now.
  public init(description: String) {
    self.init(
      generator: "clvmd", description: description,
      creationHost: HostIdentity.current.nodeName, hostDetails: HostIdentity.current.details,
      creationTime: UInt64(clamping: time(nil)))
  }
}
