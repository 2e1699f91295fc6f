import ClusterMembership
import ClusterSimulation
import ClusterTypes

/// corosync on N nodes, as CPG and votequorum describe themselves: one order in every part of the
/// network; nodes that go on together have been delivered the same before they do; word on quorum
/// comes when it likes.
struct SimulatedProcessGroup {
  private enum Item {
    case message([UInt8], GroupProcess)
    case members([GroupProcess])
  }

  /// Nodes that pass one token.
  private struct Part {
    var ring: GroupRing
    var log: [Item] = []
  }

  private let nodeCount: Int
  private var parts: [GroupRing: Part] = [:]
  private var partOf: [NodeID: GroupRing] = [:]
  private var sequence: UInt64 = 0
  private(set) var processes: [NodeID: GroupProcess] = [:]
  /// How much of its part's log a node's process was delivered.
  private var cursors: [NodeID: Int] = [:]
  /// What comes before that: the end of an earlier part.
  private var backlogs: [NodeID: [GroupEvent]] = [:]
  private var quorumWords: [NodeID: [GroupEvent]] = [:]

  init(nodeCount: Int) { self.nodeCount = nodeCount }

  /// The nodes with corosync, in their present parts.
  var components: [[NodeID]] {
    parts.keys.sorted { ($0.sequence, $0.representative) < ($1.sequence, $1.representative) }
      .map { ring in partOf.filter { $0.value == ring }.keys.sorted() }.filter { !$0.isEmpty }
  }

  func isRunning(_ node: NodeID) -> Bool { partOf[node] != nil }

  // MARK: - Processes

  /// A daemon joins the group.
  mutating func join(_ process: GroupProcess) {
    guard let ring = partOf[process.node] else { return }
    processes[process.node] = process
    backlogs[process.node] = []
    append(.members(members(in: ring)), to: ring)
    // It is delivered nothing that was before.
    cursors[process.node] = (parts[ring]?.log.count ?? 1) - 1
    quorumWords[process.node] = [word(on: ring)]
  }

  /// A daemon ends; corosync notices at once.
  mutating func leave(_ node: NodeID) {
    guard processes.removeValue(forKey: node) != nil, let ring = partOf[node] else { return }
    backlogs[node] = nil
    append(.members(members(in: ring)), to: ring)
  }

  mutating func multicast(_ bytes: [UInt8], from node: NodeID) {
    guard let process = processes[node], let ring = partOf[node] else { return }
    append(.message(bytes, process), to: ring)
  }

  private mutating func append(_ item: Item, to ring: GroupRing) { parts[ring]?.log.append(item) }

  private func members(in ring: GroupRing) -> [GroupProcess] {
    processes.values.filter { partOf[$0.node] == ring }.sorted()
  }

  private func word(on ring: GroupRing) -> GroupEvent {
    .quorum(partOf.filter { $0.value == ring }.count * 2 > nodeCount, ring)
  }

  // MARK: - Delivery

  func hasEvent(for node: NodeID) -> Bool {
    guard processes[node] != nil, let ring = partOf[node] else { return false }
    return backlogs[node]?.isEmpty == false || quorumWords[node]?.isEmpty == false
      || cursors[node] ?? 0 < parts[ring]?.log.count ?? 0
  }

  mutating func nextEvent(for node: NodeID, random: inout SeededGenerator) -> GroupEvent? {
    guard processes[node] != nil, let ring = partOf[node] else { return nil }
    let log = parts[ring]?.log ?? []
    let cursor = cursors[node] ?? 0
    let hasOther = backlogs[node]?.isEmpty == false || cursor < log.count
    if quorumWords[node]?.isEmpty == false, !hasOther || random.chance(30) {
      return quorumWords[node]?.removeFirst()
    }
    if backlogs[node]?.isEmpty == false { return backlogs[node]?.removeFirst() }
    guard cursor < log.count else { return nil }
    cursors[node] = cursor + 1
    return event(log[cursor], ring)
  }

  private func event(_ item: Item, _ ring: GroupRing) -> GroupEvent {
    switch item {
    case .message(let bytes, let process): .message(bytes, from: process)
    case .members(let processes): .configuration(processes, ring)
    }
  }

  // MARK: - Rings

  /// The network, or the set of machines, has changed: these nodes form rings now, the others are off.
  mutating func reform(_ components: [[NodeID]], random: inout SeededGenerator) {
    let old = partOf
    let oldParts = parts
    let running = Set(components.joined())
    for node in old.keys where !running.contains(node) { processes[node] = nil }
    partOf = [:]
    parts = [:]
    for component in components where !component.isEmpty {
      let before = component.compactMap { old[$0]?.sequence }.max() ?? 0
      sequence = max(sequence, before)
    }
    for component in components where !component.isEmpty {
      // Numbers in different parts may be equal, as corosync's.
      let ring = GroupRing(
        representative: UInt32(component[0].rawValue), sequence: sequence + 4)
      for node in component { partOf[node] = ring }
      parts[ring] = Part(ring: ring)
      var resent: [Item] = []
      for oldRing in Set(component.compactMap { old[$0] }).sorted(by: {
        $0.representative < $1.representative
      }) {
        let group = component.filter { old[$0] == oldRing }
        resent += goOn(group, from: oldRing, oldParts[oldRing]?.log ?? [], &random)
      }
      append(.members(members(in: ring)), to: ring)
      for item in resent { append(item, to: ring) }
      for node in component {
        cursors[node] = 0
        // Earlier words may still be on their way.
        quorumWords[node, default: []].append(word(on: ring))
      }
    }
    sequence += 4
  }

  /// Nodes of one part that stay together are delivered the same rest of its log. Returns what is sent
  /// again in their new part.
  private mutating func goOn(
    _ group: [NodeID], from ring: GroupRing, _ log: [Item], _ random: inout SeededGenerator
  ) -> [Item] {
    let living = group.filter { processes[$0] != nil }
    let furthest = living.map { cursors[$0] ?? 0 }.max() ?? log.count
    let cut = Int.random(in: min(furthest, log.count)...log.count, using: &random)
    let own = log[cut...].filter { item in
      if case .message(_, let sender) = item {
        processes[sender.node] == sender && group.contains(sender.node)
      } else {
        false
      }
    }
    // Beyond a message that is lost, those of nodes that stay together may still be delivered.
    let isDeliveredStill = random.chance(50)
    for node in living {
      let cursor = cursors[node] ?? 0
      for item in log[min(cursor, cut)..<cut] {
        backlogs[node, default: []].append(event(item, ring))
      }
      if isDeliveredStill { backlogs[node, default: []] += own.map { event($0, ring) } }
      let left = living.compactMap { processes[$0] }.sorted()
      if random.chance(50) { backlogs[node, default: []].append(.configuration(left, ring)) }
    }
    return isDeliveredStill ? [] : Array(own)
  }
}
