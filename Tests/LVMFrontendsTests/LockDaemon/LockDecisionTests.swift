import ClusterTypes
import Testing

@testable import LVMFrontends

/// One node: who gets what from whom (lvmlockd-socket 8).
@Suite struct LockDecisionTests {
  private func started() -> TestCluster {
    var cluster = TestCluster()
    #expect(cluster.start("vg1") == 0)
    return cluster
  }

  @Test func sameClientSameModeIsAlreadyHeld() {
    var cluster = started()
    let client = cluster.connect()
    #expect(cluster.ask(Request.global("ex"), from: client) == 0)
    #expect(cluster.ask(Request.global("ex"), from: client) == -114)
    #expect(cluster.ask(Request.global("un"), from: client) == 0)
    #expect(cluster.ask(Request.global("un"), from: client) == -2)
  }

  @Test func transientExclusiveOverPersistentExclusiveIsNotRecorded() {
    var cluster = started()
    let client = cluster.connect()
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: client) == 0)
    #expect(cluster.ask(Request.lv("ex"), from: client) == 0)
    #expect(cluster.ask(Request.lv("un"), from: client) == -2)
    cluster.close(client)
    let other = cluster.connect()
    cluster.send(Request.simple("query_lock_lv") + "lv_uuid=\"u1\"", from: other)
    #expect(cluster.reply(to: other)?.mode == "ex")
  }

  @Test func transientExclusiveOverPersistentSharedNamesTheSharedLock() {
    var cluster = started()
    let client = cluster.connect()
    #expect(cluster.ask(Request.lv("sh", persistent: true), from: client) == 0)
    cluster.send(Request.lv("ex"), from: client)
    let reply = cluster.reply(to: client)
    #expect(reply?.result == -17)
    #expect(reply?.flags == ["SH_EXISTS"])
  }

  @Test func persistentLockOfAnotherModeThanTheTransientIsRefused() {
    var cluster = started()
    let client = cluster.connect()
    #expect(cluster.ask(Request.lv("sh"), from: client) == 0)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: client) == -17)
    #expect(cluster.ask(Request.lv("sh", persistent: true), from: client) == 0)
    #expect(cluster.ask(Request.lv("un"), from: client) == -2)
    #expect(cluster.ask(Request.lv("un", persistent: true), from: client) == 0)
  }

  @Test func transientLocksEndWithTheConnectionAndPersistentOnesDoNot() {
    var cluster = started()
    let client = cluster.connect()
    #expect(cluster.ask(Request.vg("ex"), from: client) == 0)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: client) == 0)
    #expect(cluster.ask(Request.lv("ex", uuid: "u2"), from: client) == 0)
    cluster.close(client)
    let other = cluster.connect()
    #expect(cluster.ask(Request.vg("ex"), from: other) == 0)
    #expect(cluster.ask(Request.lv("ex", persistent: true, uuid: "u2"), from: other) == 0)
    #expect(cluster.nodes[TestCluster.node1]?.records == ["u1": .exclusive, "u2": .exclusive])
    #expect(cluster.ask(Request.lv("un", persistent: true), from: other) == 0)
    #expect(cluster.nodes[TestCluster.node1]?.records == ["u2": .exclusive])
  }

  @Test func clientsOfOneNodeQueueFirstComeFirstServedWithoutLimit() {
    var cluster = started()
    let clients = (0..<4).map { _ in cluster.connect() }
    #expect(cluster.ask(Request.vg("ex"), from: clients[0]) == 0)
    #expect(cluster.ask(Request.vg("sh"), from: clients[1]) == nil)
    #expect(cluster.ask(Request.vg("ex"), from: clients[2]) == nil)
    #expect(cluster.ask(Request.vg("sh"), from: clients[3]) == nil)
    cluster.pass(.seconds(3_600))
    cluster.close(clients[0])
    #expect(cluster.reply(to: clients[1])?.result == 0)
    #expect(cluster.reply(to: clients[2]) == nil)
    #expect(cluster.reply(to: clients[3]) == nil)
    cluster.close(clients[1])
    #expect(cluster.reply(to: clients[2])?.result == 0)
    #expect(cluster.reply(to: clients[3]) == nil)
    cluster.close(clients[2])
    #expect(cluster.reply(to: clients[3])?.result == 0)
  }

  @Test func waitingClientThatGoesAwayGetsNothing() {
    var cluster = started()
    let holder = cluster.connect()
    let waiter = cluster.connect()
    #expect(cluster.ask(Request.lv("ex"), from: holder) == 0)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: waiter) == nil)
    cluster.close(waiter)
    #expect(cluster.ask(Request.lv("un"), from: holder) == 0)
    #expect(cluster.nodes[TestCluster.node1]?.records == [:])
    #expect(cluster.ask(Request.simple("stop_vg"), from: holder) == 0)
  }

  @Test func raisingSharedToExclusiveNeverQueues() {
    var cluster = started()
    let first = cluster.connect()
    let second = cluster.connect()
    #expect(cluster.ask(Request.global("sh"), from: first) == 0)
    #expect(cluster.ask(Request.global("sh"), from: second) == 0)
    #expect(cluster.ask(Request.global("ex"), from: first) == -11)
    #expect(cluster.ask(Request.global("un"), from: second) == 0)
    #expect(cluster.ask(Request.global("ex"), from: first) == 0)
  }

  @Test func persistentGrantThatNobodyHeardOfIsTakenBack() {
    var cluster = started()
    let client = cluster.connect()
    cluster.send(Request.lv("ex", persistent: true), from: client)
    cluster.send(.replyUndelivered(client.id), to: client.node)
    cluster.close(client)
    #expect(cluster.nodes[TestCluster.node1]?.records == [:])
    let other = cluster.connect()
    #expect(cluster.ask(Request.lv("un", persistent: true), from: other) == -2)
  }

  @Test func raisedPersistentLockThatNobodyHeardOfGoesBackToShared() {
    var cluster = started()
    let first = cluster.connect()
    #expect(cluster.ask(Request.lv("sh", persistent: true), from: first) == 0)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: first) == 0)
    cluster.send(.replyUndelivered(first.id), to: first.node)
    cluster.close(first)
    #expect(cluster.nodes[TestCluster.node1]?.records == ["u1": .shared])
  }

  @Test func lostReplyDoesNotUndoWhatSomebodyElseHasTouched() {
    var cluster = started()
    let first = cluster.connect()
    let second = cluster.connect()
    cluster.send(Request.lv("sh", persistent: true), from: first)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: second) == 0)
    cluster.send(.replyUndelivered(first.id), to: first.node)
    #expect(cluster.nodes[TestCluster.node1]?.records == ["u1": .exclusive])
  }

  @Test func freeingAnLVThatIsStillLockedIsRefused() {
    var cluster = started()
    let client = cluster.connect()
    let free = Request.simple("free_lv") + "lv_uuid=\"u1\""
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: client) == 0)
    #expect(cluster.ask(free, from: client) == -16)
    #expect(cluster.ask(Request.lv("un", persistent: true), from: client) == 0)
    #expect(cluster.ask(free, from: client) == 0)
    #expect(cluster.ask(Request.lv("ex"), from: client) == 0)
    #expect(cluster.ask(free, from: client) == 0)
    #expect(cluster.ask(Request.lv("un"), from: client) == -2)
  }

  @Test func requestBeforeTheLastReplyClosesTheConnection() {
    var cluster = started()
    let holder = cluster.connect()
    let waiter = cluster.connect()
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
    #expect(cluster.ask(Request.vg("ex"), from: waiter) == nil)
    #expect(cluster.ask(Request.vg("ex"), from: waiter) == nil)
    #expect(cluster.nodes[TestCluster.node1]?.closed == [waiter.id])
  }
}
