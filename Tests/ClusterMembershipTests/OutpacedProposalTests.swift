import ClusterTypes
import Testing

@testable import ClusterMembership

/// Two nodes have formed a cluster when the one with the lowest id comes: its first ballot is lower
/// than what they have promised. It must not wait for a time-out to learn that.
@Suite struct OutpacedProposalTests {
  private static let roundTimeout = Duration.seconds(60)

  private func provider(_ id: Int32) throws -> ExternalProvider {
    let nodes = try (1...3).map { try #require(NodeID($0)) }
    let node = try #require(NodeID(id))
    let local = Member(
      instance: NodeInstance(node, Incarnation(1)), bootID: "boot", startedClean: true)
    return ExternalProvider(
      .init(
        local: local, nodes: nodes, settle: .milliseconds(10), linkGrace: .milliseconds(20),
        roundTimeout: Self.roundTimeout))
  }

  /// Delivers everything among `ids` until nothing is under way, then lets time pass.
  private func run(
    _ providers: inout [Int32: ExternalProvider], _ start: [(Int32, MembershipInput)],
    until end: UInt64, from begin: UInt64
  ) {
    var queue = start
    for moment in stride(from: begin, through: end, by: 10) {
      let now = Timestamp(milliseconds: moment)
      queue += providers.keys.sorted().map { ($0, .timer) }
      while !queue.isEmpty {
        let (id, input) = queue.removeFirst()
        var effects: [MembershipEffect] = []
        providers[id]?.handle(input, at: now, effects: &effects)
        for effect in effects {
          switch effect {
          case .send(let bytes, let target):
            if let sender = NodeID(id) {
              queue.append((target.rawValue, .received(bytes, from: sender)))
            }
          case .snapshotNeeded: queue.insert((id, .snapshot([])), at: 0)
          case .multicast, .reset, .deliver, .installed, .quorum, .evicted, .wake, .report: break
          }
        }
      }
    }
  }

  private func channel(
    _ left: Int32, _ right: Int32, _ providers: [Int32: ExternalProvider]
  ) -> [(Int32, MembershipInput)] {
    guard let one = providers[left]?.configuration.local,
      let two = providers[right]?.configuration.local
    else { return [] }
    return [(left, .channelOpened(two)), (right, .channelOpened(one))]
  }

  @Test func aLateNodeWithTheLowestIdIsAdmittedWithoutATimeout() throws {
    var providers = [Int32(2): try provider(2), 3: try provider(3)]
    run(&providers, channel(2, 3, providers), until: 200, from: 0)
    #expect(providers[2]?.view.members.count == 2)
    providers[1] = try provider(1)
    run(
      &providers, channel(1, 2, providers) + channel(1, 3, providers), until: 1000, from: 210)
    for id in Int32(1)...3 {
      #expect(providers[id]?.view.members.count == 3, "node \(id), long before the time-out")
    }
  }
}
