import ClusterSimulation

/// Changes bytes the way that breaks decoders: single bits, numbers at the edge of their range,
/// blocks moved, doubled and dropped, tokens of the format, ends cut off, halves of two inputs
/// joined.
public struct Mutator: Sendable {
  let dictionary: [[UInt8]]
  let maximumLength: Int

  public init(dictionary: [[UInt8]], maximumLength: Int) {
    self.dictionary = dictionary.filter { !$0.isEmpty }
    self.maximumLength = maximumLength
  }

  /// One to eight mutations, few more often than many.
  public func mutate(
    _ bytes: inout [UInt8], partner: [UInt8], using random: inout SeededGenerator
  ) {
    repeat {
      mutateOnce(&bytes, partner: partner, using: &random)
    } while random.chance(55)
    if bytes.count > maximumLength { bytes.removeLast(bytes.count - maximumLength) }
  }

  private func mutateOnce(
    _ bytes: inout [UInt8], partner: [UInt8], using random: inout SeededGenerator
  ) {
    guard !bytes.isEmpty else { return extend(&bytes, using: &random) }
    switch random.next() % 16 {
    case 0, 1: bytes[random.index(below: bytes.count)] ^= 1 << UInt8(random.next() % 8)
    case 2, 3: bytes[random.index(below: bytes.count)] = UInt8(truncatingIfNeeded: random.next())
    case 4, 5, 6: overwriteNumber(in: &bytes, using: &random)
    case 7: addToNumber(in: &bytes, using: &random)
    case 8: copyBlock(in: &bytes, using: &random)
    case 9: duplicateBlock(in: &bytes, using: &random)
    case 10: deleteBlock(in: &bytes, using: &random)
    case 11: splice(&bytes, with: partner, using: &random)
    case 12: insertToken(into: &bytes, using: &random)
    case 13: overwriteWithToken(in: &bytes, using: &random)
    case 14: bytes.removeLast(random.length(upTo: bytes.count))
    default: extend(&bytes, using: &random)
    }
  }

  // MARK: Numbers

  /// Where signs, widths and counts end.
  private static let edges: [UInt64] = [
    0, 1, 2, 3, 4, 15, 16, 24, 63, 64, 65, 100, 127, 128, 255, 256, 4095, 4096, 4097, 0x7FFF,
    0x8000, 0xFFFF, 0x1_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF,
    0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, .max,
  ]

  private func overwriteNumber(in bytes: inout [UInt8], using random: inout SeededGenerator) {
    let value = Self.edges[random.index(below: Self.edges.count)]
    changeNumber(in: &bytes, using: &random) { _ in value }
  }

  private func addToNumber(in bytes: inout [UInt8], using random: inout SeededGenerator) {
    let step = random.next() % 33
    changeNumber(in: &bytes, using: &random) { $0 &+ step &- 16 }
  }

  /// A number of 1, 2, 4 or 8 bytes in either byte order.
  private func changeNumber(
    in bytes: inout [UInt8], using random: inout SeededGenerator, _ change: (UInt64) -> UInt64
  ) {
    let width = min(1 << Int(random.next() % 4), bytes.count)
    var start = random.index(below: bytes.count - width + 1)
    // Fields are aligned more often than not.
    if random.chance(60) { start -= start % width }
    let isBigEndian = random.chance(15)
    var value: UInt64 = 0
    for index in 0..<width {
      let place = isBigEndian ? index : width - 1 - index
      value = value << 8 | UInt64(bytes[start + place])
    }
    value = change(value)
    for index in 0..<width {
      let place = isBigEndian ? width - 1 - index : index
      bytes[start + place] = UInt8(truncatingIfNeeded: value)
      value >>= 8
    }
  }

  // MARK: Blocks

  private func copyBlock(in bytes: inout [UInt8], using random: inout SeededGenerator) {
    let length = random.length(upTo: bytes.count)
    let from = random.index(below: bytes.count - length + 1)
    let to = random.index(below: bytes.count - length + 1)
    let block = Array(bytes[from..<(from + length)])
    bytes.replaceSubrange(to..<(to + length), with: block)
  }

  private func duplicateBlock(in bytes: inout [UInt8], using random: inout SeededGenerator) {
    let length = random.length(upTo: bytes.count)
    let from = random.index(below: bytes.count - length + 1)
    let block = Array(bytes[from..<(from + length)])
    bytes.insert(contentsOf: block, at: random.index(below: bytes.count + 1))
  }

  private func deleteBlock(in bytes: inout [UInt8], using random: inout SeededGenerator) {
    let length = random.length(upTo: bytes.count)
    let from = random.index(below: bytes.count - length + 1)
    bytes.removeSubrange(from..<(from + length))
  }

  /// The beginning of one, the end of the other.
  private func splice(
    _ bytes: inout [UInt8], with partner: [UInt8], using random: inout SeededGenerator
  ) {
    guard !partner.isEmpty else { return }
    bytes.removeSubrange(random.index(below: bytes.count + 1)...)
    bytes += partner[random.index(below: partner.count)...]
  }

  private func extend(_ bytes: inout [UInt8], using random: inout SeededGenerator) {
    let filler: UInt8? = random.chance(50) ? (random.chance(50) ? 0 : 0xFF) : nil
    for _ in 0..<random.length(upTo: 64) {
      bytes.append(filler ?? UInt8(truncatingIfNeeded: random.next()))
    }
  }

  // MARK: Tokens

  private func insertToken(into bytes: inout [UInt8], using random: inout SeededGenerator) {
    guard let token = token(using: &random) else { return extend(&bytes, using: &random) }
    bytes.insert(contentsOf: token, at: random.index(below: bytes.count + 1))
  }

  private func overwriteWithToken(in bytes: inout [UInt8], using random: inout SeededGenerator) {
    guard let token = token(using: &random) else { return copyBlock(in: &bytes, using: &random) }
    let start = random.index(below: bytes.count)
    bytes.replaceSubrange(start..<min(bytes.count, start + token.count), with: token)
  }

  private func token(using random: inout SeededGenerator) -> [UInt8]? {
    dictionary.isEmpty ? nil : dictionary[random.index(below: dictionary.count)]
  }
}

extension SeededGenerator {
  /// 0 ..< `count`, which is 1 or more.
  mutating func index(below count: Int) -> Int { Int(next() % UInt64(count)) }

  /// 1...`limit`, short ones more often; 0 if `limit` is 0.
  mutating func length(upTo limit: Int) -> Int {
    guard limit > 0 else { return 0 }
    let reach = min(limit, 1 << Int(next() % 10))
    return 1 + index(below: reach)
  }
}
