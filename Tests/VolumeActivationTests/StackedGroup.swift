import ConfigText
import LVMMetadata

@testable import VolumeActivation

/// Groups whose volumes are stacks, parsed from metadata text as it stands on disks.
enum Stacked {
  /// A raid1 volume `r` of `extents` extents.
  static func raid(extents: Int) throws -> VolumeGroup {
    try group(
      """
      r { id = "\(id("r"))" status = ["READ", "WRITE", "VISIBLE"] flags = [] segment_count = 1
        segment1 { start_extent = 0 extent_count = \(extents) type = "raid1" device_count = 2
          region_size = 512 raids = ["r_rmeta_0", "r_rimage_0", "r_rmeta_1", "r_rimage_1"] } }
      \(part("r_rimage_0", "pv0", first: 1, extents: extents))
      \(part("r_rimage_1", "pv1", first: 1, extents: extents))
      \(part("r_rmeta_0", "pv0", first: 0, extents: 1))
      \(part("r_rmeta_1", "pv1", first: 0, extents: 1))
      """)
  }

  /// A mirror `m` of ten extents without a log, and `split` instead of its second image if given.
  static func mirror(split: String? = nil) throws -> VolumeGroup {
    let second = split ?? "m_mimage_1"
    return try group(
      """
      m { id = "\(id("m"))" status = ["READ", "WRITE", "VISIBLE"] flags = [] segment_count = 1
        segment1 { start_extent = 0 extent_count = 10 type = "mirror" region_size = 1024
          mirror_count = \(split == nil ? 2 : 1)
          mirrors = ["m_mimage_0", 0\(split == nil ? ", \"m_mimage_1\", 0" : "")] } }
      \(part("m_mimage_0", "pv0", first: 0, extents: 10))
      \(part(second, "pv1", first: 0, extents: 10, isVisible: split != nil)
        .replacing(id(second), with: id("m_mimage_1")))
      """)
  }

  /// A linear volume `o` of ten extents, with a snapshot `s` or without.
  ///
  /// - Parameter isVirtual: nobody sees the origin, only the snapshot.
  static func origin(
    hasSnapshot: Bool, isVirtual: Bool = false, isMerging: Bool = false
  ) throws -> VolumeGroup {
    let origin = part("o", "pv0", first: 0, extents: 10, isVisible: !isVirtual)
    guard hasSnapshot else { return try group(origin) }
    return try group(
      """
      \(origin)
      \(part("s", "pv1", first: 0, extents: 2, isVisible: !isVirtual))
      snapshot0 { id = "\(id("snapshot0"))" status = ["READ", "WRITE", "VISIBLE"] flags = []
        segment_count = 1 segment1 { start_extent = 0 extent_count = 10 type = "snapshot"
          chunk_size = 8 origin = "o" \(isMerging ? "merging_store" : "cow_store") = "s" } }
      """)
  }

  /// A thin pool `p` with thin volumes `t` and, when a message asks for it, its snapshot `u`.
  static func thin(
    transactionID: Int, message: String = "", hasSnapshot: Bool = false, dataExtents: Int = 20
  ) throws -> VolumeGroup {
    func volume(_ name: String, _ number: Int, _ more: String) -> String {
      """
      \(name) { id = "\(id(name))" status = ["READ", "WRITE", "VISIBLE"] flags = []
        segment_count = 1 segment1 { start_extent = 0 extent_count = 50 type = "thin"
          thin_pool = "p" transaction_id = \(number - 1) device_id = \(number) \(more) } }
      """
    }
    return try group(
      """
      p { id = "\(id("p"))" status = ["READ", "WRITE", "VISIBLE"] flags = [] segment_count = 1
        segment1 { start_extent = 0 extent_count = \(dataExtents) type = "thin-pool"
          metadata = "p_tmeta" pool = "p_tdata" transaction_id = \(transactionID)
          chunk_size = 128 discards = "passdown" zero_new_blocks = 1 \(message) } }
      \(volume("t", 1, ""))
      \(hasSnapshot ? volume("u", 2, "origin = \"t\"") : "")
      \(part("p_tmeta", "pv1", first: 0, extents: 1))
      \(part("p_tdata", "pv0", first: 0, extents: dataExtents))
      """)
  }

  static func planner(_ group: VolumeGroup) -> ActivationPlanner {
    ActivationPlanner(group, devices: Sample.devices)
  }

  static func plan(_ name: String, _ group: VolumeGroup) throws -> PlannedVolume {
    try planner(group).plan(named: name)
  }

  private static func part(
    _ name: String, _ disk: String, first: Int, extents: Int, isVisible: Bool = false
  ) -> String {
    """
    \(name) { id = "\(id(name))" status = ["READ", "WRITE"\(isVisible ? ", \"VISIBLE\"" : "")]
      flags = [] segment_count = 1 segment1 { start_extent = 0 extent_count = \(extents)
        type = "striped" stripe_count = 1 stripes = ["\(disk)", \(first)] } }
    """
  }

  private static func id(_ name: String) -> String { Sample.identifier(name).dashed }

  private static func group(_ volumes: String) throws -> VolumeGroup {
    let disks = [("pv0", Sample.firstPV), ("pv1", Sample.secondPV)].map { label, id in
      """
      \(label) { id = "\(id.dashed)" status = ["ALLOCATABLE"] flags = []
        pe_start = \(Sample.extentStart) pe_count = 100 }
      """
    }
    let text = """
      contents = "Text Format Volume Group" version = 1
      vg { id = "\(Sample.identifier("VG").dashed)" seqno = 2 format = "lvm2"
        status = ["RESIZEABLE", "READ", "WRITE"] flags = [] extent_size = \(Sample.extentSize)
        max_lv = 0 max_pv = 0 physical_volumes { \(disks.joined(separator: "\n")) }
        logical_volumes { \(volumes) } }
      """
    return try MetadataText(parsing: Array(text.utf8)).volumeGroup
  }
}
