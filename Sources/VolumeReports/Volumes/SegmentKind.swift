import ConfigText
import LVMMetadata

/// What a segment is made like, as far as reports tell types apart (lvm2-metadata 7).
enum SegmentKind: Equatable {
  case striped
  case mirror
  case raid(RAIDLayout)
  case snapshot
  case thinPool
  case thin
  case cachePool
  case cache
  case writecache
  case integrity
  case vdoPool
  case vdo
  case error
  case zero
  /// A type or a flag that LVM does not know.
  case unknown
  /// Extents of a physical volume that no logical volume has.
  case free

  init(typeName: String) {
    let type = SegmentType(typeName)
    guard type.isKnown else {
      self = .unknown
      return
    }
    switch type.name {
    case "striped", "linear": self = .striped
    case "mirror": self = .mirror
    case "snapshot": self = .snapshot
    case "thin-pool": self = .thinPool
    case "thin": self = .thin
    case "cache-pool": self = .cachePool
    case "cache": self = .cache
    case "writecache": self = .writecache
    case "integrity": self = .integrity
    case "vdo-pool": self = .vdoPool
    case "vdo": self = .vdo
    case "error": self = .error
    case "zero": self = .zero
    default: self = RAIDLayout(typeName: type.name).map { .raid($0) } ?? .unknown
    }
  }

  var raid: RAIDLayout? {
    if case .raid(let layout) = self { layout } else { nil }
  }

  /// Volumes of such segments have no extents of their own below them.
  var isVirtual: Bool {
    switch self {
    case .thin, .vdo, .error, .zero, .unknown, .free: true
    case .striped, .mirror, .raid, .snapshot, .thinPool, .cachePool, .cache, .writecache,
      .integrity, .vdoPool:
      false
    }
  }

  /// The kernel module that serves the segment; LVM needs none for linear and striped ones.
  var modules: [String] {
    switch self {
    case .mirror: ["mirror"]
    case .raid: ["raid"]
    case .snapshot: ["snapshot"]
    case .thinPool: ["thin-pool"]
    case .thin: ["thin-pool", "thin"]
    case .cachePool, .cache: ["cache"]
    case .writecache: ["writecache"]
    case .integrity: ["integrity"]
    case .vdoPool, .vdo: ["kvdo"]
    case .error: ["error"]
    case .zero: ["zero"]
    case .striped, .unknown, .free: []
    }
  }
}

/// A RAID level with its placement of parity.
struct RAIDLayout: Equatable {
  /// As LVM calls it: "raid5" is "raid5_ls".
  let name: String
  let level: Int

  init?(typeName: String) {
    let aliases = ["raid5": "raid5_ls", "raid6": "raid6_zr", "raid10_near": "raid10"]
    name = aliases[typeName] ?? typeName
    switch name {
    case "raid0", "raid0_meta": level = 0
    case "raid1": level = 1
    case "raid10": level = 10
    case "raid4": level = 4
    case let name where name.hasPrefix("raid5_"): level = 5
    case let name where name.hasPrefix("raid6_"): level = 6
    default: return nil
    }
  }

  /// Images whose worth is parity.
  var parityCount: Int {
    switch level {
    case 4, 5: 1
    case 6: 2
    default: 0
    }
  }

  /// Stripes may be added and taken away.
  var isReshapable: Bool { level != 0 && level != 1 }
  var hasMetadata: Bool { name != "raid0" }
  /// Every image, or every second, holds the same.
  var isMirrored: Bool { level == 1 || level == 10 }

  /// How often each byte is there, or can be computed, when the segment does not say.
  func copies(images: Int) -> Int {
    switch level {
    case 10: 2
    case 1: images
    case 0: 1
    default: parityCount + 1
    }
  }
}
