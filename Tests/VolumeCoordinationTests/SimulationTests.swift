import ClusterTypes
import Testing

@testable import VolumeCoordination

@Suite struct SimulationTests {
  /// Whatever dies, and whenever: mappings agree, nothing stays suspended, and it ends.
  @Test func changesAmongTroublesKeepMappingsEqualAndEnd() {
    var committed = 0
    var aborted = 0
    var orphaned = 0
    for seed in UInt64(1)...400 {
      var cluster = SimulatedCluster(seed: seed)
      for node in cluster.nodes.values { cluster.schedule(.tick(node.instance), after: 0...500) }
      for _ in 0..<4 {
        runOneChange(&cluster)
        if let violation = cluster.violation {
          Issue.record("\(violation)\n\(cluster.transcript.suffix(60).joined(separator: "\n"))")
          return
        }
        switch cluster.result?.outcome {
        case .committed: committed += 1
        case .aborted: aborted += 1
        case nil: orphaned += 1
        }
      }
    }
    // The troubles must really have reached all three endings.
    #expect(committed > 400)
    #expect(aborted > 200)
    #expect(orphaned > 60)
  }

  private func runOneChange(_ cluster: inout SimulatedCluster) {
    let living = cluster.nodes.values.filter(\.isRunning).map(\.instance).sorted()
    guard let origin = living.randomElement(using: &cluster.random) else { return }
    cluster.changes += 1
    let kinds: [VolumeChange.Kind] = [.grow, .shrink, .refresh, .convert, .remove]
    let kind = kinds.randomElement(using: &cluster.random) ?? .grow
    let seqno = cluster.disk.committed
    guard
      let change = try? VolumeChange(
        id: VolumeRequestID(origin: origin, number: cluster.changes), volumeGroup: "vg",
        volumeGroupID: SimulatedCluster.volumeGroupID, logicalVolumes: ["lv"], oldSeqno: seqno,
        newSeqno: kind.changesMetadata ? seqno + 1 : seqno, kind: kind)
    else { return cluster.violate("no change can be described") }
    cluster.note("==== \(change)")
    cluster.result = nil
    var coordinator = ChangeCoordinator(
      change: change, participants: Set(cluster.nodes.values.map(\.instance)))
    let effects = coordinator.start(at: cluster.now)
    cluster.coordinator = coordinator
    cluster.carryOut(effects, of: origin)
    if cluster.random.chance(70) {
      for _ in 0..<Int.random(in: 1...2, using: &cluster.random) {
        let trouble = SimulatedCluster.Trouble.allCases.randomElement(using: &cluster.random)
        let node = cluster.random.chance(40) ? origin : living.randomElement(using: &cluster.random)
        if let trouble, let node {
          cluster.schedule(.trouble(trouble, node.node), after: 0...400)
        }
      }
    }
    runUntilQuiet(&cluster)
  }

  /// Everything ends within five minutes of virtual time, and on the committed mapping.
  private func runUntilQuiet(_ cluster: inout SimulatedCluster) {
    let limit = cluster.now + .seconds(300)
    repeat {
      guard cluster.step(), cluster.now < limit else {
        return cluster.violate(
          "it does not end: \(cluster.coordinator?.waitingFor ?? "the coordinator is over"); "
            + cluster.nodes.values.flatMap(\.participant.openChanges).joined(separator: " "))
      }
      if cluster.violation != nil { return }
    } while !cluster.isQuiet
    for node in cluster.nodes.values
    where node.live != cluster.disk.committed || node.isSuspended || node.inactive != nil {
      cluster.violate("node \(node.instance.node) is left on \(node.live)")
    }
  }
}
