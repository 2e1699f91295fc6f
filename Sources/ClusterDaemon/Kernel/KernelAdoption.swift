import ClusterTypes
import KeeperProtocol
import KernelLockspaces

/// Whether a new life of the daemon may take up what the kernel still runs for an earlier one
/// (kernel-dlm-control 12, membership design 9 and 18).
///
/// Taken up is only what the keeper knows and the kernel confirms. Anything else was started on a
/// membership that nobody can name, and the machine must be rebooted.
struct KernelAdoption {
  private let control: KernelLockManager

  init(_ control: KernelLockManager) { self.control = control }

  /// The keeper's table as the kernel confirms it. Throws what contradicts.
  func confirm(_ table: KernelTable) throws -> KernelTable {
    var table = table
    let existing = try control.lockspaces()
    // One that was left while its note was still under way.
    table.spaces = table.spaces.filter { existing.contains($0.key.text) }
    for text in existing {
      guard let name = LockspaceName(text), table.spaces[name] == nil else { continue }
      guard try control.state(of: name).awaitsJoin else {
        throw DaemonError(
          """
          the kernel has lockspace \(name), and clvmd-keeper does not know on which members it was \
          started: unmount its filesystem or reboot this node
          """)
      }
    }
    for (name, space) in table.spaces { try check(name, space) }
    try table.settleStarts { try !control.recoverStatus($0).isEmpty }
    return table
  }

  /// The confirmed table for this life; throws when the lockspaces belong to another incarnation.
  func claim(_ table: KernelTable, for local: NodeInstance) throws -> KernelTable {
    var table = table
    if table.spaces.allSatisfy({ $0.value.members.isEmpty }) {
      // Nothing has this node as a member yet: its entry is as good for the new life.
      table.comms[local.node] = local.incarnation
    } else if table.local != local {
      throw DaemonError(
        """
        the kernel's lockspaces belong to another incarnation of this node than the one with which it \
        may go on: reboot this node
        """)
    }
    table.local = local
    return table
  }

  /// The kernel has only members that were noted, for the last start or the one under way.
  private func check(_ name: LockspaceName, _ space: StartedSpace) throws {
    let noted = Set((space.members + (space.next?.members ?? [])).map(\.node))
    let unknown = try control.members(of: name).subtracting(noted)
    guard unknown.isEmpty else {
      let nodes = unknown.sorted().map(\.description).joined(separator: ", ")
      throw DaemonError(
        """
        lockspace \(name) has members in the kernel (nodes \(nodes)) that clvmd-keeper does not know \
        of: reboot this node
        """)
    }
  }
}
