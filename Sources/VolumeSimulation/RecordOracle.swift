import ClusterTypes
import VolumeCoordination

/// What the cluster has decided about running changes: right by construction, in one order, and final
/// about a coordinator from the moment when it is removed.
struct RecordOracle: Sendable {
  private(set) var steps: [VolumeRequestID: RecordedStep] = [:]
  /// Members no more.
  private var gone: Set<NodeInstance> = []
  /// The last request of a daemon that a member does not have any more.
  private var ended: [NodeInstance: UInt64] = [:]

  /// - Returns: whether the step was taken; otherwise it never will be.
  mutating func decide(_ step: RecordedStep, of id: VolumeRequestID) -> Bool {
    guard !gone.contains(id.origin), id.number > ended[id.origin] ?? 0 else { return false }
    steps[id] = step == .over ? nil : step
    return true
  }

  mutating func remove(_ instance: NodeInstance) { gone.insert(instance) }

  /// The member goes on with a daemon that numbers its requests above `number`.
  mutating func renew(_ instance: NodeInstance, above number: UInt64) { ended[instance] = number }

  func orphans(of instance: NodeInstance) -> [(id: VolumeRequestID, step: RecordedStep)] {
    steps.filter { step in
      step.key.origin == instance
        && (gone.contains(instance) || step.key.number <= ended[instance] ?? 0)
    }.sorted { $0.key.number < $1.key.number }
      .map { (id: $0.key, step: $0.value) }
  }
}

extension VolumeRun {
  /// Runs with an odd seed are of a cluster without a record, as with the external provider.
  var hasRecord: Bool { seed.isMultiple(of: 2) }
}

extension VolumeWorld {
  func ask(_ step: RecordedStep, of command: VolumeCommand, on node: SimulatedNode) {
    guard let change = command.change else { return }
    let effect = begin("record \(step)", on: node)
    guard node.isRunning, node.instance == command.origin else { return }
    if mutation == .assumesRecorded {
      agenda.schedule(.recorded(step, change.id), after: .milliseconds(1))
      return end(effect, on: node)
    }
    // What is lost is said again with the next heartbeat.
    var delay = Duration.microseconds(UInt64.random(in: 300...1500, using: &random))
    if node.delaysNextMessage { delay = .seconds(12) }
    if node.losesNextMessage { delay = .milliseconds(500) }
    (node.delaysNextMessage, node.losesNextMessage) = (false, false)
    agenda.schedule(.decide(step, change.id), after: delay)
    end(effect, on: node)
  }

  func decide(_ step: RecordedStep, of id: VolumeRequestID) {
    guard hasQuorum else { return agenda.schedule(.decide(step, id), after: .seconds(1)) }
    guard record.decide(step, of: id) else { return }
    note("the record says of \(id): \(step)")
    let delay = Duration.microseconds(UInt64.random(in: 300...1500, using: &random))
    agenda.schedule(.recorded(step, id), after: delay)
  }

  /// As the daemon does when it applies the view without `instance`.
  func outlive(_ instance: NodeInstance, on node: SimulatedNode) {
    for (id, step) in record.orphans(of: instance) {
      note("node \(node.id) sees \(id) orphaned in step \(step)")
      let isOpen = node.participant.isBusy(volumeGroupID: committed.id.dashed)
      if isOpen, step <= .suspending { hit(.orphanGivenUp) }
      if isOpen, step == .committed { hit(.orphanFinished) }
      feed(.orphaned(id, step), to: node)
    }
  }
}
