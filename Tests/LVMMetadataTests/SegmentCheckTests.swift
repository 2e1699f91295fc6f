import LVMMetadata
import Testing

/// A text that LVM refuses is refused, with the words that Debian's lvm printed for it; what it reads is
/// read and written again as it was.
struct SegmentCheckTests {
  private static let head = """
    contents = "Text Format Volume Group"
    version = 1
    vg {
    id = "rfAf87-jeC2-CzGT-G91b-FGYa-nEWj-cgBNpH"
    seqno = 3
    status = ["RESIZEABLE", "READ", "WRITE"]
    flags = []
    extent_size = 2048
    max_lv = 0
    max_pv = 0
    physical_volumes {
    pv0 {
    id = "CsNvK1-mhjF-oeUn-U6tm-1Mua-mJku-uI44yC"
    status = ["ALLOCATABLE"]
    flags = []
    pe_start = 2048
    pe_count = 199
    }
    }
    logical_volumes {

    """

  private static func volume(_ name: String, _ number: Int, _ segment: String) -> String {
    let digits = number < 10 ? "0\(number)" : "\(number)"
    return """
      \(name) {
      id = "CsNvK1-mhjF-oeUn-U6tm-1Mua-mJku-uI44\(digits)"
      status = ["READ", "WRITE", "VISIBLE"]
      flags = []
      segment_count = 1
      segment1 {
      start_extent = 0
      extent_count = 4
      \(segment)
      }
      }

      """
  }

  /// The volume `a` with a segment, and linear volumes.
  private static func text(_ segment: String, _ others: String) -> [UInt8] {
    var text = head + volume("a", 0, segment)
    for (index, name) in others.split(separator: " ").enumerated() {
      text += volume(
        String(name), index + 1,
        "type = \"striped\" stripe_count = 1 stripes = [\"pv0\", \(4 * index)]")
    }
    return Array((text + "}\n}\n").utf8)
  }

  private static let pool = "type = \"thin-pool\" transaction_id = 0 chunk_size = 128 "
  private static let raid = "type = \"raid1\" device_count = 2 region_size = 1024 "
  private static let pairs = "raids = [\"a_rmeta_0\", \"i0\", \"a_rmeta_1\", \"i1\"]"
  private static let integrity =
    "type = \"integrity\" data_sectors = 8 mode = \"J\" tag_size = 4 internal_hash = \"crc32c\" "

