import AdminProtocol
import ClusterTypes

/// Judges the facts of a cluster's nodes. Every question is answered, also where all is well: a
/// check that says nothing about a subject would look like one that did not ask.
public struct Preflight: Sendable {
  /// Faster or slower than this is not allowed by the leases (membership design, section 2).
  static let clockRateLimit: Int64 = 10_000
  /// Wall clocks serve the logs only.
  static let wallClockLimitMilliseconds: Int64 = 10_000

  let facts: ClusterFacts

  public init(_ facts: ClusterFacts) { self.facts = facts }

  /// In the order of `Finding.Subject`.
  public var findings: [Finding] {
    answers + nodeList + keys + settings + names + addresses + links + clocks + devices + fencing
      + watchdogs + releases + lvm + foreignStacks
  }

  var local: NodeFacts? { facts.facts.first { $0.node == facts.local } }

  /// `node 3 (c)`.
  func name(_ node: NodeID) -> String {
    let name = local?.nodes.first { $0.node == node }?.name
    return "node \(node)" + (name.map { " (\($0))" } ?? "")
  }

  private var answers: [Finding] {
    guard !facts.silentNodes.isEmpty else {
      return [Finding(.good, .answers, "\(facts.facts.count) nodes have answered")]
    }
    let others = facts.facts.filter { $0.node != facts.local }
    return facts.silentNodes.map { node in
      Finding(
        .error, .answers, nodes: [node],
        "\(name(node)) did not answer, and is not part of what follows"
          + (others.isEmpty ? "; only this node was looked at" : ""),
        advice: "start clvmd there and look at 'clvm status' and its log")
    }
  }

  private var nodeList: [Finding] {
    guard let local else { return [] }
    let findings = facts.facts.filter { $0.node != local.node }.flatMap { other -> [Finding] in
      let ours = Set(local.nodes)
      let theirs = Set(other.nodes)
      let differing = Set(ours.symmetricDifference(theirs).map(\.node)).sorted()
      var findings = differing.map { node in
        let place = "node \(node)'s name, id or addresses"
        return Finding(
          .error, .nodeList, nodes: [local.node, other.node],
          "\(place) are not the same in the files of \(name(local.node)) and \(name(other.node))",
          advice: "make cluster/nodes alike in clvmd.conf of all nodes")
      }
      if other.clusterName != local.clusterName {
        findings.append(
          Finding(
            .error, .nodeList, nodes: [other.node],
            "\(name(other.node)) calls the cluster '\(other.clusterName)', this node calls it "
              + "'\(local.clusterName)'",
            advice: "make cluster/name alike"))
      }
      return findings
    }
    return findings.isEmpty
      ? [Finding(.good, .nodeList, "\(local.nodes.count) nodes are configured")] : findings
  }

  private var keys: [Finding] {
    let without = facts.facts.filter { $0.clusterID == nil }.map(\.node)
    guard without.isEmpty else {
      return [
        Finding(
          .warning, .keys, nodes: without,
          "nodes speak with each other openly, and believe whoever has a node's address",
          advice: "run 'clvm cluster init' on one node, then let the others join")
      ]
    }
    guard let local, let other = facts.facts.first(where: { $0.clusterID != local.clusterID })
    else { return [Finding(.good, .keys, "nodes prove with keys who they are")] }
    return [
      Finding(
        .error, .keys, nodes: [other.node], "\(name(other.node)) has another cluster id",
        advice: "let it join this cluster: 'clvm cluster token' here, 'clvm cluster join' there")
    ]
  }

  private var settings: [Finding] {
    guard let local else { return [] }
    var findings: [Finding] = []
    for other in facts.facts where other.node != local.node {
      let differing = Set(local.commonSettings).symmetricDifference(other.commonSettings)
      let names = Set(differing.map { $0.prefix { $0 != "=" }.filter { $0 != " " } }).sorted()
      guard !names.isEmpty else { continue }
      findings.append(
        Finding(
          .error, .settings, nodes: [local.node, other.node],
          "\(name(other.node)) and this node differ in \(names.joined(separator: ", "))",
          advice:
            "make these settings alike in clvmd.conf and restart clvmd, one node after the other"
        ))
    }
    return findings.isEmpty
      ? [Finding(.good, .settings, "the settings that must be alike are alike")] : findings
  }

  private var names: [Finding] {
    var findings: [Finding] = []
    for fact in facts.facts {
      guard let configured = fact.nodes.first(where: { $0.node == fact.node }) else { continue }
      let short = fact.hostName.prefix { $0 != "." }
      guard configured.name != fact.hostName, configured.name.prefix(while: { $0 != "." }) != short
      else { continue }
      findings.append(
        Finding(
          .warning, .names, nodes: [fact.node],
          "node \(fact.node) is called '\(configured.name)' and its host '\(fact.hostName)'",
          advice: "o2cb, fence agents and people take the host's name: make them alike"))
    }
    return findings.isEmpty
      ? [Finding(.good, .names, "nodes are called as their hosts")] : findings
  }

  private var releases: [Finding] {
    let releases = Dictionary(grouping: facts.facts, by: \.release)
    guard releases.count > 1 else {
      let release = releases.keys.first ?? "unknown"
      return [Finding(.good, .releases, "all nodes run clvmd \(release)")]
    }
    let text = releases.sorted { $0.key < $1.key }.map { release, nodes in
      "\(release) on \(nodes.map { "\($0.node)" }.joined(separator: ", "))"
    }
    return [
      Finding(
        .warning, .releases, "nodes run different releases: \(text.joined(separator: "; "))",
        advice: "upgrade the older ones, one node after the other")
    ]
  }
}
