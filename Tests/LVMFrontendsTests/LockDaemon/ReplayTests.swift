import ClusterTypes
import ConfigText
import FoundationEssentials
import Testing

@testable import LVMFrontends

/// Recordings of unmodified lvm commands and the real lvmlockd on two nodes: the machine must answer
/// every request as lvmlockd did, up to what lvm makes of it.
@Suite struct ReplayTests {
  /// What was so before a recording began, and which replies differ on purpose; see
  /// `Fixtures/lvmlockd/README.md`.
  struct Situation: Sendable, Decodable {
    struct Difference: Sendable, Decodable {
      let result: Int
      let why: String

      enum CodingKeys: String, CodingKey {
        case result = "op_result"
        case why
      }
    }

    var started: [[String]]?
    var locked: [String: [String: String]]?
    var different: [String: Difference]?
    var notPlayed: String?

    enum CodingKeys: String, CodingKey {
      case started, locked, different
      case notPlayed = "not_played"
    }
  }

  static let situations: [String: Situation] = {
    let file = Recording.folder.appending(path: "situations.json")
    guard let data = try? Data(contentsOf: file),
      let situations = try? JSONDecoder().decode([String: Situation].self, from: data)
    else { return [:] }
    return situations
  }()

  @Test func everyRecordingIsPlayedOrSaysWhyNot() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Recording.folder.path())
    let recordings = files.filter { $0.hasSuffix(".jsonl") }.map { $0.dropLast(6) }.map(String.init)
    #expect(Set(recordings) == Set(Self.situations.keys))
    for situation in Self.situations.values {
      #expect(situation.notPlayed != "")
      #expect(situation.different?.values.allSatisfy { !$0.why.isEmpty } ?? true)
    }
  }

  @Test(arguments: situations.filter { $0.value.notPlayed == nil }.keys.sorted())
  func repliesAreThoseOfTheRealDaemon(_ name: String) throws {
    let recording = try Recording(name)
    let situation = try #require(Self.situations[name])
    var replay = Replay(name, situation, clusterName: recording.clusterName)
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
  let name: String
  let different: [Int: Int]
  var cluster: TestCluster
  var clients: [String: TestClient] = [:]
  /// The request of a connection that was sent last, for messages.
  var requests: [String: String] = [:]
  var comparedCount = 0

  init(_ name: String, _ situation: ReplayTests.Situation, clusterName: String) {
    self.name = name
    different = Dictionary(
      uniqueKeysWithValues: (situation.different ?? [:]).compactMap { number, difference in
        Int(number).map { ($0, difference.result) }
      })
    cluster = TestCluster(nodes: 2, clusterName: clusterName)
    let nodes = [TestCluster.node1, TestCluster.node2]
    for (node, vgs) in zip(nodes, situation.started ?? [["vg1"], ["vg1"]]) {
      for vg in vgs { _ = cluster.start(vg, on: node, cluster: clusterName) }
      let client = cluster.connect(to: node)
      for (uuid, mode) in situation.locked?["\(node)"] ?? [:] {
        let result = cluster.ask(Request.lv(mode, persistent: true, uuid: uuid), from: client)
        #expect(result == 0, "\(name): preparation of \(uuid)")
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
        #expect(cluster.reply(to: client) == nil, "\(name) \(line.t): waits")
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
      "\(name) \(line.t), reply \(comparedCount) to \(requests[key] ?? "?")"
    guard let reply = cluster.reply(to: client) else {
      Issue.record("\(place): no reply")
      return
    }
    let recorded = expected.integer("op_result").map(Int.init)
    #expect(reply.result == different[comparedCount] ?? recorded, "\(place)")
    if let result = expected.integer("result") {
      #expect(reply.fields.integer("result") == result, "\(place)")
    }
    for name in ["mode", "vg_lock_args", "protocol"] {
      #expect(reply.fields.string(name) == expected.string(name), "\(place)")
    }
    guard different[comparedCount] == nil else { return }
    // Of no use to lvm, and recorded of real daemons only.
    if expected.integer("lm_result") != nil {
      for name in ["op", "lock_type", "lv_lock_args"] {
        #expect(reply.fields.value(name) == expected.value(name), "\(place): \(name)")
      }
    }
    // lvm looks at the absence of lockspaces only for the global lock.
    let isGlobal = requests[key]?.contains("lock_gl") ?? false
    let decisive: Set = isGlobal ? ["NO_LOCKSPACES"] : ["SH_EXISTS"]
    let flags = TestCluster.Reply(fields: expected).flags
    #expect(reply.flags.intersection(decisive) == flags.intersection(decisive), "\(place)")
  }
}
