import ClusterTypes
import Testing

@testable import LVMFrontends

/// Locks of LVs that nodes take for activations which they carry out together.
@Suite struct VolumeLockTests {
  private let node1 = TestCluster.node1
  private let node2 = TestCluster.node2

  private func started() -> TestCluster {
    var cluster = TestCluster(nodes: 2)
    for node in [node1, node2] { #expect(cluster.start("vg1", on: node) == 0) }
    return cluster
  }

  private func change(
    _ cluster: inout TestCluster, _ wish: LockWish, on node: NodeID, mayWeaken: Bool = false
  ) -> VolumeLockAnswer? {
    let id = VolumeLockID(1)
    cluster.nodes[node]?.volumeLocks[id] = nil
    let request = VolumeLockRequest(
      vg: "vg1", lvUUID: "u1", lvName: "lv1", wish: wish, owner: "clvm of node 1",
      mayWeaken: mayWeaken)
    cluster.send(.changeVolumeLock(id, request), to: node)
    return cluster.nodes[node]?.volumeLocks[id]
  }

  @Test func itIsTheLockThatLvchangeTakes() {
    var cluster = started()
    for node in [node1, node2] {
      #expect(
        change(&cluster, .lock(.shared), on: node) == VolumeLockAnswer(.success, previous: nil))
      #expect(cluster.nodes[node]?.records == ["u1": .shared])
    }
    let command = cluster.connect(to: node1)
    #expect(cluster.ask(Request.lv("sh", persistent: true), from: command) == -114)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: command) == -11)
    #expect(cluster.ask(Request.lv("un", persistent: true), from: command) == 0)
    #expect(cluster.nodes[node1]?.records == [:])
    #expect(change(&cluster, .unlock, on: node2) == VolumeLockAnswer(.success, previous: .shared))
    #expect(cluster.nodes[node2]?.records == [:])
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: command) == 0)
  }

  @Test func aRefusalNamesTheHolder() {
    var cluster = started()
    let command = cluster.connect(to: node2)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: command) == 0)
    let answer = change(&cluster, .lock(.shared), on: node1)
    #expect(answer?.result == .heldElsewhere)
    #expect(answer?.isDone == false)
    #expect(answer?.obstacle?.contains("node 2, lvchange[") == true)
    #expect(answer?.obstacle?.hasSuffix("for active volume lv1, ex for 7 s") == true)
    #expect(cluster.nodes[node1]?.records == [:])
  }

  @Test func theModeOfBeforeIsTold() {
    var cluster = started()
    #expect(change(&cluster, .lock(.exclusive), on: node1)?.previous == nil)
    #expect(
      change(&cluster, .lock(.exclusive), on: node1)
        == VolumeLockAnswer(.alreadyHeld, previous: .exclusive))
    #expect(
      change(&cluster, .lock(.shared), on: node1)
        == VolumeLockAnswer(.exists, previous: .exclusive))
    #expect(cluster.nodes[node1]?.records == ["u1": .exclusive])
    #expect(
      change(&cluster, .lock(.shared), on: node1, mayWeaken: true)
        == VolumeLockAnswer(.success, previous: .exclusive))
    #expect(change(&cluster, .lock(.shared), on: node2)?.isDone == true)
    #expect(
      change(&cluster, .lock(.exclusive), on: node1)?.result == .heldElsewhere)
    #expect(cluster.nodes[node1]?.records == ["u1": .shared])
    #expect(change(&cluster, .unlock, on: node1)?.previous == .shared)
    #expect(change(&cluster, .unlock, on: node1) == VolumeLockAnswer(.notFound, previous: nil))
  }

  @Test func othersAreToldWhoHasIt() {
    var cluster = started()
    #expect(change(&cluster, .lock(.exclusive), on: node1)?.isDone == true)
    let command = cluster.connect(to: node2)
    cluster.send(Request.lv("ex", persistent: true), from: command)
    let reply = cluster.reply(to: command)
    #expect(reply?.result == -11)
    #expect(reply?.fields.string("owner_name") == "node 1, clvm of node 1 for active volume lv1")
  }

  @Test func everyRequestIsAnswered() {
    var cluster = TestCluster()
    #expect(change(&cluster, .lock(.shared), on: node1)?.result == .noLockspace)
    #expect(cluster.start("vg1") == 0)
    cluster.send(.clusterChanged(isRunning: true, isQuorate: false), to: node1)
    #expect(change(&cluster, .lock(.shared), on: node1)?.result == .noLockspace)
    cluster.send(.clusterChanged(isRunning: true, isQuorate: true), to: node1)
    let killer = cluster.connect()
    #expect(cluster.ask(Request.simple("kill_vg"), from: killer) == 0)
    #expect(change(&cluster, .lock(.shared), on: node1)?.result == .killed)
    #expect(change(&cluster, .unlock, on: node1)?.result == .notFound)
  }
}
