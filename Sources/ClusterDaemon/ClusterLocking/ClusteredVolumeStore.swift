import ConfigText
import Glibc
import LVMFrontends

/// The record of the locks that LVM 2.02's active volumes have, over a restart of the daemon, so
/// that what was exclusive stays exclusive.
///
/// A file in the state directory, which a reboot empties: the locks of a boot protect the mapped
/// devices of that boot. Replaced whole for each change, by a rename.
final class ClusteredVolumeStore {
  private let path: String
  private var modes: [String: ClusterLockingMode] = [:]

  init(path: String) { self.path = path }

  /// What an earlier life of the daemon left, by the 64 characters of a volume; empty when there is
  /// no file.
  func load() throws -> [String: ClusterLockingMode] {
    guard access(path, F_OK) == 0 else { return [:] }
    let section = try ConfigSection(parsing: try readFile(path))
    for entry in section.entries {
      guard case .section(let record) = entry.content else { continue }
      guard let volume = record.string("volume"),
        let mode = record.integer("mode").flatMap({ UInt8(exactly: $0) })
          .flatMap({ ClusterLockingMode(rawValue: $0) })
      else {
        throw DaemonError(
          "\(path): the record '\(entry.name)' is incomplete; look which logical volumes of "
            + "clustered volume groups are active, deactivate them, and remove the file")
      }
      modes[volume] = mode
    }
    return modes
  }

  /// Nil forgets the volume.
  func set(_ mode: ClusterLockingMode?, of volume: String) throws {
    guard modes[volume] != mode else { return }
    modes[volume] = mode
    try save()
  }

  private func save() throws {
    var section = ConfigSection()
    for (index, entry) in modes.sorted(by: { $0.key < $1.key }).enumerated() {
      var record = ConfigSection()
      record.set("volume", .string(entry.key))
      record.set("mode", .integer(Int64(entry.value.rawValue)))
      section.append("lock\(index)", record)
    }
    try replaceFile(path, with: section.text(style: .indented))
  }
}
