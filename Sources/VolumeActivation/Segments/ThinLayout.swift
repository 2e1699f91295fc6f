import ConfigText

/// lvm2-metadata, section 7.5.
struct ThinPoolLayout: Hashable, Sendable {
  enum Discards: String, Hashable, Sendable {
    case passdown, nopassdown, ignore
  }

  /// What the kernel is still to be told.
  enum Message: Hashable, Sendable {
    /// To make the thin volume of that name.
    case create(volume: String)
    case delete(deviceID: UInt32)
  }

  let metadata: String
  let data: String
  let transactionID: UInt64
  /// In sectors.
  let chunkSize: UInt32
  let discards: Discards
  let zeroesNewBlocks: Bool
  /// The metadata device is cut to the size that the kernel uses.
  let cropsMetadata: Bool
  let messages: [Message]

  private static let chunkSizes: ClosedRange<UInt32> = 128...2_097_152

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    metadata = try fields.requiredString("metadata")
    data = try fields.requiredString("pool")
    transactionID = try fields.required64("transaction_id")
    chunkSize = try fields.required32("chunk_size")
    guard Self.chunkSizes.contains(chunkSize) else {
      throw fields.failure("has a chunk_size of \(chunkSize)")
    }
    if let text = try fields.string("discards") {
      guard let known = Discards(rawValue: text) else {
        throw fields.failure("has unknown discards '\(text)'")
      }
      discards = known
    } else {
      discards = .ignore
    }
    zeroesNewBlocks = try fields.flag("zero_new_blocks")
    cropsMetadata = try fields.flag("crop_metadata")
    messages = try Self.messages(fields)
  }

  private static func messages(_ fields: SegmentFields) throws(MalformedSegment) -> [Message] {
    var messages: [Message] = []
    for entry in fields.section.entries {
      guard case .section(let section) = entry.content else { continue }
      if let name = section.string("create") {
        messages.append(.create(volume: name))
      } else if let id = section.integer("delete").flatMap({ UInt32(exactly: $0) }) {
        messages.append(.delete(deviceID: id))
      } else {
        throw fields.failure("has the message \(entry.name), which is of no known kind")
      }
    }
    return messages
  }
}

/// lvm2-metadata, section 7.5.
struct ThinLayout: Hashable, Sendable {
  let pool: String
  /// The kernel's number of the volume within its pool.
  let deviceID: UInt32
  /// The thin volume that this one was a snapshot of.
  let origin: String?
  /// Serves what was never written.
  let externalOrigin: String?
  /// The thin volume that this one is to be merged into.
  let mergeTarget: String?

  private static let deviceIDs: ClosedRange<UInt32> = 0...(1 << 24 - 1)

  init(_ fields: SegmentFields) throws(MalformedSegment) {
    pool = try fields.requiredString("thin_pool")
    deviceID = try fields.required32("device_id")
    guard Self.deviceIDs.contains(deviceID) else {
      throw fields.failure("has the device_id \(deviceID)")
    }
    origin = try fields.string("origin")
    externalOrigin = try fields.string("external_origin")
    mergeTarget = try fields.string("merge")
  }
}
