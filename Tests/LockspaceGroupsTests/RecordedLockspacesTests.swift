import ClusterMembership
import ClusterTypes
import Testing

@testable import LockspaceGroups

@Suite struct RecordedLockspacesTests {
  private let name = LockspaceName("alpha")!
  private let slots = (0..<3).compactMap { NodeSlot($0) }

  /// Three configured nodes, of which `members` are in the view, in incarnations 10, 11, 12.
  private func record(members: [Int], removed: [Int] = []) -> Record {
    let nodes = slots.compactMap { slot in
      NodeID(Int32(slot.index) + 1).map {
        ConfiguredNode(slot: slot, id: $0, name: "n\($0)", addresses: [])
      }
    }
    var record = Record(
      clusterID: 1, configuration: ClusterConfiguration(nodes: nodes, timers: .standard))
    record.viewID = 4
    record.members = members.map(member)
    record.removed = removed.map { RemovedMember(member: member($0), sinceView: 4) }
    return record
  }

  private func member(_ index: Int) -> ViewMember {
    ViewMember(
      slot: slots[index], incarnation: Incarnation(UInt64(10 + index)),
      bootID: BootID(high: 1, low: 2), capabilities: Capabilities(), isDirty: true,
      longestLease: 6000)
  }

  private func instance(_ index: Int) -> NodeInstance {
    NodeInstance(NodeID(Int32(index + 1))!, Incarnation(UInt64(10 + index)))
  }

  private func start(_ generation: UInt64, _ members: [Int]) -> EmbeddedEffect {
    .startSpace(
      name, kind: LockspaceKind.kernel.rawValue, generation: generation,
      members: members.map {
        NodeInstanceSlot(slot: slots[$0], incarnation: Incarnation(UInt64(10 + $0)))
      })
  }

  @Test func whoLeftIsInTheViewAndWhoFailedIsNot() throws {
    var groups = RecordedLockspaces()
    let all = record(members: [0, 1, 2])
    guard case .start(let first)? = groups.driverEffect(for: start(1, [0, 1, 2]), record: all)
    else { return #expect(Bool(false)) }
    #expect(first.isFirstStart && first.failed.isEmpty && first.left.isEmpty)
    // Node 2 left the lockspace, node 3 died.
    let later = record(members: [0, 1], removed: [2])
    guard case .start(let second)? = groups.driverEffect(for: start(2, [0]), record: later)
    else { return #expect(Bool(false)) }
    #expect(second.left == [instance(1)] && second.failed == [instance(2)])
    #expect(!second.isFirstStart && second.members == [instance(0)])
  }

  @Test func whoseDaemonWasStartedAgainHasFailedInTheDaemonsLockspaces() throws {
    func start(_ generation: UInt64, _ kind: LockspaceKind) -> EmbeddedEffect {
      .startSpace(
        name, kind: kind.rawValue, generation: generation,
        members: [0, 1].map {
          NodeInstanceSlot(slot: slots[$0], incarnation: Incarnation(UInt64(10 + $0)))
        })
    }
    for kind in [LockspaceKind.kernel, .inHouse] {
      var groups = RecordedLockspaces()
      var record = record(members: [0, 1])
      _ = groups.driverEffect(for: start(1, kind), record: record)
      record.members[1].life = 2
      guard case .start(let second)? = groups.driverEffect(for: start(2, kind), record: record)
      else { return #expect(Bool(false)) }
      #expect(second.failed == (kind == .inHouse ? [instance(1)] : []))
      #expect(second.left.isEmpty && second.members == [instance(0), instance(1)])
    }
  }

  @Test func statusNamesWhatIsAwaited() {
    var record = record(members: [0, 1], removed: [2])
    record.spaces = [
      Space(
        name: name, kind: LockspaceKind.kernel.rawValue, generation: 7, phase: .stopping,
        members: [slots[0], slots[1]], leaving: [], stuckCount: 0)
    ]
    let agreement = RecordedAgreement(
      record: record, local: instance(0), life: 0, stopped: { $0 == 7 ? [slots[1]] : [] },
      running: { _ in [] }, fenceNote: { "asked about \($0)" })
    #expect(agreement.lockspaces.map(\.mustStop) == [[instance(0).node, instance(1).node]])
    #expect(agreement.lockspaces.first?.phase == .stopping(stopped: [instance(1).node]))
    #expect(agreement.unfencedNodes.map(\.instance) == [instance(2)])
    #expect(
      agreement.lockspaces.flatMap(agreement.waits) == [
        "node 1 has not stopped",
        "lockspace alpha waits for the fence of node n3 (3): asked about 3",
      ])
    #expect(!agreement.isStartedHere(name))
  }

  /// Nothing waits for a node that reservations keep away, and its death is still to be proven.
  @Test func nodeThatIsKeptAwayIsNotWaitedFor() {
    var record = record(members: [0, 1], removed: [2])
    record.removed[0].exclusion = 5
    let agreement = RecordedAgreement(
      record: record, local: instance(0), life: 0, stopped: { _ in [] }, running: { _ in [] },
      fenceNote: { _ in nil })
    #expect(agreement.unfencedNodes == [] && agreement.fenceWaits == [])
    #expect(agreement.unprovenNodes.map(\.instance) == [instance(2)])
  }

  @Test func inALifeThatIsNotToldNoLockspaceOfTheDaemonIsStarted() {
    var record = record(members: [0, 1])
    record.members[0].life = 1
    for kind in [LockspaceKind.kernel, .inHouse] {
      record.spaces = [
        Space(
          name: name, kind: kind.rawValue, generation: 7, phase: .started, members: [slots[0]],
          leaving: [], stuckCount: 0)
      ]
      for life: UInt32 in [1, 2] {
        let agreement = RecordedAgreement(
          record: record, local: instance(0), life: life, stopped: { _ in [] },
          running: { _ in [] })
        #expect(agreement.isStartedHere(name) == (life == 1 || kind == .kernel))
      }
    }
  }
}
