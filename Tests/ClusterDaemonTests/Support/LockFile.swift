import ConfigText
import LVMMetadata
import Testing

@testable import ClusterDaemon

/// The record of persistent locks, as an earlier life of a daemon leaves it.
enum LockFile {
  /// Adds a shared lock of an LV.
  static func add(
    _ lvUUID: String, provisional: Bool, like group: VolumeGroup, to path: String
  ) throws {
    var section = try ConfigSection(parsing: try readFile(path))
    var record = ConfigSection()
    record.set("vg", .string(group.name))
    record.set("vg_uuid", .string(group.id.dashed))
    record.set("lock_args", .string(group.lockArguments ?? ""))
    record.set("lv_uuid", .string(lvUUID))
    record.set("mode", .string("sh"))
    if provisional { record.set("provisional", .integer(1)) }
    section.append("added", record)
    try replaceFile(path, with: section.text(style: .indented))
  }
}
