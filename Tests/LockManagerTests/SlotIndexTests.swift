import ClusterSimulation
import Testing

@testable import LockManager

@Suite struct SlotIndexTests {
  /// Few hashes, so that entries collide and push each other along.
  @Test func findsWhatADictionaryFinds() {
    for seed in 0..<50 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      var index = SlotIndex()
      var twin: [Int: UInt32] = [:]
      for _ in 0..<500 {
        let slot = Int.random(in: 0..<64, using: &random)
        if let hash = twin[slot] {
          index.remove(slot, hash: hash)
          twin[slot] = nil
        } else {
          let hash = UInt32.random(in: 0..<12, using: &random) &* 0x4000_0001
          index.insert(slot, hash: hash)
          twin[slot] = hash
        }
        #expect(index.count == twin.count, "seed \(seed)")
        for slot in 0..<64 {
          let hash = twin[slot] ?? 0
          let found = index.find(hash) { $0 == slot }
          #expect(found == (twin[slot] == nil ? nil : slot), "seed \(seed), slot \(slot)")
        }
      }
    }
  }
}
