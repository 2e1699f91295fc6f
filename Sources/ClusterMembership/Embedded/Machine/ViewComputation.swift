/// The choice of a view's members from who hears whom (membership design, section 7): pure sets.
struct ViewComputation {
  /// For each slot, the slots with which its link is good in both directions.
  var links: [NodeSlot: NodeSet]
  /// Who may be a member.
  var candidates: NodeSet
  var current: NodeSet
  var votes: (NodeSet) -> Int

  /// The best set of candidates that all hear each other and, as far as given, `required`: most votes,
  /// then most current members, then fewest bad links in total, then the smallest list of slots.
  func best(containing required: NodeSet, hearing leader: NodeSlot?) -> NodeSet {
    var pool = candidates
    if let leader { pool = pool.intersection((links[leader] ?? []).union([leader])) }
    for slot in required { pool = pool.intersection((links[slot] ?? []).union([slot])) }
    var best: (rank: Rank, set: NodeSet)?
    expand(required, pool.subtracting(required), [], &best)
    return best?.set ?? required
  }

  private struct Rank: Comparable {
    var votes: Int
    var current: Int
    var badLinks: Int
    var slots: UInt64

    static func < (left: Self, right: Self) -> Bool {
      if left.votes != right.votes { return left.votes < right.votes }
      if left.current != right.current { return left.current < right.current }
      if left.badLinks != right.badLinks { return left.badLinks > right.badLinks }
      // Of two equally large sets the one with the lower slot at the first difference.
      let difference = left.slots ^ right.slots
      return right.slots & (difference & ~(difference &- 1)) != 0
    }
  }

  /// Bron-Kerbosch with a pivot; at most 3^(n/3) maximal cliques.
  private func expand(
    _ chosen: NodeSet, _ open: NodeSet, _ done: NodeSet, _ best: inout (rank: Rank, set: NodeSet)?
  ) {
    if open.isEmpty && done.isEmpty {
      let rank = rank(chosen)
      if best.map({ $0.rank < rank }) ?? true { best = (rank, chosen) }
      return
    }
    let pivot = open.union(done).max { neighbours($0, open).count < neighbours($1, open).count }
    var open = open
    var done = done
    let skipped = pivot.map { neighbours($0, open) } ?? []
    for slot in open.subtracting(skipped) {
      let near = links[slot] ?? []
      expand(
        chosen.union([slot]), open.intersection(near), done.intersection(near), &best)
      open.remove(slot)
      done.insert(slot)
    }
  }

  private func neighbours(_ slot: NodeSlot, _ set: NodeSet) -> NodeSet {
    set.intersection(links[slot] ?? [])
  }

  private func rank(_ set: NodeSet) -> Rank {
    var bad = 0
    for slot in set { bad += candidates.subtracting((links[slot] ?? []).union([slot])).count }
    return Rank(
      votes: votes(set), current: set.intersection(current).count, badLinks: bad, slots: set.bits)
  }
}
