import ClusterMembership
import ClusterTypes
import LockspaceGroups
import Testing

/// Membership and groups together under random faults: see `SimulatedCluster.doWork` for the
/// rules that every start is checked against.
@Suite struct ClusterSimulationTests {
  private static let names = ["alpha", "beta"].compactMap { LockspaceName($0) }

  private func step(_ cluster: inout SimulatedCluster) {
    let ids = cluster.ids
    guard let id = ids.randomElement(using: &cluster.random),
      let other = ids.filter({ $0 != id }).randomElement(using: &cluster.random),
      let name = Self.names.randomElement(using: &cluster.random)
    else { return }
    switch Int.random(in: 0..<1000, using: &cluster.random) {
    case ..<600: cluster.deliverOne()
    case ..<800: cluster.doWork(at: id)
    case ..<940: cluster.advance(.milliseconds(Int.random(in: 1...200, using: &cluster.random)))
    case ..<955: toggle(name, at: id, &cluster)
    case ..<960: cut(id, other, &cluster)
    case ..<980: heal(id, other, &cluster)
    case ..<983: killIfMajorityStays(id, &cluster)
    case ..<990: if cluster.nodes[id]?.isAlive == false { cluster.powerOn(id) }
    case ..<995: cluster.replaceEvicted()
    default: cluster.fenceRemoved()
    }
    if cluster.corosync != nil { stepCorosync(id, &cluster) }
  }

  private func stepCorosync(_ id: NodeID, _ cluster: inout SimulatedCluster) {
    switch Int.random(in: 0..<1000, using: &cluster.random) {
    case ..<600: cluster.hearCorosync(at: id)
    case ..<603:
      var parts: [[NodeID]] = [[], []]
      for node in cluster.ids { parts[cluster.random.chance(50) ? 0 : 1].append(node) }
      cluster.partition(parts)
    case ..<606: cluster.partition([cluster.ids])
    case ..<608: if cluster.nodes[id]?.isAlive == true { cluster.endDaemon(id) }
    case ..<610: cluster.kill(id)
    default: break
    }
  }

  private func toggle(_ name: LockspaceName, at id: NodeID, _ cluster: inout SimulatedCluster) {
    guard let node = cluster.nodes[id], node.isAlive else { return }
    if node.wanted.contains(name) {
      guard node.running[name] != nil else { return }
      cluster.nodes[id]?.wanted.remove(name)
      cluster.nodes[id]?.releasing.insert(name)
      cluster.feed(.leave(name, .kernel), to: id)
    } else if !node.releasing.contains(name) {
      cluster.nodes[id]?.wanted.insert(name)
      cluster.feed(.join(name, .kernel), to: id)
    }
  }

  private func cut(_ id: NodeID, _ other: NodeID, _ cluster: inout SimulatedCluster) {
    cluster.cut.insert(cluster.pair(id, other))
    cluster.disconnect(id, other)
  }

  private func heal(_ id: NodeID, _ other: NodeID, _ cluster: inout SimulatedCluster) {
    cluster.cut.remove(cluster.pair(id, other))
    cluster.connect(id, other)
  }

  /// The provider keeps nothing on disk: a majority that remembers must survive.
  private func killIfMajorityStays(_ id: NodeID, _ cluster: inout SimulatedCluster) {
    guard cluster.corosync == nil else { return }
    guard let newest = cluster.views.values.max(by: { $0.id < $1.id }) else { return }
    let remembering = cluster.nodes.values.filter {
      $0.isAlive && $0.provider.view.id == newest.id && $0.member.node != id
    }
    if remembering.count > cluster.ids.count / 2 { cluster.kill(id) }
  }

  /// No more faults: everything must come to rest, with every wanted lockspace running.
  private func settle(_ cluster: inout SimulatedCluster) {
    cluster.cut = []
    cluster.partition([cluster.ids])
    for round in 0..<6000 {
      if round % 50 == 0 {
        cluster.replaceEvicted()
        for id in cluster.ids {
          if cluster.nodes[id]?.isAlive == false { cluster.powerOn(id) }
          for other in cluster.ids where other > id { cluster.connect(id, other) }
        }
        cluster.fenceRemoved()
      }
      cluster.deliverOne()
      cluster.deliverOne()
      for id in cluster.ids { cluster.hearCorosync(at: id) }
      if let id = cluster.ids.randomElement(using: &cluster.random) { cluster.doWork(at: id) }
      cluster.advance(.milliseconds(20))
    }
  }

  @Test(arguments: [false, true]) func noSeedBreaksTheStartRules(withCorosync: Bool) throws {
    var views = 0
    var starts = 0
    var vouchedFor = 0
    for seed in UInt64(1)...100 {
      var cluster = SimulatedCluster(
        count: Int32(3 + seed % 3), seed: seed, withCorosync: withCorosync)
      for _ in 0..<4000 { step(&cluster) }
      settle(&cluster)
      try #require(cluster.violations.isEmpty, "seed \(seed): \(cluster.violations)")
      let newest = try #require(cluster.views.values.max { $0.id < $1.id })
      #expect(newest.members.count == cluster.ids.count, "seed \(seed): not all came back")
      for node in cluster.nodes.values {
        #expect(node.provider.view == newest, "seed \(seed): node \(node.member.node)")
        for name in Self.names {
          let runs = node.running[name] != nil
          #expect(
            runs == node.wanted.contains(name),
            "seed \(seed): node \(node.member.node), \(name), runs: \(runs)")
        }
      }
      views += cluster.views.count
      starts += cluster.deliveryCount
      vouchedFor += cluster.vouchedFor
    }
    #expect(views > 600, "the faults must have led to many views, not \(views)")
    #expect(vouchedFor > 0, "some daemons must have vouched for their earlier lives")
    #expect(starts > 3000, "and there must have been traffic, not \(starts) messages")
  }
}
