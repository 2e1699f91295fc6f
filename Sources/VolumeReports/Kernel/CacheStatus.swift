/// The status line of a cache target.
struct CacheStatus {
  var hasFailed = false
  var metadata: (used: UInt64, total: UInt64) = (0, 0)
  var blocks: (used: UInt64, total: UInt64) = (0, 0)
  var readHits: UInt64 = 0
  var readMisses: UInt64 = 0
  var writeHits: UInt64 = 0
  var writeMisses: UInt64 = 0
  var demotions: UInt64 = 0
  var promotions: UInt64 = 0
  var dirtyBlocks: UInt64 = 0
  var features: [String] = []
  /// "key=value", the target's own before those of the policy.
  var settings: [String] = []
  var policy: String?
  var isReadOnly = false
  var needsCheck = false

  /// Nil when the line is not understood.
  init?(_ line: String) {
    if line.contains("Error") || line.contains("Fail") {
      hasFailed = true
      return
    }
    let words = StatusLine(line)
    guard let metadata = words.ratio(1), let blocks = words.ratio(3),
      let readHits = words.number(4), let readMisses = words.number(5),
      let writeHits = words.number(6), let writeMisses = words.number(7),
      let demotions = words.number(8),
      let promotions = words.number(9), let dirty = words.number(10)
    else { return nil }
    self.metadata = (metadata.part, metadata.whole)
    self.blocks = (blocks.part, blocks.whole)
    self.readHits = readHits
    self.readMisses = readMisses
    self.writeHits = writeHits
    self.writeMisses = writeMisses
    self.demotions = demotions
    self.promotions = promotions
    dirtyBlocks = dirty
    var position = 11
    guard let features = Self.list(words, &position),
      let coreSettings = Self.list(words, &position), let policy = words.word(position)
    else { return nil }
    position += 1
    guard let policySettings = Self.list(words, &position) else { return nil }
    self.features = features
    self.policy = String(policy)
    settings = Self.pairs(coreSettings) + Self.pairs(policySettings)
    let rest = words.words[position...]
    isReadOnly = rest.contains("ro")
    needsCheck = rest.contains("needs_check")
  }

  /// A count, and as many words.
  private static func list(_ words: StatusLine, _ position: inout Int) -> [String]? {
    guard let number = words.number(position), let count = Int(exactly: number),
      count <= words.words.count - position - 1
    else { return nil }
    let start = position + 1
    position = start + count
    return words.words[start..<position].map(String.init)
  }

  private static func pairs(_ words: [String]) -> [String] {
    stride(from: 0, to: words.count - 1, by: 2).map { words[$0] + "=" + words[$0 + 1] }
  }
}
