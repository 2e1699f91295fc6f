import ConfigText
import Glibc
import LVMFrontends

/// The record of the locks that protect active logical volumes, over a restart of the daemon.
///
/// A file in the state directory, which a reboot empties: the locks of a boot protect the mapped
/// devices of that boot. Replaced whole for each change, by a rename.
final class PersistentLockStore {
  /// Bytes; a record takes some 200.
  private static let lengthMaximum = 64 << 20

  private let path: String
  private var locks: [String: PersistentLock] = [:]
  /// Of locks that are changed together.
  private var grouped: Set<String> = []
  private var provisional: Set<String> = []

  init(path: String) { self.path = path }

  var count: Int { locks.count }

  /// What an earlier life of the daemon left; empty when there is no file.
  func load() throws -> [PersistentLock] {
    guard access(path, F_OK) == 0 else { return [] }
    let section = try ConfigSection(parsing: try readFile(path, limit: Self.lengthMaximum))
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
        lvUUID: uuid, mode: mode,
        processID: record.integer("pid").flatMap { Int32(exactly: $0) } ?? 0)
      if record.integer("provisional") == 1 { provisional.insert(uuid) }
    }
    return locks.values.sorted { $0.lvUUID < $1.lvUUID }
  }

  func insert(_ lock: PersistentLock) throws {
    locks[lock.lvUUID] = lock
    try saveUnlessGrouped(lock.lvUUID)
  }

  func remove(_ lock: PersistentLock) throws {
    locks[lock.lvUUID] = nil
    provisional.remove(lock.lvUUID)
    try saveUnlessGrouped(lock.lvUUID)
  }

  /// What happens to these locks from now on is written once, by `endGroup`.
  ///
  /// - Parameter isProvisional: those that are not held yet are noted as such.
  func beginGroup(of uuids: [String], isProvisional: Bool) {
    grouped.formUnion(uuids)
    if isProvisional { provisional.formUnion(uuids.filter { locks[$0] == nil }) }
  }

  func endGroup(of uuids: [String]) throws {
    grouped.subtract(uuids)
    provisional.subtract(uuids.filter { locks[$0] == nil })
    try save()
  }

  /// The locks are here to stay.
  func confirm(_ uuids: [String]) throws {
    guard !provisional.isDisjoint(with: uuids) else { return }
    provisional.subtract(uuids)
    try save()
  }

  /// Those that a change has taken which is not known to have been carried through.
  var provisionalLocks: [PersistentLock] {
    provisional.compactMap { locks[$0] }.sorted { $0.lvUUID < $1.lvUUID }
  }

  private func saveUnlessGrouped(_ uuid: String) throws {
    if !grouped.contains(uuid) { try save() }
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
      if lock.processID > 0 { record.set("pid", .integer(Int64(lock.processID))) }
      if provisional.contains(lock.lvUUID) { record.set("provisional", .integer(1)) }
      section.append("lock\(index)", record)
    }
    try replaceFile(path, with: section.text(style: .indented))
  }
}
