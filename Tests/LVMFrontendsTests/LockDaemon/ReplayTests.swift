import ClusterTypes
import ConfigText
import Testing

@testable import LVMFrontends

/// Recordings of unmodified lvm commands and the real lvmlockd on two nodes: the machine must answer
/// every request as lvmlockd did, up to what lvm makes of it.
@Suite struct ReplayTests {
  /// What was so before a recording began.
  struct Situation: Sendable {
    let recording: String
    /// VGs started on the nodes, in the order of their numbers.
    var started: [[String]]
    /// Persistent locks by the nodes' numbers: LV uuid and mode.
    var locked: [Int: [String: String]]
    /// Replies that differ on purpose, by their number among those that are compared, with ours.
    var different: [Int: Int]

    init(
      _ recording: String, started: [[String]] = [["vg1"], ["vg1"]],
      locked: [Int: [String: String]] = [:], different: [Int: Int] = [:]
    ) {
      self.recording = recording
      self.started = started
      self.locked = locked
      self.different = different
    }
  }

  private static let lv1 = "wjRH8R-LRRH-ZhOG-0bgP-cw9j-fPbw-zxAhdj"

  static let situations: [Situation] = [
    Situation("10-vgs-first-global-autostart", started: [[], []]),
    Situation("11-pvcreate-pvremove", started: [[], []]),
    Situation("12-vgcreate-shared", started: [[], []]),
    Situation("13-vgs-report"),
    Situation("14-other-node-not-started", started: [["vg1"], []]),
    Situation("15-vgchange-lockstart", started: [["vg1"], []]),
    Situation("20-lvcreate"),
    Situation("21-lvcreate-inactive"),
    Situation("22-lv-held-elsewhere", locked: [1: [lv1: "ex"]]),
    Situation("24-lvchange-asy-two-nodes"),
    Situation("25-lvextend-shared-active", locked: [1: [lv1: "sh"], 2: [lv1: "sh"]]),
    Situation(
      "26-lvextend-shupdate-refresh-nodlmcontrold", locked: [1: [lv1: "sh"], 2: [lv1: "sh"]]),
    Situation("27-lvreduce-shared-active", locked: [1: [lv1: "sh"], 2: [lv1: "sh"]]),
    Situation("29-lvextend-ex-active"),
    Situation("31-lvchange-props"),
    Situation("32-lvrename"),
    Situation("33-lvremove", locked: [1: [lv1: "ex"]]),
    Situation("34-lvmlockctl-info-dump"),
    // Our global lockspace is left before the reply, lvmlockd's after it.
    Situation("36-lockstop-busy", different: [10: 1]),
    Situation("40-vgextend-vgreduce"),
    Situation("41-pvmove"),
    Situation("43-thin-pool"),
    Situation("45-lvcreate-pool-and-thin-together"),
    Situation("46-snapshot-cow"),
    Situation("48-mirror-raid"),
    Situation(
      "50-lvconvert-thinpool-cache", locked: [1: ["4VAjdv-FbqV-eeLj-WPCw-PB6A-Dz34-6eNwDW": "ex"]]),
    Situation("52-nolocking-readonly-lockopt"),
    Situation("53-pvmove-lvmpolld"),
    Situation("60-vglock-held-ex-elsewhere"),
    Situation("62-gllock-held-ex-elsewhere"),
    Situation("63-vglock-held-same-node"),
    // vgremove is refused before it has removed the first LV.
    Situation("70-vgremove-vgrename-busy", different: [4: -11, 5: -2]),
    Situation("71-vgchange-lockstop"),
    Situation("73-locktype-none-dlm", started: [["vg1"], []]),
    Situation("74-locktype-force-none"),
    Situation("76-vgsplit-vgmerge"),
    Situation("77-lvb-seqno-two-nodes", started: [["vg1"], []]),
    Situation("78-two-nodes-concurrent-changes"),
    Situation("80-client-dies-holding"),
    Situation("81-kill-drop"),
    Situation("82-gl-enable-quit"),
    Situation("84-duplicate-start-other-type"),
    Situation("85-daemon-killed-adopt"),
    Situation("87-lvmlockd-test-mode"),
    Situation("91-raw-gl", started: [[], []]),
    Situation("92-raw-vg-update-convert", started: [[], []]),
    Situation("93-raw-lv-persistent-transient", started: [[], []]),
    Situation("95-raw-queue-close", started: [[], []]),
    Situation("96-raw-not-started", started: [[], []]),
    Situation("97-raw-stop-kill-drop", started: [[], []]),
    Situation("98-raw-rename-free", started: [[], []]),
    Situation("99-raw-queued-client-closes", started: [[], []]),
    Situation(
      "A0-lvm-2.03.39-requests", started: [[], []], different: [124: -11, 125: -2]),
  ]