  static let refused: [(segment: String, others: String, words: String)] = [
    (raid + pairs, "a_rmeta_0 i0 a_rmeta_1", "Couldn't find volume 'i1' for segment 'segment1'."),
    (raid, "a_rmeta_0", "Couldn't find RAID array"),
    (raid + "raids = [\"a_rmeta_0\", \"i0\"]", "a_rmeta_0 i0", "Incorrect number of areas"),
    (raid + "raids = []", "", "Incorrect number of areas"),
    ("type = \"raid5\" region_size = 8 " + pairs, "i0", "Couldn't read 'device_count'"),
    (raid + "stripe_size = \"x\" " + pairs, "i0", "Couldn't read 'stripe_size'"),
    ("type = \"raid0\" stripe_count = 2 raids = [\"i0\", \"i1\"]", "i0 i1", "find RAID array"),
    ("type = \"mirror\" mirror_count = 2", "", "Couldn't find mirrors array"),
    ("type = \"mirror\" mirrors = []", "", "Couldn't read 'mirror_count'"),
    (
      "type = \"mirror\" mirror_count = 2 mirrors = [\"m\", 0, \"n\", 0]", "m",
      "Couldn't find volume 'n'"
    ),
    (
      "type = \"mirror\" mirror_count = 1 region_size = 8 mirror_log = \"l\" mirrors = [\"m\", 0]",
      "m", "Unrecognised mirror log"
    ),
    (
      "type = \"mirror\" mirror_count = 1 mirror_log = \"l\" mirrors = [\"m\", 0]", "m l",
      "Missing region size for mirror log"
    ),
    ("type = \"snapshot\" origin = \"o\" cow_store = \"c\"", "o c", "Couldn't read chunk size"),
    (
      "type = \"snapshot\" chunk_size = 8 origin = \"o\" cow_store = \"c\"", "o",
      "Unknown logical volume c specified for snapshot cow store"
    ),
    ("type = \"snapshot\" chunk_size = 8 cow_store = \"c\"", "c", "Snapshot origin not specified"),
    (
      "type = \"snapshot\" chunk_size = 8 origin = \"o\" cow_store = \"c\" merging_store = \"c\"",
      "o c", "Both snapshot cow and merging storage were specified"
    ),
    (pool + "metadata = \"m\" pool = \"d\"", "d", "Unknown metadata m"),
    (pool + "metadata = \"m\" pool = \"d\"", "m", "Unknown pool d"),
    (pool + "metadata = \"m\"", "m", "Pool must be a string"),
    (
      "type = \"thin-pool\" transaction_id = 0 chunk_size = 100 metadata = \"m\" pool = \"d\"",
      "m d", "Unsupported value 100 for chunk_size"
    ),
    (pool + "discards = \"x\" metadata = \"m\" pool = \"d\"", "m d", "discards type \"x\""),
    (
      pool + "metadata = \"m\" pool = \"d\" message1 { create = \"q\" }", "m d",
      "Unknown LV q for create message"
    ),
    ("type = \"thin\" transaction_id = 0 device_id = 1", "", "Thin pool must be a string"),
    (
      "type = \"thin\" thin_pool = \"p\" transaction_id = 0 device_id = 1", "",
      "Unknown thin pool p"
    ),
    (
      "type = \"thin\" thin_pool = \"p\" transaction_id = 0 device_id = 16777216", "p",
      "Unsupported value 16777216 for device_id"
    ),
    (
      "type = \"thin\" thin_pool = \"p\" transaction_id = 0 device_id = 1 external_origin = \"o\"",
      "p", "Unknown external origin o"
    ),
    ("type = \"cache\" cache_pool = \"p\" origin = \"o\"", "p", "specified for cache origin"),
    (
      "type = \"cache-pool\" chunk_size = 128 data = \"d\" metadata = \"m\" cache_mode = \"x\"",
      "d m", "Unknown cache_mode"
    ),
    (
      "type = \"writecache\" writecache_block_size = 512 origin = \"o\" writecache = \"f\"", "o",
      "Unknown logical volume f specified for writecache"
    ),
    (integrity + "origin = \"o\"", "o", "integrity block_size invalid"),
    (
      integrity + "block_size = 512 origin = \"o\" meta_dev = \"m\"", "o",
      "Unknown logical volume m specified for integrity"
    ),
    ("type = \"vdo\" vdo_pool = \"p\" vdo_offset = 0", "", "Unknown VDO pool logical volume p."),
  ]

  @Test(arguments: refused.indices) func refusedAsByLVM(index: Int) throws {
    let (segment, others, words) = Self.refused[index]
    let error = #expect(throws: MetadataTextError.self) {
      try MetadataText(parsing: Self.text(segment, others))
    }
    #expect(error?.path == "vg/logical_volumes/a/segment1")
    #expect(error?.problem.contains(words) == true, "\(error?.problem ?? "") for \(segment)")
  }

  static let read: [(segment: String, others: String)] = [
    (raid + pairs, "a_rmeta_0 i0 a_rmeta_1 i1"),
    ("type = \"raid1\" device_count = 2 " + pairs, "a_rmeta_0 i0 a_rmeta_1 i1"),
    ("type = \"raid0\" stripe_count = 2 stripe_size = 8 raid0_lvs = [\"i0\", \"i1\"]", "i0 i1"),
    ("type = \"mirror\" mirror_count = 2 mirrors = [\"m\", 0, \"pv0\", 40]", "m"),
    ("type = \"mirror\" mirror_count = 1 mirror_log = 3 mirrors = [\"m\", 0]", "m"),
    (pool + "metadata = \"m\" pool = \"d\" message1 { delete = 3 }", "m d"),
    ("type = \"cache\" cache_pool = \"p\" origin = \"o\"", "p o"),
    (integrity + "block_size = 512 origin = \"o\"", "o"),
    ("type = \"raid1+FLAG_OF_TOMORROW\" raids = [\"gone\"]", ""),
    ("type = \"tomorrow\" images = [\"gone\"]", ""),
  ]

  @Test(arguments: read.indices) func readAsByLVM(index: Int) throws {
    let text = try MetadataText(
      parsing: Self.text(Self.read[index].segment, Self.read[index].others))
    let again = try MetadataText(parsing: text.bytes(form: .disk))
    #expect(again.volumeGroup == text.volumeGroup)
  }
}
