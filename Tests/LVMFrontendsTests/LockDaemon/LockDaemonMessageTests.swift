import ClusterSimulation
import Testing

@testable import LVMFrontends

@Suite struct LockDaemonMessageTests {
  private func request(_ text: String) -> LockDaemonRequest {
    LockDaemonMessage(decoding: Array(text.utf8)).request
  }

  @Test func spellingsOfTheRealClientsAreUnderstood() {
    #expect(request("request = \"hello\"\n") == .hello)
    #expect(request("request = 'hello' # c\n") == .hello)
    #expect(request("a { b = [1, \"x\"] }\nrequest=hello") == .hello)
    #expect(
      request("request=\"stop_all\"\nopts =\"wait \"") == .stopAll(waits: true, isForced: false))
    let lv = LockDaemonRequest.LogicalVolumeReference(vg: "vg1", uuid: "u1", name: "lv1")
    #expect(
      request(Request.lv("ex", persistent: true))
        == .lockLogicalVolume(
          lv, .lock(.exclusive), isPersistent: true))
    #expect(
      request("request=refresh_lv\npath =\"/dev//vg1/lv1\"\nlv_uuid=\"u1\"")
        == .refreshLogicalVolume(.init(vg: "vg1", lv: "lv1"), uuid: "u1"))
  }

  @Test func firstOfTwoEqualKeysCounts() {
    #expect(request("request=hello\nrequest=quit\n") == .hello)
  }

  /// As LVM 2.03.39 writes them for `--lockopt adoptlv,repairlv` and the like.
  @Test func optionsHaveCommasOrNothingBetweenThem() {
    let lv = LockDaemonRequest.LogicalVolumeReference(vg: "vg1", uuid: "u1", name: "lv1")
    func withOptions(_ options: String) -> LockDaemonRequest {
      request(Request.lv("ex").replacing("opts =\"none\"", with: "opts =\"\(options)\""))
    }
    let persistent = LockDaemonRequest.lockLogicalVolume(lv, .lock(.exclusive), isPersistent: true)
    for options in ["persistent", "persistent,", "persistent,repair", "persistent,adopt"] {
      #expect(withOptions(options) == persistent, "\(options)")
    }
    for options in ["adopt_only", "persistent,adopt_onlyrepair", "adopt_onlyadopt"] {
      #expect(withOptions(options) == .adoptLogicalVolume(lv, .exclusive), "\(options)")
    }
    for name in ["lock_gl", "lock_vg"] {
      let text = "request=\"\(name)\"\nmode =\"ex\"\nopts =\"adopt_only\"\nvg_name =\"vg1\"\n"
      #expect(request(text) == .adoptLock)
    }
  }

  @Test(arguments: [
    "request=\"nosuch\"\npid=1\n", "garbage here", "", "request",
    "request=\"lock_gl\"\nmode=\"nl\"",
    "request=\"lock_gl\"", "request=\"lock_vg\"\nmode=\"sh\"",
    "request=\"lock_vg\"\nmode=\"sh\"\nvg_name=\"a/b\"", "request=\"vg_update\"\nvg_name=\"v\"",
    "request=\"vg_update\"\nvg_name=\"v\"\nversion=-1", "request=\"refresh_lv\"\npath=\"/\"",
    "request=\"lock_lv\"\nmode=\"ex\"\nvg_name=\"v\"\nlv_uuid=\"a b\"", "request=\"enable_gl\"",
    "request=\"vg_status\"", "request=\"setlockargs_vg_final\"\nvg_name=\"v\"",
  ])
  func nonsenseIsAnsweredToo(_ text: String) {
    var cluster = TestCluster()
    #expect(cluster.start("v") == 0)
    #expect(cluster.ask(text, from: cluster.connect()) == -22)
  }

  @Test func anyBytesHaveOneReply() {
    let seeds: [String] = [
      Request.global("ex"), Request.vg("un"), Request.lv("sh", persistent: true),
      Request.update(7), Request.simple("free_vg"), "request=info", "request = \"dump\"",
    ]
    for seed in UInt64(1)...2_000 {
      var random = SeededGenerator(seed: seed)
      var bytes = Array((seeds.randomElement(using: &random) ?? "").utf8)
      for _ in 0..<Int.random(in: 0...6, using: &random) where !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0...2, using: &random) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: index)
        default: bytes.insert(contentsOf: bytes[..<index], at: index)
        }
      }
      var cluster = TestCluster()
      let client = cluster.connect()
      cluster.send(.received(client.id, bytes), to: client.node)
      #expect(cluster.reply(to: client) != nil, "seed \(seed)")
      #expect(cluster.reply(to: client) == nil, "seed \(seed)")
    }
  }

  @Test func infoIsWhatLvmlockctlReads() {
    var cluster = TestCluster()
    #expect(cluster.start("vg1") == 0)
    let client = cluster.connect()
    let waiter = cluster.connect()
    #expect(cluster.ask(Request.lv("ex", persistent: true), from: client) == 0)
    #expect(cluster.ask(Request.vg("ex"), from: client) == 0)
    #expect(cluster.ask(Request.vg("sh"), from: waiter) == nil)
    cluster.send("request = \"info\"\n", from: client)
    let reply = cluster.reply(to: client)
    let text = cluster.nodes[TestCluster.node1]?.dumps.first ?? ""
    #expect(reply?.fields.integer("dump_len") == Int64(text.utf8.count))
    let expected = """
      info=structs unused_action_count=0 unused_client_count=0 unused_resource_count=0 \
      unused_lock_count=0
      info=client pid=2 fd=0 pi=0 id=2 name=vgs
      info=client pid=3 fd=0 pi=0 id=3 name=vgs
      info=ls ls_name=lvm_global vg_name=. vg_uuid=. vg_sysid=. vg_args=. lm_type=dlm host_id=0 \
      create_fail=0 create_done=1 thread_work=0 thread_stop=0 thread_done=0 kill_vg=0 drop_vg=0 \
      sanlock_gl_enabled=0
      info=ls ls_name=lvm_vg1 vg_name=vg1 vg_uuid=UU vg_sysid=. vg_args=1.0.0:lab lm_type=dlm \
      host_id=0 create_fail=0 create_done=1 thread_work=0 thread_stop=0 thread_done=0 kill_vg=0 \
      drop_vg=0 sanlock_gl_enabled=0
      info=r name=VGLK type=vg mode=ex sh_count=0 version=0
      info=lk mode=ex version=0 flags=0x0 client_id=2
      info=r_action client_id=3 flags=0x0 version=0 op=lock rt=vg mode=sh lm_type=dlm result=0 \
      lm_rv=0
      info=r name=u1 type=lv mode=ex sh_count=0 version=0
      info=lk mode=ex version=0 flags=0x1 client_id=0

      """
    #expect(text == expected)
  }
}
