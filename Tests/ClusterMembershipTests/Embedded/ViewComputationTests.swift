import ClusterSimulation
import Testing

@testable import ClusterMembership

@Suite struct ViewComputationTests {
  /// Tries all subsets: slow, obvious.
  private func bruteForce(_ computation: ViewComputation, leader: NodeSlot) -> NodeSet {
    var best: (votes: Int, current: Int, bad: Int, set: NodeSet)?
    for bits in 1..<UInt64(256) {
      let set = NodeSet(bits: bits)
      guard set.isSubset(of: computation.candidates), set.contains(leader) else { continue }
      let isClique = set.allSatisfy { slot in
        set.subtracting([slot]).isSubset(of: computation.links[slot] ?? [])
      }
      guard isClique else { continue }
      let bad = set.reduce(0) { sum, slot in
        sum
          + computation.candidates.subtracting((computation.links[slot] ?? []).union([slot])).count
      }
      let rank = (computation.votes(set), set.intersection(computation.current).count, bad, set)
      guard let old = best else {
        best = rank
        continue
      }
      if (rank.0, rank.1, -rank.2) > (old.votes, old.current, -old.bad)
        || (rank.0, rank.1, rank.2) == (old.votes, old.current, old.bad)
          && Array(set).lexicographicallyPrecedes(Array(old.set))
      {
        best = rank
      }
    }
    return best?.set ?? []
  }

  @Test func cliqueIsTheBestOfAllSubsets() throws {
    let leader = try #require(NodeSlot(0))
    for seed in UInt64(1)...150 {
      var chance = SeededGenerator(seed: seed)
      let slots = (0..<8).compactMap { NodeSlot($0) }
      var links: [NodeSlot: NodeSet] = [:]
      for one in slots {
        for other in slots where other > one && chance.chance(70) {
          links[one, default: []].insert(other)
          links[other, default: []].insert(one)
        }
      }
      let computation = ViewComputation(
        links: links, candidates: NodeSet(slots),
        current: NodeSet(slots.filter { _ in chance.chance(60) })
      ) { $0.count }
      #expect(
        computation.best(containing: [leader], hearing: leader)
          == bruteForce(computation, leader: leader), "seed \(seed)")
    }
  }

  @Test func presumedDeadTimesAreThoseOfTheDesign() {
    let standard = MembershipTimers.standard
    #expect(standard.problems.isEmpty && MembershipTimers.lan.problems.isEmpty)
    let wait = standard.presumedDead(lease: standard.lease, watchdog: standard.watchdog)
    #expect((24_300...24_600).contains(wait / 1_000_000))
    var unsafe = standard
    unsafe.lease = 4000
    #expect(!unsafe.problems.isEmpty)
    #expect(unsafe.differences(from: standard).map(\.name) == ["lease"])
  }
}
