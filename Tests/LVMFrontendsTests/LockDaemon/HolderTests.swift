import ClusterTypes
import Testing

@testable import LVMFrontends

/// Who holds it: node, process, command and since when, for whoever is refused or waits.
@Suite struct HolderTests {
  private static let other = TestCluster.node2

  private func started() -> TestCluster {
    var cluster = TestCluster(nodes: 2)
    for node in [TestCluster.node1, Self.other] { #expect(cluster.start("vg1", on: node) == 0) }
    return cluster
  }

  @Test func `an LV that is active elsewhere is refused with the command that activated it`() throws
  {
    var cluster = started()
    let holder = cluster.connect(to: Self.other)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: holder) == 0)
    let client = cluster.connect()
    cluster.send(Request.lv("ex", persistent: true), from: client)
    let found = cluster.reply(to: client)
    let reply = try #require(found)
    #expect(reply.result == -11)
    let owner = "lvchange[\(holder.id)] for active volume lv1"
    #expect(reply.fields.integer("owner_host_id") == 2)
    #expect(reply.fields.string("owner_name") == "node 2, \(owner)")
    let log = try #require(cluster.nodes[TestCluster.node1]?.logs.last)
    #expect(log.contains("held by node 2, \(owner), ex for 7 s"))
    #expect(log.contains("lvchange[\(client.id)] is refused the lock of LV u1 of VG vg1"))
  }

  @Test func `a command that waits for another node is explained once, while it waits`() throws {
    var cluster = started()
    let holder = cluster.connect(to: Self.other)
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
    let client = cluster.connect()
    cluster.send(Request.vg("sh"), from: client)
    cluster.pass(.seconds(2))
    #expect(waits(cluster).isEmpty)
    cluster.pass(.seconds(10))
    #expect(
      waits(cluster) == [
        "vgs[\(client.id)] waits for the lock of VG vg1: held by node 2, vgs[\(holder.id)], ex for 7 s"
      ])
    cluster.pass(.seconds(10))
    let found = cluster.reply(to: client)
    let reply = try #require(found)
    #expect(reply.result == -11)
    #expect(reply.fields.string("owner_name") == "node 2, vgs[\(holder.id)]")
  }

  @Test func `a command that waits for another one of its node is explained, too`() {
    var cluster = started()
    let holder = cluster.connect()
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
    let client = cluster.connect()
    cluster.send(Request.vg("ex"), from: client)
    cluster.pass(.seconds(60))
    #expect(waits(cluster).count == 1)
    #expect(waits(cluster).first?.contains("node 1, vgs[\(holder.id)]") == true)
  }

  @Test func `the lock manager hears of each new user of a lock`() {
    var cluster = started()
    let first = cluster.connect()
    #expect(cluster.ask(Request.vg("sh"), from: first) == 0)
    let second = cluster.connect()
    #expect(cluster.ask(Request.vg("sh"), from: second) == 0)
    #expect(uses(cluster).contains(LockUse(owner: "vgs and 1 more", processID: pid(first))))
    cluster.close(first)
    #expect(uses(cluster).contains(LockUse(owner: "vgs", processID: pid(second))))
  }

  @Test func `a client that is gone before the holders are known leaves nothing behind`() {
    var cluster = started()
    let holder = cluster.connect(to: Self.other)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: holder) == 0)
    let client = cluster.connect()
    cluster.isHeldBack = true
    cluster.send(Request.lv("ex", persistent: true), from: client)
    cluster.close(client)
    cluster.settle()
    #expect(cluster.nodes[TestCluster.node1]?.machine.questions.isEmpty == true)
  }

  @Test func `a volume that must not be shared is refused with a word why, and held by nobody`() {
    var cluster = started()
    cluster.manager.unshareable["vg1/u1"] = "it has a snapshot"
    let client = cluster.connect()
    #expect(cluster.ask(Request.lv("sh", persistent: true), from: client) == -17)
    #expect(
      cluster.nodes[TestCluster.node1]?.logs.last?.contains(
        "LV vg1/lv1 may be active on one node only: it has a snapshot") == true)
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: client) == 0)
  }

  private func waits(_ cluster: TestCluster) -> [String] {
    cluster.nodes[TestCluster.node1]?.logs.filter { $0.contains(" waits for ") } ?? []
  }

  private func uses(_ cluster: TestCluster) -> [LockUse] { Array(cluster.manager.uses.values) }
  private func pid(_ client: TestClient) -> Int32 { Int32(client.id.rawValue) }
}
