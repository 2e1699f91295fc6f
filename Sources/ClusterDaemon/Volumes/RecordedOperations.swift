import AdminProtocol
import ClusterMembership
import ClusterTypes
import DistributedLockManager
import LockspaceGroups
import Logging
import VolumeCoordination

/// The volume changes of all nodes in the cluster's record: this node's are told there, and of those
/// whose coordinator was removed the participants learn how far they had come.
///
/// Confined to the cluster's event loop.
final class RecordedOperations {
  private unowned let node: ClusterNode
  private let access: any RecordAccess
  private let logger: Logger
  /// What the record calls the changes of this node that it has taken.
  private var names: [VolumeRequestID: VolumeOperation.ID] = [:]
  /// Orphans whose end this node has asked for.
  private var ending: Set<VolumeOperation.ID> = []
  /// Whether this node still settles something in the volume group.
  var isBusy: (_ volumeGroupID: String) -> Bool = { _ in false }

  /// Nil with a provider that has no record.
  init?(_ node: ClusterNode, logger: Logger) {
    guard let access = node.record else { return nil }
    self.node = node
    self.access = access
    self.logger = logger
  }

  /// Has the record tell that a change of this node has come to a step; `answer` gets the input for its
  /// coordinator, unless the step is one that is only told.
  func tell(
    _ step: RecordedStep, of change: VolumeChange, on participants: Set<NodeInstance>,
    _ answer: @escaping (CoordinationInput) -> Void
  ) {
    switch step {
    case .begun: begin(change, participants, answer)
    case .suspending: advance(change, .suspend, step, answer)
    case .committing: advance(change, .committing, step, answer)
    case .committed: advance(change, .committed, step, answer)
    case .over:
      guard let name = names.removeValue(forKey: change.id) else { return }
      access.submit(.endOperation(name)) { _ in }
    }
  }

  private func begin(
    _ change: VolumeChange, _ participants: Set<NodeInstance>,
    _ answer: @escaping (CoordinationInput) -> Void
  ) {
    let record = access.record
    let slots = participants.compactMap { record.newestConfiguration[$0.node]?.slot }
    let operation = VolumeOperation(
      number: change.id.number, volumeGroup: change.volumeGroupID, groupName: change.volumeGroup,
      title: change.title, oldSequence: change.oldSeqno, newSequence: change.newSeqno,
      coordinator: access.localSlot, participants: NodeSet(slots))
    access.submit(.beginOperation(operation)) { [self] outcome in
      switch outcome {
      case .decided(let name):
        names[change.id] = VolumeOperation.ID(name)
        answer(.recorded(change.id, .begun))
      case .refused(let reason): answer(.unrecorded(change.id, .begun, reason: reason))
      case .unknown:
        guard let found = ownOperation(of: change.id) else {
          return answer(.unrecorded(change.id, .begun, reason: Self.missed))
        }
        names[change.id] = found.id
        answer(.recorded(change.id, .begun))
      }
    }
  }

  private func advance(
    _ change: VolumeChange, _ step: VolumeOperation.Step, _ recorded: RecordedStep,
    _ answer: @escaping (CoordinationInput) -> Void
  ) {
    guard let name = names[change.id] else {
      return answer(.unrecorded(change.id, recorded, reason: "it does not know the change"))
    }
    access.submit(.advanceOperation(name, step)) { [self] outcome in
      switch outcome {
      case .decided: answer(.recorded(change.id, recorded))
      case .refused(let reason): answer(.unrecorded(change.id, recorded, reason: reason))
      case .unknown:
        let isTaken = ownOperation(of: change.id).map { $0.step >= step } ?? false
        answer(
          isTaken
            ? .recorded(change.id, recorded)
            : .unrecorded(change.id, recorded, reason: Self.missed))
      }
    }
  }

  private static let missed = "its answer was missed"

  private func ownOperation(of id: VolumeRequestID) -> VolumeOperation? {
    let record = access.record
    return record.operations.first { operation in
      operation.id.slot == access.localSlot && operation.number == id.number
        && !record.isOrphan(operation)
    }
  }

  /// A coordinator, or its earlier life, is a member no more: how far its changes had come.
  func orphans(of instance: NodeInstance) -> [CoordinationInput] {
    let record = access.record
    return record.operations.compactMap { operation in
      guard record.instance(operation.id.slot, operation.id.incarnation) == instance,
        record.isOrphan(operation)
      else { return nil }
      return .orphaned(
        VolumeRequestID(origin: instance, number: operation.number), operation.step.recorded)
    }
  }

  /// Ends what a coordinator has left, once every participant has settled it: their lockspace does not
  /// run before that. The first of them asks.
  func endOrphans() {
    let record = access.record
    guard !record.operations.isEmpty || !ending.isEmpty else { return }
    ending.formIntersection(record.operations.map(\.id))
    guard !record.awaitsEvidence else { return }
    for operation in record.operations
    where record.isOrphan(operation) && !ending.contains(operation.id)
      && operation.participants.first == access.localSlot && isSettled(operation)
    {
      ending.insert(operation.id)
      logger.notice("\(operation.title) of \(coordinator(of: operation)) is settled")
      access.submit(.endOperation(operation.id)) { [self] outcome in
        if case .decided = outcome { return }
        ending.remove(operation.id)
      }
    }
  }

  private func isSettled(_ operation: VolumeOperation) -> Bool {
    guard !isBusy(operation.volumeGroup) else { return false }
    guard let name = LockspaceName("lvm_\(operation.groupName)"),
      let lockspace = node.groups.lockspace(name)
    else { return true }
    guard case .started(let running) = lockspace.phase else { return false }
    return lockspace.members.allSatisfy { running.contains($0.node) }
  }

  private func coordinator(of operation: VolumeOperation) -> String {
    access.record.node(operation.id.slot).map { "node \($0.id)" } ?? "a node that was taken out"
  }

  /// All that the record tells, for `clvm status`.
  var status: [OperationStatus] {
    let record = access.record
    return record.operations.map { operation in
      OperationStatus(
        coordinator: record.node(operation.id.slot)?.id, number: operation.number,
        title: operation.title, volumeGroup: operation.groupName,
        oldSeqno: operation.oldSequence, newSeqno: operation.newSequence,
        step: OperationStatus.Step(operation.step), isOrphan: record.isOrphan(operation),
        participants: operation.participants.compactMap { record.node($0)?.id })
    }
  }
}

extension VolumeOperation.ID {
  fileprivate init(_ name: RequestName) {
    self.init(
      slot: name.slot, incarnation: name.incarnation, life: name.life, sequence: name.sequence)
  }
}

extension VolumeOperation.Step {
  fileprivate var recorded: RecordedStep {
    switch self {
    case .prepare: .begun
    case .suspend: .suspending
    case .committing: .committing
    case .committed: .committed
    }
  }
}

extension OperationStatus.Step {
  fileprivate init(_ step: VolumeOperation.Step) {
    self =
      switch step {
      case .prepare: .preparing
      case .suspend: .suspending
      case .committing: .committing
      case .committed: .committed
      }
  }
}
