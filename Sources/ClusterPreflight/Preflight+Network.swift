import AdminProtocol
import ClusterTypes

extension Preflight {
  var addresses: [Finding] {
    var findings: [Finding] = []
    for fact in facts.facts {
      guard let configured = fact.nodes.first(where: { $0.node == fact.node }) else { continue }
      for address in configured.addresses where !fact.ownAddresses.contains(address) {
        findings.append(
          Finding(
            .error, .addresses, nodes: [fact.node],
            "\(address) is configured for \(name(fact.node)), and no interface there has it",
            advice: "bring the interface up, or correct the address in clvmd.conf of all nodes"))
      }
      if configured.addresses.count == 1, fact.nodes.count > 1 {
        findings.append(
          Finding(
            .warning, .addresses, nodes: [fact.node],
            "\(name(fact.node)) has one address: a broken cable is a dead node",
            advice: "give it cluster/nodes/\(configured.name)/second_address on another network"))
      }
    }
    return findings.isEmpty
      ? [Finding(.good, .addresses, "every node has its addresses")] : findings
  }

  var links: [Finding] {
    var findings: [Finding] = []
    for fact in facts.facts {
      for link in fact.links {
        // Those to a node that did not answer make one finding together.
        guard let failure = link.failure, !facts.silentNodes.contains(link.node) else { continue }
        findings.append(
          Finding(
            .error, .links, nodes: [fact.node, link.node],
            "\(name(fact.node)) does not get from \(link.from) to \(link.to) of "
              + "\(name(link.node)): \(failure)",
            advice: "look at cables, routes and firewalls between these addresses"))
      }
    }
    findings += facts.silentNodes.compactMap(linksToSilent)
    let count = facts.facts.reduce(0) { $0 + $1.links.count { $0.failure == nil } }
    guard findings.isEmpty else { return findings }
    return count == 0 ? [] : [Finding(.good, .links, "\(count) links carry connections")]
  }

  /// Whether it is the network that keeps a node silent: every link to it and what became of it.
  private func linksToSilent(_ silent: NodeID) -> Finding? {
    let links = facts.facts.flatMap { fact in
      fact.links.filter { $0.node == silent }.map { (from: fact.node, link: $0) }
    }
    guard !links.isEmpty else { return nil }
    let text = links.map { from, link in
      "\(name(from)) from \(link.from) to \(link.to): \(link.failure ?? "connected")"
    }.joined(separator: "; ")
    let nodes = links.map(\.from).reduce(into: [silent]) { if !$0.contains($1) { $0.append($1) } }
    guard links.contains(where: { $0.link.failure != nil }) else {
      return Finding(
        .warning, .links, nodes: nodes,
        "\(name(silent)) did not answer, although every link to it carries connections: \(text)",
        advice: "the network is not what keeps it silent: see that clvmd runs there and here")
    }
    return Finding(
      .error, .links, nodes: nodes, "links to \(name(silent)), which did not answer: \(text)",
      advice: "where the connection is refused, the machine is there and clvmd does not run; "
        + "otherwise see whether the machine is on, and look at cables, routes and firewalls")
  }

  var clocks: [Finding] {
    var findings = facts.clockRates.compactMap { rate -> Finding? in
      guard abs(rate.partsPerMillion) - rate.uncertainty > Self.clockRateLimit else { return nil }
      let way = rate.partsPerMillion > 0 ? "faster" : "slower"
      return Finding(
        .error, .clocks, nodes: [rate.node],
        "the clock of \(name(rate.node)) runs \(abs(rate.partsPerMillion) / 10_000) % \(way) than "
          + "this node's",
        advice: "leases allow 1 %; look at its clock source and time service")
    }
    if let local {
      for fact in facts.facts
      where abs(fact.wallClock - local.wallClock) > Self.wallClockLimitMilliseconds {
        findings.append(
          Finding(
            .warning, .clocks, nodes: [fact.node],
            "the time of day of \(name(fact.node)) differs by "
              + "\(abs(fact.wallClock - local.wallClock) / 1000) s: logs cannot be compared",
            advice: "run a time service on all nodes"))
      }
    }
    guard findings.isEmpty else { return findings }
    guard !facts.clockRates.isEmpty else { return [] }
    return [Finding(.good, .clocks, "clocks run alike, within 1 %")]
  }
}
