/// lvm2-metadata, section 7.8.
struct IntegrityLayout: Hashable, Sendable {
  let origin: String
  /// Nil when the checksums are interleaved with the data.
  let metadata: String?
  /// The size of the mapped device in sectors.
  let dataSectors: UInt64
  /// J, B, D or R.
  let mode: String
  let tagSize: UInt32
  /// In bytes.
  let blockSize: UInt32
  let hash: String
  let recalculates: Bool
  /// What the kernel is told besides, as `key:value`.
  let options: [String]

  private static let numbers32 = [
    "journal_sectors", "interleave_sectors", "buffer_sectors", "journal_watermark", "commit_time",
    "bitmap_flush_interval",
  ]

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    origin = try fields.requiredString("origin")
    metadata = try fields.string("meta_dev")
    dataSectors = try fields.required64("data_sectors")
    guard dataSectors > 0 else { throw fields.failure("has no data_sectors") }
    mode = try fields.requiredString("mode")
    guard ["J", "B", "D", "R"].contains(mode) else { throw fields.failure("has mode '\(mode)'") }
    tagSize = try fields.required32("tag_size")
    blockSize = try fields.required32("block_size")
    hash = try fields.requiredString("internal_hash")
    recalculates = try fields.flag("recalculate")
    var options: [String] = []
    for key in Self.numbers32 {
      if let number = try fields.number32(key) { options.append("\(key):\(number)") }
    }
    if let number = try fields.number64("sectors_per_bit") {
      options.append("sectors_per_bit:\(number)")
    }
    self.options = options
  }
}
