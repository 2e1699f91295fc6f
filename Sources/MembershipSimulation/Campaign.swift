/// What many runs showed together.
package struct Campaign: Sendable {
  package private(set) var runs = 0
  package private(set) var failures: [(seed: UInt64, violation: String)] = []
  package private(set) var hits: [Situation: Int] = [:]
  private var views = 0
  private var starts = 0
  private var resets = 0
  private var messages = 0
  private var events = 0

  package init() {}

  package mutating func add(_ world: MembershipWorld, seed: UInt64) {
    runs += 1
    for violation in world.violations { failures.append((seed, violation)) }
    for situation in world.situations { hits[situation, default: 0] += 1 }
    views += world.views
    starts += world.starts
    resets += world.resets
    messages += world.messagesSent
    events += world.eventCount
  }

  package mutating func add(_ other: Campaign) {
    runs += other.runs
    failures += other.failures
    hits.merge(other.hits, uniquingKeysWith: +)
    views += other.views
    starts += other.starts
    resets += other.resets
    messages += other.messages
    events += other.events
  }

  package var unseen: [Situation] { Situation.allCases.filter { hits[$0] == nil } }
  package var isGood: Bool { failures.isEmpty && unseen.isEmpty }

  package var report: [String] {
    var lines = [
      "\(runs) runs: \(views) views, \(starts) kernel starts, \(resets) machines off, "
        + "\(messages) messages, \(events) events"
    ]
    for situation in Situation.allCases {
      let count = String(hits[situation] ?? 0)
      lines.append(
        String(repeating: " ", count: max(0, 6 - count.count)) + count + "  " + situation.rawValue)
    }
    for failure in failures.prefix(20) {
      lines.append("seed \(failure.seed): \(failure.violation)")
    }
    lines.append(
      failures.isEmpty
        ? "no violation" : "\(Set(failures.map(\.seed)).count) seeds with violations")
    if !unseen.isEmpty {
      lines.append("\(unseen.count) situations never happened")
    }
    return lines
  }
}
