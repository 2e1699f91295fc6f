import ClusterTypes
import LockProtocol

@testable import LockManager

extension LockspaceMachine {
  /// A machine with locking enabled, as if the recovery with these members were over.
  static func running(
    on local: NodeID, members: [NodeID], messageFlags: LockMessageFlags = []
  ) -> LockspaceMachine {
    guard let name = LockspaceName("test") else { preconditionFailure("name") }
    var machine = LockspaceMachine(
      Configuration(name: name, localNode: local, messageFlags: messageFlags, seed: 1))
    machine.recovery.members = members.sorted().map { Member($0) }
    machine.recovery.others = members.sorted().filter { $0 != local }
    machine.recovery.generation = 1
    machine.recovery.status = [.nodes, .directory, .locks, .done]
    machine.recovery.phase = .running
    machine.directory = DirectoryMap(members: members)
    return machine
  }
}
