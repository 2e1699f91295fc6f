import AdminProtocol
import ClusterTypes

extension Preflight {
  var devices: [Finding] {
    var findings: [Finding] = []
    for fact in facts.facts {
      guard let failure = fact.diskFailure else { continue }
      findings.append(
        Finding(
          .error, .devices, nodes: [fact.node],
          "\(name(fact.node)) could not look at its disks: \(failure)",
          advice: "look at devices/filter of clvmd.conf and lvm.conf, and at the kernel's log"))
    }
    let seen = facts.facts.filter { $0.diskFailure == nil }
    var groups: [String: (volumeGroup: String, nodes: Set<NodeID>)] = [:]
    for fact in seen {
      for volume in fact.physicalVolumes {
        groups[volume.id, default: (volume.volumeGroup, [])].nodes.insert(fact.node)
      }
    }
    let all = Set(seen.map(\.node))
    for (id, place) in groups.sorted(by: { $0.key < $1.key }) {
      let missing = all.subtracting(place.nodes).sorted()
      guard !missing.isEmpty else { continue }
      findings.append(
        Finding(
          .error, .devices, nodes: missing,
          "physical volume \(id) of volume group \(place.volumeGroup) is not seen on "
            + missing.map(name).joined(separator: ", "),
          advice: "connect the disk there, and look at devices/filter"))
    }
    guard findings.isEmpty else { return findings }
    return [
      groups.isEmpty
        ? Finding(.good, .devices, "there is no shared volume group yet")
        : Finding(
          .good, .devices, "\(groups.count) physical volumes of shared groups are seen everywhere")
    ]
  }

  var lvm: [Finding] {
    var findings: [Finding] = []
    for fact in facts.facts {
      switch fact.usesLVMLockd {
      case nil:
        findings.append(
          Finding(
            .warning, .lvm, nodes: [fact.node], "lvm.conf of \(name(fact.node)) cannot be read",
            advice: "run 'lvmconfig --validate' there"))
      case false?:
        findings.append(
          Finding(
            .error, .lvm, nodes: [fact.node],
            "lvm commands of \(name(fact.node)) do not ask for locks of shared volume groups",
            advice: "set global/use_lvmlockd = 1 in lvm.conf there"))
      case true?: break
      }
      if let type = fact.lockingType, type != 1 {
        findings.append(
          Finding(
            .warning, .lvm, nodes: [fact.node],
            "lvm.conf of \(name(fact.node)) has global/locking_type = \(type), which LVM 2.03 does "
              + "not know any more",
            advice: "remove it from lvm.conf, unless LVM 2.02 runs there"))
      }
    }
    return findings.isEmpty
      ? [Finding(.good, .lvm, "lvm commands ask for locks on every node")] : findings
  }
}
