import ClusterTypes
import Testing

@testable import LVMFrontends

/// What LVM later than 2.03.16 asks, answered as its lvmlockd answers for lock type dlm.
@Suite struct NewerRequestTests {
  @Test func statusOfAGroupHasNoOwner() throws {
    var cluster = TestCluster()
    let client = cluster.connect()
    #expect(cluster.ask(Request.simple("vg_status"), from: client) == -2)
    #expect(cluster.start("vg1") == 0)
    cluster.send(Request.simple("vg_status"), from: client)
    let answer = cluster.reply(to: client)
    let reply = try #require(answer)
    #expect(reply.result == 0)
    #expect(reply.fields.integer("op") == 25)
    #expect(reply.fields.integer("owner_generation") == 0)
    #expect(reply.fields.string("owner_name") == "none")
  }

  @Test(arguments: [
    ("find_free_lock", 19, 0), ("rename_vg_final", 17, 0), ("setlockargs_vg_before", 28, -93),
    ("setlockargs_vg_final", 29, -22), ("enable_gl", 10, -22), ("disable_gl", 11, -22),
  ])
  func requestsOfSanlockAreAnswered(_ name: String, _ operation: Int64, _ result: Int) throws {
    var cluster = TestCluster()
    #expect(cluster.start("vg1") == 0)
    let client = cluster.connect()
    cluster.send(Request.simple(name), from: client)
    let answer = cluster.reply(to: client)
    let reply = try #require(answer)
    #expect(reply.result == result)
    #expect(reply.fields.integer("op") == operation)
  }

  @Test(arguments: ["find_free_lock", "setlockargs_vg_before"])
  func withoutLockspaceThereIsNothing(_ name: String) {
    var cluster = TestCluster()
    #expect(cluster.ask(Request.simple(name), from: cluster.connect()) == -210)
  }

  private func adopt(_ mode: String, _ uuid: String = "u1") -> String {
    Request.lv(mode, persistent: true, uuid: uuid)
      .replacing("persistent,", with: "persistent,adopt_only")
  }

  @Test func adoptionTakesNoNewLock() {
    var cluster = TestCluster(nodes: 2)
    #expect(cluster.start("vg1") == 0)
    #expect(cluster.start("vg1", on: TestCluster.node2) == 0)
    let client = cluster.connect()
    #expect(cluster.ask(adopt("ex"), from: client) == -223)
    let other = cluster.connect(to: TestCluster.node2)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: other) == 0)
  }

  @Test func adoptionFindsWhatWasTakenUp() {
    var cluster = TestCluster()
    cluster.send(
      .adopt([
        PersistentLock(
          vg: "vg1", vgUUID: nil, lockArguments: "1.0.0:lab", lvUUID: "u1", mode: .exclusive)
      ]), to: TestCluster.node1)
    let client = cluster.connect()
    #expect(cluster.ask(adopt("ex"), from: client) == -114)
    #expect(cluster.ask(adopt("sh"), from: client) == -224)
    #expect(cluster.ask(adopt("ex", "u2"), from: client) == -223)
  }

  @Test func adoptionOfALockspaceStartsNone() {
    var cluster = TestCluster()
    let text =
      "request=\"start_vg\"\nvg_name=\"vg1\"\nvg_lock_type=\"dlm\"\nvg_lock_args=\"1.0.0:lab\"\n"
    let client = cluster.connect()
    #expect(cluster.ask(text + "opts=\"adopt_only,\"\n", from: client) == -223)
    #expect(cluster.ask(text + "opts=\"nodelay,repair\"\n", from: client) == 0)
    #expect(cluster.ask(text + "opts=\"adopt_only,\"\n", from: client) == -17)
  }
}
