import ClusterTypes
import Testing

@testable import LVMFrontends

/// Conflicts with another node, and what happens on the way from a change to its release.
@Suite struct TwoNodeTests {
  private let node1 = TestCluster.node1
  private let node2 = TestCluster.node2

  private func started() -> TestCluster {
    var cluster = TestCluster(nodes: 2)
    #expect(cluster.start("vg1", on: node1) == 0)
    #expect(cluster.start("vg1", on: node2) == 0)
    return cluster
  }

  @Test func vgLockWaitsForAnotherNode() {
    var cluster = started()
    let holder = cluster.connect(to: node1)
    let waiter = cluster.connect(to: node2)
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
    #expect(cluster.ask(Request.vg("sh"), from: waiter) == nil)
    cluster.pass(.seconds(19))
    #expect(cluster.ask(Request.vg("un"), from: holder) == 0)
    #expect(cluster.reply(to: waiter)?.result == 0)
  }

  @Test func vgLockHeldTooLongByAnotherNodeIsRefused() {
    var cluster = started()
    let holder = cluster.connect(to: node1)
    let waiters = [cluster.connect(to: node2), cluster.connect(to: node2)]
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
    #expect(cluster.ask(Request.vg("sh"), from: waiters[0]) == nil)
    cluster.pass(.seconds(5))
    #expect(cluster.ask(Request.vg("ex"), from: waiters[1]) == nil)
    cluster.pass(.seconds(15))
    #expect(cluster.reply(to: waiters[0])?.result == -11)
    #expect(cluster.reply(to: waiters[1]) == nil)
    cluster.pass(.seconds(5))
    #expect(cluster.reply(to: waiters[1])?.result == -11)
    #expect(cluster.ask(Request.vg("un"), from: holder) == 0)
    #expect(
      cluster.ask(Request.vg("ex"), from: holder) == 0, "nobody may hold it for the dead wish")
  }

  @Test func lockThatCannotBeLoweredIsTriedAgainAndNotPretendedToBeFree() {
    var cluster = started()
    let holder = cluster.connect(to: node1)
    let other = cluster.connect(to: node2)
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
    #expect(cluster.ask(Request.update(7), from: holder) == 0)
    cluster.manager.failingLowerings = 2
    #expect(cluster.ask(Request.vg("un"), from: holder) == nil)
    #expect(cluster.ask(Request.vg("ex"), from: other) == nil)
    cluster.pass(.milliseconds(1_500))
    #expect(cluster.reply(to: holder) == nil)
    #expect(cluster.reply(to: other) == nil)
    cluster.pass(.milliseconds(1_000))
    #expect(cluster.reply(to: holder)?.result == 0)
    #expect(cluster.reply(to: other)?.result == 0)
    let version = cluster.nodes[node2]?.machine.lockspaces.values
      .compactMap { $0.resources[.volumeGroup]?.version }.max()
    #expect(version == 7, "what was written is published by the attempt that succeeds")
  }

  @Test func lvLockThatCannotBeGivenUpIsAnsweredAsFailedAndStillGivenUpLater() {
    var cluster = started()
    let holder = cluster.connect(to: node1)
    let other = cluster.connect(to: node2)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: holder) == 0)
    cluster.manager.failingLowerings = 10
    #expect(cluster.ask(Request.lv("un", persistent: true), from: holder) == nil)
    cluster.pass(.seconds(5))
    #expect(cluster.reply(to: holder)?.result == LockDaemonResult.failed.rawValue)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: other) == -11)
    cluster.pass(.seconds(6))
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: other) == 0)
  }

  @Test func lvLockOfAnotherNodeIsRefusedAtOnceAndNamesTheHolder() {
    var cluster = started()
    let holder = cluster.connect(to: node1)
    let other = cluster.connect(to: node2)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: holder) == 0)
    cluster.send(Request.lv("ex", persistent: true), from: other)
    let reply = cluster.reply(to: other)
    #expect(reply?.result == -11)
    #expect(reply?.fields.integer("owner_host_id") == 1)
    #expect(cluster.ask(Request.lv("un", persistent: true), from: holder) == 0)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: other) == 0)
  }

  @Test func sharedLVLockIsNotRaisedWhileAnotherNodeHasIt() {
    var cluster = started()
    let first = cluster.connect(to: node1)
    let second = cluster.connect(to: node2)
    #expect(cluster.ask(Request.lv("sh", persistent: true), from: first) == 0)
    #expect(cluster.ask(Request.lv("sh", persistent: true), from: second) == 0)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: first) == -11)
    #expect(cluster.nodes[node1]?.records == ["u1": .shared])
    #expect(cluster.ask(Request.lv("un", persistent: true), from: second) == 0)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: first) == 0)
    #expect(cluster.nodes[node1]?.records == ["u1": .exclusive])
  }

  @Test func clientThatDiesWhileItWaitsForAnotherNodeGetsNothing() {
    var cluster = started()
    let holder = cluster.connect(to: node1)
    let waiter = cluster.connect(to: node2)
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
    #expect(cluster.ask(Request.vg("ex"), from: waiter) == nil)
    cluster.close(waiter)
    #expect(cluster.ask(Request.vg("un"), from: holder) == 0)
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
  }

  @Test func grantThatComesAfterTheClientsDeathIsGivenBack() {
    var cluster = started()
    let client = cluster.connect(to: node2)
    cluster.isHeldBack = true
    cluster.send(Request.lv("ex", persistent: true), from: client)
    cluster.close(client)
    cluster.settle()
    let other = cluster.connect(to: node1)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: other) == 0)
    #expect(cluster.nodes[node2]?.records == [:])
  }

  @Test func changeIsReloadedBeforeTheVGLockIsReleased() {
    var cluster = started()
    let writer = cluster.connect(to: node1)
    let waiter = cluster.connect(to: node2)
    #expect(cluster.ask(Request.vg("ex"), from: writer) == 0)
    #expect(cluster.ask(Request.update(7), from: writer) == 0)
    #expect(cluster.ask(Request.update(8), from: writer) == 0)
    #expect(cluster.manager.reloads.isEmpty, "not before the metadata is committed")
    #expect(cluster.ask(Request.vg("sh"), from: waiter) == nil)
    cluster.isHeldBack = true
    #expect(cluster.ask(Request.vg("un"), from: writer) == nil)
    #expect(cluster.manager.reloads.count == 1)
    #expect(cluster.reply(to: waiter) == nil)
    cluster.settle()
    #expect(cluster.reply(to: writer)?.result == 0)
    #expect(cluster.reply(to: waiter)?.result == 0)
    #expect(cluster.manager.reloads.count == 1)
  }

  @Test func changeOfADeadCommandIsReloadedBeforeItsLockIsReleased() {
    var cluster = started()
    let writer = cluster.connect(to: node1)
    let waiter = cluster.connect(to: node2)
    #expect(cluster.ask(Request.vg("ex"), from: writer) == 0)
    #expect(cluster.ask(Request.update(7), from: writer) == 0)
    #expect(cluster.ask(Request.vg("sh"), from: waiter) == nil)
    cluster.isHeldBack = true
    cluster.close(writer)
    #expect(cluster.reply(to: waiter) == nil)
    cluster.settle()
    #expect(cluster.manager.reloads.count == 1)
    #expect(cluster.reply(to: waiter)?.result == 0)
  }

  @Test func lockOfAnEndedCommandIsReleasedOnlyAfterItsDevicesAreSettled() throws {
    var cluster = started()
    let writer = cluster.connect(to: node1)
    let waiter = cluster.connect(to: node2)
    let neighbour = cluster.connect(to: node1)
    #expect(cluster.ask(Request.vg("ex"), from: writer) == 0)
    #expect(cluster.ask(Request.vg("sh"), from: waiter) == nil)
    #expect(cluster.ask(Request.vg("ex"), from: neighbour) == nil)
    cluster.manager.endedProcesses = [try #require(cluster.processID(of: writer))]
    cluster.isHeldBack = true
    cluster.close(writer)
    #expect(cluster.manager.settlements.map(\.node) == [node1])
    #expect(cluster.ask(Request.simple("stop_vg"), from: cluster.connect(to: node1)) == -16)
    #expect(cluster.reply(to: waiter) == nil)
    #expect(cluster.manager.reloads.isEmpty, "settled here first")
    cluster.settle()
    #expect(
      cluster.manager.reloads.count == 1, "it may have committed without a word: others reload")
    #expect(cluster.nodes[node1]?.logs.contains { $0.contains("ended while it held") } == true)
    #expect(cluster.reply(to: waiter)?.result == 0)
    #expect(cluster.ask(Request.vg("un"), from: waiter) == 0)
    #expect(cluster.reply(to: neighbour)?.result == 0)
  }

  @Test func nothingIsSettledAfterACommandThatLivesOrHeldTheLockShared() throws {
    var cluster = started()
    let living = cluster.connect(to: node1)
    let reader = cluster.connect(to: node1)
    let ended = try #require(cluster.processID(of: reader))
    cluster.manager.endedProcesses = [ended]
    #expect(cluster.ask(Request.vg("ex"), from: living) == 0)
    cluster.close(living)
    #expect(cluster.ask(Request.vg("sh"), from: reader) == 0)
    cluster.close(reader)
    #expect(cluster.manager.settlements.isEmpty)
    #expect(cluster.manager.reloads.isEmpty)
    #expect(cluster.ask(Request.vg("ex"), from: cluster.connect(to: node2)) == 0)
  }

  @Test func commandThatDiesWhileItsReleaseReloadsIsNotSettled() throws {
    var cluster = started()
    let writer = cluster.connect(to: node1)
    cluster.manager.endedProcesses = [try #require(cluster.processID(of: writer))]
    #expect(cluster.ask(Request.vg("ex"), from: writer) == 0)
    #expect(cluster.ask(Request.update(7), from: writer) == 0)
    cluster.isHeldBack = true
    #expect(cluster.ask(Request.vg("un"), from: writer) == nil)
    cluster.close(writer)
    cluster.settle()
    #expect(cluster.manager.settlements.isEmpty, "it had resumed what it had suspended")
    #expect(cluster.manager.reloads.count == 1)
    #expect(cluster.ask(Request.vg("ex"), from: cluster.connect(to: node2)) == 0)
  }

  @Test func loweringTheVGLockAfterAChangeReloadsToo() {
    var cluster = started()
    let writer = cluster.connect(to: node1)
    #expect(cluster.ask(Request.vg("ex"), from: writer) == 0)
    #expect(cluster.ask(Request.update(7), from: writer) == 0)
    #expect(cluster.ask(Request.vg("sh"), from: writer) == 0)
    #expect(cluster.manager.reloads.count == 1)
    #expect(cluster.ask(Request.vg("un"), from: writer) == 0)
    #expect(cluster.manager.reloads.count == 1)
  }

  @Test func failedReloadIsRememberedLoggedAndReportedByRefresh() {
    var cluster = started()
    let writer = cluster.connect(to: node1)
    let refresh = "request=\"refresh_lv\"\npath =\"/dev//vg1/lv1\"\nlv_uuid =\"u1\"\n"
    cluster.manager.reloadFailures = [node2: "no space for tables"]
    #expect(cluster.ask(Request.vg("ex"), from: writer) == 0)
    #expect(cluster.ask(Request.update(7), from: writer) == 0)
    #expect(cluster.ask(Request.vg("un"), from: writer) == 0)
    #expect(
      cluster.nodes[node1]?.machine.reloadFailures == ["vg1": [node2: "no space for tables"]])
    #expect(cluster.nodes[node1]?.logs.contains { $0.contains("node 2") } == true)
    #expect(cluster.ask(refresh, from: writer) == -5)
    cluster.manager.reloadFailures = [:]
    #expect(cluster.ask(refresh, from: writer) == 0)
    #expect(cluster.nodes[node1]?.machine.reloadFailures == [:])
  }

  @Test func vgCannotBeStoppedWhileACommandChangesIt() {
    var cluster = started()
    let writer = cluster.connect(to: node1)
    let other = cluster.connect(to: node1)
    #expect(cluster.ask(Request.vg("ex"), from: writer) == 0)
    #expect(cluster.ask(Request.update(7), from: writer) == 0)
    #expect(cluster.ask(Request.simple("stop_vg"), from: other) == -16)
  }

  @Test func versionsTravelInTheValueBlock() {
    var cluster = started()
    let first = cluster.connect(to: node1)
    let second = cluster.connect(to: node2)
    #expect(cluster.ask(Request.vg("ex"), from: first) == 0)
    #expect(cluster.ask(Request.update(77), from: first) == 0)
    #expect(cluster.ask(Request.vg("un"), from: first) == 0)
    #expect(cluster.ask(Request.vg("sh"), from: second) == 0)
    let info = String(
      decoding: cluster.nodes[node2]?.machine.infoText ?? [], as: UTF8.self)
    #expect(info.contains("info=r name=VGLK type=vg mode=sh sh_count=1 version=77\n"))
  }

  @Test func vgRemovedElsewhereIsNamedSo() {
    var cluster = started()
    let place = FakeLockManager.Place(
      lockspace: Lockspace.name(vg: "vg1") ?? LockDaemonMachine.globalName,
      resource: Array("VGLK".utf8))
    cluster.manager.resources[place] = .init(
      block: VersionBlock(version: 5, isRemoved: true).bytes)
    let client = cluster.connect(to: node1)
    #expect(cluster.ask(Request.vg("sh"), from: client) == -219)
    #expect(cluster.ask(Request.vg("un"), from: client) == -2)
  }

  @Test func vgremoveIsRefusedBeforeItRemovesAnything() {
    var cluster = started()
    let client = cluster.connect(to: node1)
    let lock = Request.lv("ex", persistent: true, command: "vgremove")
    #expect(cluster.ask(lock, from: client) == -11)
    #expect(cluster.ask(Request.simple("stop_vg"), from: cluster.connect(to: node2)) == 0)
    #expect(cluster.ask(lock, from: client) == 0)
  }

  @Test func freeAndRenameAskForTheOtherNodes() {
    var cluster = started()
    let client = cluster.connect(to: node1)
    #expect(cluster.ask(Request.simple("busy_vg"), from: client) == -16)
    #expect(cluster.ask(Request.simple("free_vg"), from: client) == -16)
    #expect(cluster.ask(Request.simple("rename_vg_before"), from: client) == -16)
    #expect(cluster.ask(Request.simple("stop_vg"), from: cluster.connect(to: node2)) == 0)
    #expect(cluster.ask(Request.simple("busy_vg"), from: client) == 0)
    #expect(cluster.ask(Request.simple("rename_vg_before"), from: client) == 0)
    #expect(cluster.ask(Request.vg("un"), from: client) == -210)
  }
}
