import LVMMetadata
import LVMSystemDirectory
import Logging

/// Archives and backups of what the daemon changes, as LVM's commands leave them: the old version
/// before the change, the new one after it, by the switches in lvm.conf's section `backup`.
struct GroupBackups: Sendable {
  /// Where lvm.conf is; read for each change.
  var systemDirectory = LVMConfiguration.standardDirectory
  var logger: Logger

  /// Keeps the version that is about to be replaced.
  ///
  /// - Throws: when it cannot be kept: LVM does not change a group then.
  func archive(_ group: VolumeGroup, before text: MetadataText) throws {
    try backups().archive(group, commandLine: Self.commandLine(of: text))
  }

  /// Keeps the version that was committed. The change is done: a failure is only told.
  func backUp(_ text: MetadataText, replacing oldName: String) {
    let group = text.volumeGroup
    do {
      let backups = try backups()
      try backups.backup(group, commandLine: Self.commandLine(of: text))
      if oldName != group.name { backups.removeBackup(of: oldName) }
    } catch {
      logger.warning("the change of VG \(group.name) is NOT backed up: \(error)")
    }
  }

  private func backups() throws -> MetadataBackups {
    MetadataBackups(try LVMConfiguration(systemDirectory: systemDirectory))
  }

  /// The command that a text's description names ("Write from …."), or the description as it is.
  private static func commandLine(of text: MetadataText) -> String {
    let description = text.provenance.description ?? "clvmd"
    let prefix = "Write from "
    guard description.hasPrefix(prefix), description.hasSuffix(".") else { return description }
    return String(description.dropFirst(prefix.count).dropLast())
  }
}
