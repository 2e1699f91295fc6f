import ClusterTypes
import Testing

@testable import LVMFrontends

/// Lockspaces, quorum, restarts.
@Suite struct LifecycleTests {
  private let node1 = TestCluster.node1
  private let node2 = TestCluster.node2
  private let global = LockDaemonMachine.globalName

  private func start(_ vg: String, arguments: String = "1.0.0:lab") -> String {
    """
    request="start_vg" vg_name="\(vg)" vg_lock_type="dlm" vg_lock_args="\(arguments)" \
    vg_uuid="UU" version=1 host_id=0 opts="none"
    """
  }

  @Test func startIsAnsweredWhenTheJoinHasEnded() {
    var cluster = TestCluster()
    let client = cluster.connect()
    let waiter = cluster.connect()
    let locker = cluster.connect()
    cluster.isHeldBack = true
    #expect(cluster.ask(start("vg1"), from: client) == nil)
    #expect(cluster.ask(start("vg1"), from: locker) == -211)
    #expect(cluster.ask(Request.simple("start_wait"), from: waiter) == nil)
    #expect(cluster.ask(Request.vg("sh"), from: locker) == nil)
    cluster.settle()
    for client in [client, waiter, locker] { #expect(cluster.reply(to: client)?.result == 0) }
    #expect(cluster.ask(start("vg1"), from: client) == -17)
  }

  @Test func failedJoinIsReportedToAllWhoWait() {
    var cluster = TestCluster()
    let client = cluster.connect()
    let waiter = cluster.connect()
    let locker = cluster.connect()
    cluster.isHeldBack = true
    cluster.manager.failingJoins = [node1]
    #expect(cluster.ask(start("vg1"), from: client) == nil)
    #expect(cluster.ask(Request.simple("start_wait"), from: waiter) == nil)
    #expect(cluster.ask(Request.vg("sh"), from: locker) == nil)
    cluster.settle()
    #expect(cluster.reply(to: client)?.result == -5)
    #expect(cluster.reply(to: waiter)?.result == -5)
    #expect(cluster.reply(to: locker)?.result == -210)
  }

  @Test func lockspaceThatDoesNotStartDoesNotHoldCommandsForEver() {
    var cluster = TestCluster()
    let client = cluster.connect()
    cluster.isHeldBack = true
    #expect(cluster.ask(Request.global("sh"), from: client) == nil)
    cluster.pass(.seconds(20))
    #expect(cluster.reply(to: client)?.result == -211)
  }

  @Test(arguments: ["1.0.0:other", "2.0.0:lab", "lab", "", "1.0.0:lab:lab", "x:lab"])
  func lockArgumentsThatDoNotFitAreRefused(_ arguments: String) {
    var cluster = TestCluster()
    #expect(cluster.ask(start("vg1", arguments: arguments), from: cluster.connect()) == -212)
  }

  @Test func vgWhoseNameLeavesNoRoomIsRefused() {
    var cluster = TestCluster()
    let client = cluster.connect()
    let long = String(repeating: "v", count: 61)
    #expect(cluster.ask(start(long), from: client) == -212)
    #expect(cluster.ask(start("global"), from: client) == -212)
    #expect(cluster.ask(Request.simple("init_vg", vg: long), from: client) == -212)
    #expect(cluster.ask(start(String(repeating: "v", count: 60)), from: client) == 0)
  }

  @Test func withoutQuorumReportsGoOnAndChangesFailCleanly() {
    var cluster = TestCluster(isQuorate: false)
    let client = cluster.connect()
    for mode in ["sh", "ex"] {
      cluster.send(Request.global(mode), from: client)
      let reply = cluster.reply(to: client)
      #expect(reply?.result == -210)
      #expect(reply?.flags == ["NO_LOCKSPACES", "NO_GL_LS"])
    }
    #expect(cluster.ask(Request.simple("running_lm"), from: client) == -37)
    #expect(cluster.ask(start("vg1"), from: client) == -214)
  }

  /// A node with a daemon that has just become a member, and has no lease yet.
  private func newMember() -> TestCluster {
    var cluster = TestCluster()
    cluster.send(.clusterChanged(isRunning: false, isQuorate: false), to: node1)
    cluster.send(.clusterChanged(isRunning: true, isQuorate: false), to: node1)
    return cluster
  }

  @Test func newMemberLetsStartsWaitForItsFirstLease() {
    var cluster = newMember()
    let starter = cluster.connect()
    let asker = cluster.connect()
    let gone = cluster.connect()
    #expect(cluster.ask(start("vg1"), from: starter) == nil)
    #expect(cluster.ask(Request.simple("running_lm"), from: asker) == nil)
    #expect(cluster.ask(start("vg2"), from: gone) == nil)
    cluster.close(gone)
    // A report goes on without locks.
    #expect(cluster.ask(Request.global("sh"), from: cluster.connect()) == -210)
    cluster.pass(.seconds(9))
    #expect(cluster.reply(to: starter) == nil)
    cluster.send(.clusterChanged(isRunning: true, isQuorate: true), to: node1)
    #expect(cluster.reply(to: starter)?.result == 0)
    #expect(cluster.reply(to: asker)?.result == 2)
    #expect(cluster.manager.members.count == 2, "vg1 and the global lockspace")
  }

  /// Seen with a suite that starts a volume group as soon as the socket is there.
  @Test func startedDaemonLetsStartsWaitForTheCluster() {
    var cluster = TestCluster(hasStarted: false)
    let early = cluster.connect()
    #expect(cluster.ask(start("vg1"), from: early) == nil)
    cluster.send(.clusterChanged(isRunning: false, isQuorate: false), to: node1)
    #expect(cluster.reply(to: early) == nil)
    cluster.send(.clusterChanged(isRunning: true, isQuorate: true), to: node1)
    #expect(cluster.reply(to: early)?.result == 0)
    // Where no cluster comes, nobody waits for longer than for a lease.
    cluster = TestCluster(hasStarted: false)
    let other = cluster.connect()
    #expect(cluster.ask(start("vg1"), from: other) == nil)
    cluster.pass(.seconds(10))
    #expect(cluster.reply(to: other)?.result == -214)
    #expect(cluster.ask(start("vg1"), from: cluster.connect()) == -214)
  }

  @Test func leaseThatDoesNotComeIsNotWaitedForLonger() {
    var cluster = newMember()
    let early = cluster.connect()
    #expect(cluster.ask(start("vg1"), from: early) == nil)
    cluster.pass(.seconds(10))
    #expect(cluster.reply(to: early)?.result == -214)
    #expect(cluster.ask(start("vg1"), from: cluster.connect()) == -214)
    // Nor by a member that leaves, or that had a lease and has lost it.
    cluster = newMember()
    let other = cluster.connect()
    #expect(cluster.ask(start("vg1"), from: other) == nil)
    cluster.send(.clusterChanged(isRunning: false, isQuorate: false), to: node1)
    #expect(cluster.reply(to: other)?.result == -214)
    cluster.send(.clusterChanged(isRunning: true, isQuorate: true), to: node1)
    cluster.send(.clusterChanged(isRunning: true, isQuorate: false), to: node1)
    #expect(cluster.ask(start("vg1"), from: cluster.connect()) == -214)
  }

  @Test func lostQuorumAnswersEverybodyWhoWaits() {
    var cluster = TestCluster(nodes: 2)
    #expect(cluster.start("vg1", on: node1) == 0)
    #expect(cluster.start("vg1", on: node2) == 0)
    let holder = cluster.connect(to: node2)
    let waiter = cluster.connect(to: node1)
    let owner = cluster.connect(to: node1)
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: owner) == 0)
    #expect(cluster.ask(Request.vg("ex"), from: waiter) == nil)
    cluster.isHeldBack = true
    #expect(cluster.ask(Request.lv("un", persistent: true), from: owner) == nil)
    cluster.send(.clusterChanged(isRunning: true, isQuorate: false), to: node1)
    #expect(cluster.reply(to: waiter)?.result == -210)
    #expect(cluster.reply(to: owner)?.result == 0)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: owner) == -210)
    cluster.settle()
    cluster.send(.clusterChanged(isRunning: true, isQuorate: true), to: node1)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: owner) == 0)
    #expect(cluster.ask(Request.vg("un"), from: holder) == 0)
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
  }

  @Test func stopAllThatWaitsEndsWithTheLastLVLock() {
    var cluster = TestCluster()
    #expect(cluster.start("vg1") == 0)
    let client = cluster.connect()
    let stopper = cluster.connect()
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: client) == 0)
    #expect(cluster.ask("request=\"stop_all\"\nopts =\"wait \"\n", from: stopper) == nil)
    #expect(cluster.ask(Request.lv("un", persistent: true), from: client) == 0)
    #expect(cluster.reply(to: stopper)?.result == 0)
    cluster.send("request = \"quit\"", from: client)
    #expect(cluster.reply(to: client)?.fields.integer("result") == 0)
    #expect(cluster.nodes[node1]?.hasQuit == true)
  }

  @Test func globalLockAskedForWhileItsLockspaceIsLeftStartsItAgain() {
    var cluster = TestCluster()
    #expect(cluster.start("vg1") == 0)
    let stopper = cluster.connect()
    let client = cluster.connect()
    cluster.isHeldBack = true
    cluster.send("request=\"stop_all\"\nopts =\"none\"\n", from: stopper)
    #expect(cluster.ask(Request.global("sh"), from: client) == nil)
    cluster.settle()
    #expect(cluster.reply(to: client)?.result == 0)
    #expect(cluster.manager.members[global] == [node1])
  }

  private func active(_ mode: LockMode) -> PersistentLock {
    PersistentLock(
      vg: "vg1", vgUUID: "UU", lockArguments: "1.0.0:lab", lvUUID: "u1", mode: mode)
  }

  @Test func activeLVsAreLockedAgainBeforeClientsAreAnswered() {
    var cluster = TestCluster()
    cluster.isHeldBack = true
    cluster.send(.adopt([active(.exclusive)]), to: node1)
    let client = cluster.connect()
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: client) == nil)
    #expect(cluster.ask(Request.simple("stop_vg"), from: cluster.connect()) == -16)
    cluster.settle()
    #expect(cluster.reply(to: client)?.result == -114)
    #expect(cluster.nodes[node1]?.records == ["u1": .exclusive])
  }

  @Test func adoptionWaitsForQuorumWithoutHoldingUpClients() {
    var cluster = TestCluster(isQuorate: false)
    cluster.send(.adopt([active(.exclusive)]), to: node1)
    let client = cluster.connect()
    #expect(cluster.ask(Request.vg("sh"), from: client) == -210)
    cluster.send(.clusterChanged(isRunning: true, isQuorate: true), to: node1)
    #expect(cluster.nodes[node1]?.records == ["u1": .exclusive])
  }

  @Test func lvDeactivatedBeforeItsAdoptionIsNotAdopted() {
    var cluster = TestCluster(isQuorate: false)
    cluster.send(.adopt([active(.exclusive)]), to: node1)
    #expect(cluster.ask(Request.lv("un", persistent: true), from: cluster.connect()) == 0)
    cluster.send(.clusterChanged(isRunning: true, isQuorate: true), to: node1)
    #expect(cluster.nodes[node1]?.records == [:])
    #expect(cluster.ask(Request.simple("stop_vg"), from: cluster.connect()) == 0)
  }

  @Test func adoptionAgainstAnotherHolderIsReported() {
    var cluster = TestCluster(nodes: 2)
    #expect(cluster.start("vg1", on: node2) == 0)
    let other = cluster.connect(to: node2)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: other) == 0)
    cluster.send(.adopt([active(.exclusive)]), to: node1)
    #expect(cluster.nodes[node1]?.failedAdoptions.map(\.lvUUID) == ["u1"])
    #expect(cluster.ask(Request.lv("un", persistent: true), from: other) == 0)
  }

  @Test func adoptionTakesSharedWhenExclusiveIsGone() {
    var cluster = TestCluster(nodes: 2)
    #expect(cluster.start("vg1", on: node2) == 0)
    #expect(cluster.ask(Request.lv("sh", persistent: true), from: cluster.connect(to: node2)) == 0)
    cluster.send(.adopt([active(.exclusive)]), to: node1)
    #expect(cluster.nodes[node1]?.records == ["u1": .shared])
    #expect(cluster.nodes[node1]?.failedAdoptions == [])
  }
}
