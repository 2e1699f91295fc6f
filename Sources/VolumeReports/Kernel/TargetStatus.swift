/// The status line of a target that LVM looks into (dm-activation 12, and the kernel's
/// Documentation/admin-guide/device-mapper). Nil from the initializers: it is not understood.
///
/// Indirect, since it is handed on for each column of each row, and mostly there is nothing to tell.
indirect enum TargetStatus {
  /// There is no device, or its kind of target has nothing to tell.
  case none
  /// The line does not fit the segment, or is not understood.
  case unknown
  case raid(RAIDStatus)
  case thinPool(ThinPoolStatus)
  case thin(ThinStatus)
  case snapshot(SnapshotStatus)
  case cache(CacheStatus)
  case writecache(WritecacheStatus)
  case integrity(IntegrityStatus)
  case vdoPool(VDOPoolStatus)
}

/// The words of a status line; numbers and ratios are read with their limits checked.
struct StatusLine {
  let words: [Substring]

  init(_ line: String) { words = line.split { $0 == " " || $0 == "\n" } }

  func word(_ index: Int) -> Substring? { words.indices.contains(index) ? words[index] : nil }
  func number(_ index: Int) -> UInt64? { word(index).flatMap { UInt64($0) } }

  /// "3/1024".
  func ratio(_ index: Int) -> (part: UInt64, whole: UInt64)? {
    guard let word = word(index) else { return nil }
    let numbers = word.split(separator: "/", omittingEmptySubsequences: false)
    guard numbers.count == 2, let part = UInt64(numbers[0]), let whole = UInt64(numbers[1]) else {
      return nil
    }
    return (part, whole)
  }
}

struct RAIDStatus {
  /// One letter for each image: A in sync, a not, D dead.
  var health: [Character]
  var regionsInSync: UInt64
  var regionCount: UInt64
  var syncAction: String?
  var mismatchCount: UInt64 = 0
  var dataOffset: UInt64 = 0

  init?(_ line: String) {
    let words = StatusLine(line)
    guard let health = words.word(2), let regions = words.ratio(3) else { return nil }
    self.health = Array(health)
    regionsInSync = regions.part
    regionCount = regions.whole
    if let action = words.word(4), let mismatches = words.number(5) {
      syncAction = String(action)
      mismatchCount = mismatches
    }
    dataOffset = words.number(6) ?? 0
    // The kernel counts all regions although some images are not in sync: an action is due.
    let unsynced = self.health.count { $0 == "a" }
    if regionsInSync == regionCount, regionsInSync > 0, unsynced > 0,
      unsynced < self.health.count, ["recover", "idle"].contains(syncAction)
    {
      regionsInSync -= 1
    }
  }
}

struct ThinPoolStatus {
  var hasFailed = false
  var metadata: (used: UInt64, total: UInt64) = (0, 0)
  var data: (used: UInt64, total: UInt64) = (0, 0)
  var isReadOnly = false
  var isOutOfDataSpace = false
  var needsCheck = false
  var discards = "passdown"

  init?(_ line: String) {
    if line.contains("Error") || line.contains("Fail") {
      hasFailed = true
      return
    }
    let words = StatusLine(line)
    guard let metadata = words.ratio(1), let data = words.ratio(2) else { return nil }
    self.metadata = (metadata.part, metadata.whole)
    self.data = (data.part, data.whole)
    let options = words.words.dropFirst(3)
    if options.contains("no_discard_passdown") {
      discards = "nopassdown"
    } else if options.contains("ignore_discard") {
      discards = "ignore"
    }
    isReadOnly = options.contains("ro")
    isOutOfDataSpace = options.contains("out_of_data_space")
    needsCheck = options.contains("needs_check")
  }
}

struct ThinStatus {
  var hasFailed = false
  var mappedSectors: UInt64 = 0

  init?(_ line: String) {
    if line.contains("Fail") {
      hasFailed = true
      return
    }
    if line.hasPrefix("-") { return }
    guard let mapped = StatusLine(line).number(0) else { return nil }
    mappedSectors = mapped
  }
}

struct SnapshotStatus {
  var isInvalid = false
  var hasMergeFailed = false
  var usedSectors: UInt64 = 0
  var totalSectors: UInt64 = 0
  var metadataSectors: UInt64?

  init?(_ line: String) {
    if line.hasPrefix("Invalid") {
      isInvalid = true
    } else if line.hasPrefix("Merge failed") {
      hasMergeFailed = true
    } else {
      let words = StatusLine(line)
      guard let sectors = words.ratio(0) else { return nil }
      (usedSectors, totalSectors) = sectors
      metadataSectors = words.number(1)
    }
  }
}

struct WritecacheStatus {
  var errorCount: UInt64
  var totalBlocks: UInt64
  var freeBlocks: UInt64
  var writebackBlocks: UInt64

  init?(_ line: String) {
    let words = StatusLine(line)
    guard let errors = words.number(0), let total = words.number(1), let free = words.number(2),
      let writeback = words.number(3)
    else { return nil }
    errorCount = errors
    totalBlocks = total
    freeBlocks = free
    writebackBlocks = writeback
  }
}

struct IntegrityStatus {
  var mismatchCount: UInt64
  var dataSectors: UInt64
  /// How far the sums are computed; nil when they all are.
  var recalculatedSectors: UInt64?

  init?(_ line: String) {
    let words = StatusLine(line)
    guard let mismatches = words.number(0), let sectors = words.number(1) else { return nil }
    mismatchCount = mismatches
    dataSectors = sectors
    recalculatedSectors = words.number(2)
  }
}

struct VDOPoolStatus {
  var operatingMode: String
  var indexState: String
  var compressionState: String
  var usedBlocks: UInt64
  var totalBlocks: UInt64

  /// `DEVICE MODE RECOVERY INDEX COMPRESSION USED TOTAL`.
  init?(_ line: String) {
    let words = StatusLine(line)
    guard let mode = words.word(1), let index = words.word(3), let compression = words.word(4),
      let used = words.number(5), let total = words.number(6)
    else { return nil }
    operatingMode = String(mode)
    indexState = String(index)
    compressionState = String(compression)
    usedBlocks = used
    totalBlocks = total
  }
}
