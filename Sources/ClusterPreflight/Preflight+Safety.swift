import AdminProtocol
import ClusterTypes

extension Preflight {
  var fencing: [Finding] {
    var findings: [Finding] = []
    for fact in facts.facts {
      for device in fact.fenceDevices {
        guard let failure = device.failure else { continue }
        findings.append(
          Finding(
            .error, .fencing, nodes: [fact.node],
            "fence device '\(device.name)' (\(device.agent)) does not work from "
              + "\(name(fact.node)): \(failure)",
            advice: "try the agent by hand with the same parameters and action=monitor"))
      }
    }
    guard findings.isEmpty else { return findings }
    let count = facts.facts.reduce(0) { $0 + $1.fenceDevices.count }
    guard count > 0 else {
      return [
        Finding(
          .warning, .fencing,
          "no fence device is configured: after a failure everything waits for an administrator",
          advice: "describe fence devices in the section fencing of clvmd.conf")
      ]
    }
    return [Finding(.good, .fencing, "fence devices answer on every node")]
  }

  var watchdogs: [Finding] {
    facts.facts.map { fact in
      guard let first = fact.watchdogs.first else {
        return Finding(
          .warning, .watchdogs, nodes: [fact.node],
          "\(name(fact.node)) has no watchdog: it cannot reset itself when it loses the cluster",
          advice: "load the driver of the machine's watchdog, or softdog if it has none")
      }
      guard fact.watchdogs.contains(where: { $0.identity != Self.softwareWatchdog }) else {
        return Finding(
          .warning, .watchdogs, nodes: [fact.node],
          "\(name(fact.node)) has only the kernel's software watchdog, which a stuck kernel stops",
          advice: "use a hardware watchdog where there is one")
      }
      return Finding(
        .good, .watchdogs, nodes: [fact.node],
        "\(name(fact.node)) has the watchdog '\(first.identity)'")
    }
  }

  private static let softwareWatchdog = "Software Watchdog"

  var foreignStacks: [Finding] {
    let findings = facts.facts.flatMap { fact in
      fact.foreignStacks.map { stack in
        Finding(.error, .foreignStacks, nodes: [fact.node], "\(name(fact.node)): \(stack)")
      }
    }
    return findings.isEmpty
      ? [Finding(.good, .foreignStacks, "no other lock manager runs")] : findings
  }
}
