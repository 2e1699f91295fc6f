import ClusterTypes
import Testing

@testable import ClusterMembership

@Test func `a node that is the whole cluster forms its view without hearing anybody`() throws {
  let node = try #require(NodeID(1))
  let local = Member(
    instance: NodeInstance(node, Incarnation(7)), bootID: "boot", startedClean: true)
  var provider = ExternalProvider(
    .init(
      local: local, nodes: [node], settle: .milliseconds(200), linkGrace: .seconds(1),
      roundTimeout: .seconds(1)))
  var now = Timestamp(nanoseconds: 1_000_000_000)
  var effects: [MembershipEffect] = []
  provider.handle(.timer, at: now, effects: &effects)
  for _ in 0..<10 {
    for effect in effects {
      switch effect {
      case .wake(let moment): now = max(now, moment)
      case .snapshotNeeded:
        provider.handle(.snapshot([]), at: now, effects: &effects)
      default: break
      }
    }
    effects = []
    provider.handle(.timer, at: now, effects: &effects)
  }
  #expect(provider.view.nodes == [node])
  #expect(provider.isQuorate)
}