  @Test(arguments: situations)
  func repliesAreThoseOfTheRealDaemon(_ situation: Situation) throws {
    let recording = try Recording(situation.recording)
    var replay = Replay(situation, clusterName: recording.clusterName)
    for line in recording.lines { replay.play(line) }
    #expect(replay.comparedCount > 0)
  }
}

extension Recording {
  /// The cluster of the lab, or that of lvmlockd's own test mode.
  var clusterName: String { lines.contains { $0.text.contains("1.0.0:test") } ? "test" : "lab" }
}

/// A recording on its way through machines.
struct Replay {
  let situation: ReplayTests.Situation
  var cluster: TestCluster
  var clients: [String: TestClient] = [:]
  /// The request of a connection that was sent last, for messages.
  var requests: [String: String] = [:]
  var comparedCount = 0

  init(_ situation: ReplayTests.Situation, clusterName: String) {
    self.situation = situation
    cluster = TestCluster(nodes: 2, clusterName: clusterName)
    let nodes = [TestCluster.node1, TestCluster.node2]
    for (node, vgs) in zip(nodes, situation.started) {
      for vg in vgs { _ = cluster.start(vg, on: node, cluster: clusterName) }
      let client = cluster.connect(to: node)
      for (uuid, mode) in situation.locked[node == TestCluster.node1 ? 1 : 2] ?? [:] {
        let result = cluster.ask(Request.lv(mode, persistent: true, uuid: uuid), from: client)
        #expect(result == 0, "\(situation.recording): preparation of \(uuid)")
      }
      cluster.close(client)
    }
  }

  mutating func play(_ line: RecordedLine) {
    let key = "\(line.node ?? "n1")/\(line.conn ?? 0)"
    let node = line.node == "n2" ? TestCluster.node2 : TestCluster.node1
    switch line.dir {
    case "open": clients[key] = cluster.connect(to: node)
    case "lvm>lockd":
      guard let client = clients[key] else { break }
      requests[key] = line.text
      cluster.send(line.text, from: client)
    case "lvm>lockd eof":
      if let client = clients.removeValue(forKey: key) { cluster.close(client) }
    case "lockd>lvm": compare(line, key)
    case "no-reply-2.5s":
      if let client = clients[key] {
        #expect(cluster.reply(to: client) == nil, "\(situation.recording) \(line.t): waits")
      }
    default: break
    }
  }

  private mutating func compare(_ line: RecordedLine, _ key: String) {
    guard let client = clients[key], let expected = Recording.fields(line.text) else { return }
    comparedCount += 1
    if cluster.nodes[client.node]?.replies[client.id]?.isEmpty ?? true {
      cluster.pass(.seconds(21))
    }
    let place =
      "\(situation.recording) \(line.t), reply \(comparedCount) to \(requests[key] ?? "?")"
    guard let reply = cluster.reply(to: client) else {
      Issue.record("\(place): no reply")
      return
    }
    let recorded = expected.integer("op_result").map(Int.init)
    #expect(reply.result == situation.different[comparedCount] ?? recorded, "\(place)")
    if let result = expected.integer("result") {
      #expect(reply.fields.integer("result") == result, "\(place)")
    }
    for name in ["mode", "vg_lock_args", "protocol"] {
      #expect(reply.fields.string(name) == expected.string(name), "\(place)")
    }
    guard situation.different[comparedCount] == nil else { return }
    // lvm looks at the absence of lockspaces only for the global lock.
    let isGlobal = requests[key]?.contains("lock_gl") ?? false
    let decisive: Set = isGlobal ? ["NO_LOCKSPACES"] : ["SH_EXISTS"]
    let flags = TestCluster.Reply(fields: expected).flags
    #expect(reply.flags.intersection(decisive) == flags.intersection(decisive), "\(place)")
  }
}
