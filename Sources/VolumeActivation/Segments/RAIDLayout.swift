/// The types of RAID as the text names them (lvm2-metadata, section 7.3).
enum RAIDLevel: String, Hashable, Sendable {
  case raid0
  case raid0Meta = "raid0_meta"
  case raid1, raid10
  case raid10Near = "raid10_near"
  case raid4
  case raid5
  case raid5N = "raid5_n"
  case raid5LA = "raid5_la"
  case raid5LS = "raid5_ls"
  case raid5RA = "raid5_ra"
  case raid5RS = "raid5_rs"
  case raid6
  case raid6ZR = "raid6_zr"
  case raid6NR = "raid6_nr"
  case raid6NC = "raid6_nc"
  case raid6N6 = "raid6_n_6"
  case raid6LS6 = "raid6_ls_6"
  case raid6RS6 = "raid6_rs_6"
  case raid6LA6 = "raid6_la_6"
  case raid6RA6 = "raid6_ra_6"

  /// What the kernel calls it (dm-activation, section 3).
  var targetName: String {
    switch self {
    case .raid0Meta: "raid0"
    case .raid10Near: "raid10"
    case .raid5: "raid5_ls"
    case .raid6: "raid6_zr"
    default: rawValue
    }
  }

  var parityCount: Int {
    switch self {
    case .raid0, .raid0Meta, .raid1, .raid10, .raid10Near: 0
    case .raid4, .raid5, .raid5N, .raid5LA, .raid5LS, .raid5RA, .raid5RS: 1
    case .raid6, .raid6ZR, .raid6NR, .raid6NC, .raid6N6, .raid6LS6, .raid6RS6, .raid6LA6,
      .raid6RA6:
      2
    }
  }

  /// Without redundancy there is nothing to resynchronize: no regions, no rebuilds.
  var isRAID0: Bool { self == .raid0 || self == .raid0Meta }
  var isRAID10: Bool { self == .raid10 || self == .raid10Near }
}

/// lvm2-metadata, section 7.3.
struct RAIDLayout: Hashable, Sendable {
  struct Image: Hashable, Sendable {
    /// Nil for raid0.
    let metadata: String?
    let data: String
  }

  let level: RAIDLevel
  let images: [Image]
  /// In sectors; 0 for raid1.
  let stripeSize: UInt32
  /// In sectors; 0 for raid0.
  let regionSize: UInt32
  /// How often raid10 keeps each block.
  let dataCopies: UInt32
  let writeBehind: UInt32
  /// In KiB per second and image; 0 is unlimited.
  let minimumRecoveryRate: UInt32
  let maximumRecoveryRate: UInt32
  /// Of a reshape, in sectors; nil without one. The text's 0 stands for LVM's 1 and the kernel's 0.
  let dataOffset: UInt32?

  /// The kernel's limit, which is that of MD's superblock.
  static let imageCountMax = 64

  init(_ level: RAIDLevel, _ fields: SegmentFields) throws(MalformedSegment) {
    self.level = level
    stripeSize = try fields.number32("stripe_size") ?? 0
    regionSize = try fields.number32("region_size") ?? 0
    let copies = fields.section.integer("data_copies").map { UInt32(truncatingIfNeeded: $0) } ?? 0
    dataCopies = copies < 2 ? 2 : copies
    writeBehind = try fields.number32("writebehind") ?? 0
    minimumRecoveryRate = try fields.number32("min_recovery_rate") ?? 0
    maximumRecoveryRate = try fields.number32("max_recovery_rate") ?? 0
    dataOffset = fields.section.integer("data_offset").map { UInt32(truncatingIfNeeded: $0) }
    images = try Self.images(
      try fields.requiredNames(level == .raid0 ? "raid0_lvs" : "raids"), fields)
    guard !images.isEmpty, images.count <= Self.imageCountMax else {
      throw fields.failure("has \(images.count) images")
    }
    guard images.count > level.parityCount else {
      throw fields.failure("has only \(images.count) images")
    }
    guard level.isRAID0 || regionSize > 0 else { throw fields.failure("has no region_size") }
  }

  /// A name that contains `_rmeta_` is a metadata volume and belongs to the image behind it.
  private static func images(
    _ names: [String], _ fields: SegmentFields
  ) throws(MalformedSegment) -> [Image] {
    var images: [Image] = []
    var metadata: String?
    for name in names {
      if metadata == nil, name.contains("_rmeta_") {
        metadata = name
      } else {
        images.append(Image(metadata: metadata, data: name))
        metadata = nil
      }
    }
    guard metadata == nil else { throw fields.failure("lists metadata without an image") }
    return images
  }

  /// Images whose data counts for the size of the volume.
  var dataImageCount: Int { images.count - level.parityCount }
}
