/// Finds slots of a table by the hash of what is in them: open addressing with linear probing.
///
/// The keys stay in the table alone, which says whether a slot holds the one that is looked for.
/// Smaller than a `Dictionary`, and several times as fast where a good hash is there already.
struct SlotIndex: Sendable {
  private struct Entry: Sendable {
    var hash: UInt32
    /// `free` marks an empty place.
    var slot: UInt32
    static let free: UInt32 = .max
  }

  /// As many as a power of two.
  private var entries: [Entry] = []
  private(set) var count = 0

  private var mask: Int { entries.count - 1 }

  func find(_ hash: UInt32, where isMatch: (Int) -> Bool) -> Int? {
    guard !entries.isEmpty else { return nil }
    var place = Int(hash) & mask
    while entries[place].slot != Entry.free {
      if entries[place].hash == hash, isMatch(Int(entries[place].slot)) {
        return Int(entries[place].slot)
      }
      place = (place + 1) & mask
    }
    return nil
  }

  /// The slot must not be there yet.
  mutating func insert(_ slot: Int, hash: UInt32) {
    if (count + 1) * 4 > entries.count * 3 { grow() }
    place(Entry(hash: hash, slot: UInt32(slot)))
    count += 1
  }

  private mutating func place(_ entry: Entry) {
    var place = Int(entry.hash) & mask
    while entries[place].slot != Entry.free { place = (place + 1) & mask }
    entries[place] = entry
  }

  private mutating func grow() {
    let old = entries
    entries = Array(
      repeating: Entry(hash: 0, slot: Entry.free), count: Swift.max(16, old.count * 2))
    for entry in old where entry.slot != Entry.free { place(entry) }
  }

  /// The slot must be there. What was pushed behind it moves up, so that every entry is found
  /// without a gap between its hash's place and its own.
  mutating func remove(_ slot: Int, hash: UInt32) {
    var hole = Int(hash) & mask
    while entries[hole].slot != UInt32(slot) {
      precondition(entries[hole].slot != Entry.free, "slot \(slot) is not in the index")
      hole = (hole + 1) & mask
    }
    var next = (hole + 1) & mask
    while entries[next].slot != Entry.free {
      let home = Int(entries[next].hash) & mask
      if (next - home) & mask >= (next - hole) & mask {
        entries[hole] = entries[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    entries[hole].slot = Entry.free
    count -= 1
  }
}
