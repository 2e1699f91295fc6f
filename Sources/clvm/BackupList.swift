import Glibc
import LVMMetadata
import LVMSystemDirectory

/// The backups and archived versions of a group, printed as by `vgcfgrestore --list`.
struct BackupList {
  private let backups: MetadataBackups

  init(_ backups: MetadataBackups) { self.backups = backups }

  /// - Parameter file: only this one.
  func print(_ name: String, file: String?) throws {
    if let file {
      guard access(file, F_OK) == 0 else {
        throw CommandFailure("Archive file \(file) not found.")
      }
      return describe(file)
    }
    let folder = backups.settings.archiveDirectory
    do {
      let archive = try MetadataArchive(folder: folder, group: name)
      if archive.files.isEmpty { Output.line("  No archives found in \(folder).") }
      for file in archive.files { describe(archive.path(of: file)) }
    } catch {
      throw CommandFailure("Couldn't scan the archive directory (\(folder)).")
    }
    let backup = backups.backupPath(of: name)
    if access(backup, F_OK) == 0 { describe(backup) }
  }

  private func describe(_ path: String) {
    Output.line("   ")
    Output.line("  File:\t\t\(path)")
    do {
      let text = try Self.read(path, of: nil)
      Output.line("  VG name:    \t\(text.volumeGroup.name)")
      Output.line("  Description:\t\(text.provenance.description ?? "<No description>")")
      Output.line("  Backup Time:\t\(Self.localTime(text.provenance.creationTime ?? 0))")
      Output.line("")
    } catch {
      Output.flush()
      for line in (error as? CommandFailure)?.messages ?? [] { Output.error("  " + line) }
      Output.error("  Unable to read archive file.")
    }
  }

  /// Reads a backup file; it must be of the group called `name`, if that is not nil.
  static func read(_ path: String, of name: String?) throws -> MetadataText {
    let text: MetadataText
    do {
      text = try MetadataText(parsing: try MetadataBackups.read(path))
    } catch {
      var failure = CommandFailure(
        "\(error)", "WARNING: couldn't read volume group metadata from file.")
      if let name { failure.messages.append("Failed to read VG \(name) from \(path)") }
      throw failure
    }
    guard name == nil || text.volumeGroup.name == name else {
      throw CommandFailure("'\(path)' does not contain volume group '\(name ?? "")'.")
    }
    return text
  }

  private static func localTime(_ seconds: UInt64) -> String {
    var moment = time_t(clamping: seconds)
    var parts = tm()
    guard localtime_r(&moment, &parts) != nil else { return "" }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      let length = strftime(buffer.baseAddress, buffer.count, "%a %b %e %H:%M:%S %Y", &parts)
      return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}
