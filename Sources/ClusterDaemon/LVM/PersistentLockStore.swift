import ConfigText
import Glibc
import LVMFrontends

/// The record of the locks that protect active logical volumes, over a restart of the daemon.
///
/// A file in the state directory, which a reboot empties: the locks of a boot protect the mapped
/// devices of that boot. Replaced whole for each change, by a rename.
final class PersistentLockStore {
  private let path: String
  private var locks: [String: PersistentLock] = [:]

  init(path: String) { self.path = path }

  var count: Int { locks.count }

  /// What an earlier life of the daemon left; empty when there is no file.
  func load() throws -> [PersistentLock] {
    guard access(path, F_OK) == 0 else { return [] }
    let section = try ConfigSection(parsing: try readFile(path))
    for entry in section.entries {
      guard case .section(let record) = entry.content else { continue }
      guard let vg = record.string("vg"), let uuid = record.string("lv_uuid"),
        let mode = record.string("mode").flatMap({ LockMode(rawValue: $0) })
      else {
        throw DaemonError(
          "\(path): the record '\(entry.name)' is incomplete; look which logical volumes of "
            + "shared volume groups are active, deactivate them, and remove the file")
      }
      locks[uuid] = PersistentLock(
        vg: vg, vgUUID: record.string("vg_uuid"), lockArguments: record.string("lock_args"),
        lvUUID: uuid, mode: mode)
    }
    return locks.values.sorted { $0.lvUUID < $1.lvUUID }
  }

  func insert(_ lock: PersistentLock) throws {
    locks[lock.lvUUID] = lock
    try save()
  }

  func remove(_ lock: PersistentLock) throws {
    locks[lock.lvUUID] = nil
    try save()
  }

  private func save() throws {
    var section = ConfigSection()
    for (index, lock) in locks.values.sorted(by: { $0.lvUUID < $1.lvUUID }).enumerated() {
      var record = ConfigSection()
      record.set("vg", .string(lock.vg))
      if let uuid = lock.vgUUID { record.set("vg_uuid", .string(uuid)) }
      if let arguments = lock.lockArguments { record.set("lock_args", .string(arguments)) }
      record.set("lv_uuid", .string(lock.lvUUID))
      record.set("mode", .string(lock.mode.rawValue))
      section.append("lock\(index)", record)
    }
    try replaceFile(path, with: section.text(style: .indented))
  }
}
