import ClusterSimulation
import LockProtocol
import Testing

@testable import LockManager

/// The queue of a resource, which has forms for few and for many locks, against a list.
struct LockQueueTests {
  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func keepsTheOrderOfAList(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var queue = LockQueue()
    var list: [LockID] = []
    for step in 1...2000 as ClosedRange<UInt32> {
      if list.isEmpty || Int.random(in: 0..<list.count + 4, using: &random) < 4 {
        let place = Int.random(in: 0...list.count, using: &random)
        queue.insert(LockID(step), at: place)
        list.insert(LockID(step), at: place)
      } else {
        let id = list.remove(at: .random(in: 0..<list.count, using: &random))
        queue.remove(id)
      }
      #expect(Array(queue) == list && queue.count == list.count && queue.first == list.first)
    }
  }
}
