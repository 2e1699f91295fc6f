import ClusterTypes
import LVMMetadata
import VolumeActivation
import VolumeCommands
import VolumeCoordination

/// A command of an administrator, as the daemon carries it out: lock, plan, change, release.
final class VolumeCommand {
  enum Work {
    case operation(VolumeOperation)
    /// One extent more for a neighbour.
    case extendNeighbour
  }

  enum Answer: Equatable {
    case committed(ChangeResult)
    case aborted(ChangeResult)
    /// LVM's own command has ended, and so has the reload behind it, if there was something to load.
    case ended
    /// Nothing was begun.
    case refused(String)
  }

  let index: Int
  let origin: NodeInstance
  let work: Work
  var coordinator: ChangeCoordinator?
  /// Of LVM's own command, once it has given its lock up.
  var collector: ReloadCollector?
  var change: VolumeChange?
  var text: MetadataText?
  var answer: Answer?
  var isGivenUp = false
  /// What it planned from was an old area, because its node saw none of the newer ones.
  var isMisled = false
  /// Nodes on which the volume was active before.
  var activeBefore: Set<NodeID> = []

  init(index: Int, origin: NodeInstance, work: Work) {
    self.index = index
    self.origin = origin
    self.work = work
  }

  /// Its daemon is not there any more.
  var isLost = false

  var isOver: Bool { answer != nil || isLost }
  var claim: GroupLockOracle.Claim { .init(owner: origin, purpose: .command(index)) }
}

extension VolumeOperation {
  var kind: VolumeChange.Kind {
    switch self {
    case .extend, .extendByLVM, .extendRAID: .grow
    case .reduce, .reduceShared: .shrink
    case .rename: .rename
    case .remove: .remove
    case .renameGroup: .renameGroup
    case .permission: .permission
    case .activate: .activate
    case .deactivate: .deactivate
    case .refresh: .refresh
    }
  }

  /// Where the volume in question is active at first.
  var activeNodes: [Int32] {
    switch self {
    case .extend, .extendByLVM, .rename, .renameGroup, .permission, .deactivate, .refresh:
      [1, 2, 3]
    case .reduce, .extendRAID, .remove: [1]
    case .reduceShared: [1, 2]
    case .activate: []
    }
  }

  var volume: String { self == .extendRAID ? SampleDisks.raid : SampleDisks.volume }
}

extension VolumeWorld {
  func addCommands() {
    for (node, work) in [
      (Int32(1), VolumeCommand.Work.operation(run.operation)), (2, .extendNeighbour),
    ] {
      guard let id = NodeID(node), let origin = nodes[id]?.instance else { continue }
      let command = VolumeCommand(index: commands.count, origin: origin, work: work)
      commands.append(command)
      let delay: Duration =
        command.index == 0
        ? .milliseconds(1) : .milliseconds(Int64.random(in: 1...12, using: &random))
      agenda.schedule(.beginCommand(command.index), after: delay)
    }
  }

  func activateAtFirst() {
    let planner = planner
    do {
      for node in nodes.values {
        var mapper = node.kernel
        _ = try mapper.activate(planner.plan(named: SampleDisks.neighbour))
        if run.operation.activeNodes.contains(node.id.rawValue) {
          _ = try mapper.activate(planner.plan(named: run.operation.volume))
        }
        node.kernel = mapper
        node.kernel.clearJournal()
      }
    } catch {
      preconditionFailure("the sample volumes cannot be activated: \(error)")
    }
  }

  func begin(command index: Int) {
    let command = commands[index]
    guard let node = nodes[command.origin.node], node.isRunning, node.instance == command.origin,
      !command.isOver
    else { return }
    if node.stalledUntil != nil {
      return agenda.schedule(.beginCommand(index), after: .seconds(1))
    }
    note("command \(index) asks for the lock")
    if !lock.isFree { hit(.rivalWaited) }
    lock.request(command.claim)
  }

  func plan(command index: Int) {
    let command = commands[index]
    guard let node = nodes[command.origin.node], node.isRunning, node.instance == command.origin,
      !command.isOver
    else { return }
    if node.stalledUntil != nil { return agenda.schedule(.planCommand(index), after: .seconds(1)) }
    guard !command.isGivenUp else { return refuse(command, "given up") }
    // As the daemon: whoever was removed must be known to be dead before anything changes.
    guard hasQuorum, openDeaths.isEmpty else {
      hit(.refusedWhileRecovering)
      return refuse(command, "recovering")
    }
    do {
      let disks = SimulatedDisks(node: node, world: self)
      let group = try disks.group(id: committed.id.dashed, slot: .committed, isWritable: false)
      let (change, text) = try describe(command, group)
      command.change = change
      command.text = text
      command.isMisled = change.oldSeqno < committed.seqno
      command.activeBefore = nodesWithVolume()
      if case .operation(.extendByLVM) = command.work {
        return runLVM(command, change, text, on: node)
      }
      note("command \(index): \(change), seqno \(change.oldSeqno) to \(change.newSeqno)")
      var coordinator = ChangeCoordinator(
        change: change, participants: Set(nodes.values.filter(\.isRunning).map(\.instance)),
        hasQuorum: hasQuorum, isRecorded: run.hasRecord)
      let effects = coordinator.start(at: now)
      command.coordinator = coordinator
      carryOut(effects, of: command)
    } catch {
      refuse(command, "\(error)")
    }
  }

  func refuse(_ command: VolumeCommand, _ reason: String) {
    note("command \(command.index) is refused: \(reason)")
    command.answer = .refused(reason)
    lock.release(command.claim)
    lock.cancel(command.claim)
  }

  func give(up command: VolumeCommand) {
    command.isGivenUp = true
    if let effects = command.coordinator?.cancel(reason: "the client went away", at: now) {
      carryOut(effects, of: command)
    } else if lock.waiters.contains(command.claim) {
      refuse(command, "given up")
    }
  }

  func finish(_ command: VolumeCommand, _ result: ChangeResult) {
    note("command \(command.index) ends: \(result.outcome)")
    switch result.outcome {
    case .committed:
      command.answer = .committed(result)
      if command.index == 0 { hit(.committed) }
    case .aborted:
      command.answer = .aborted(result)
      if command.index == 0 { hit(.aborted) }
    }
    if !result.stranded.isEmpty { hit(.stranded) }
    checkAnswer(of: command, result)
    lock.release(command.claim)
  }

  private func describe(
    _ command: VolumeCommand, _ group: ScannedVolumeGroup
  ) throws -> (VolumeChange, MetadataText) {
    var random = random
    var edit = GroupEdit(
      group.volumeGroup,
      context: CommandContext(
        settings: CommandSettings(), hostName: "node-\(command.origin.node)", now: 1,
        makeIdentifier: { LVMIdentifier(using: &random) }, physicalVolume: { _ in nil },
        deviceName: { _ in "" }))
    var kind = VolumeChange.Kind.grow
    var names = [SampleDisks.neighbour]
    switch command.work {
    case .extendNeighbour: try edit.resize(growth(of: SampleDisks.neighbour, by: 1))
    case .operation(let operation):
      kind = operation.kind
      names = [operation.volume]
      switch operation {
      case .extend, .extendByLVM, .extendRAID: try edit.resize(growth(of: operation.volume, by: 3))
      case .reduce, .reduceShared:
        var request = ResizeRequest(
          .reduce, volume: operation.volume,
          size: SizeArgument(sign: .decrease, amount: .extents(2)))
        request.isForced = true
        try edit.resize(request)
      case .rename:
        try edit.rename(operation.volume, to: "renamed")
        names = ["renamed"]
      case .remove: try edit.remove([operation.volume], isForced: true)
      case .renameGroup:
        try edit.renameGroup(to: "renamed")
        names = edit.group.logicalVolumes.filter(\.isVisible).map(\.name)
      case .permission:
        var attributes = VolumeAttributes()
        attributes.isWritable = false
        try edit.change(operation.volume, attributes)
      case .activate, .deactivate, .refresh: break
      }
    }
    if mutation == .skipsSuspend, kind == .shrink || kind == .remove { kind = .grow }
    var next = edit.group
    if kind.changesMetadata { next.seqno += 1 }
    if mutation == .dropsMissing {
      let missing = group.missingPhysicalVolumes
      let unused = missing.filter { next.logicalVolumes(dependingOn: [$0]).isEmpty }
      next.physicalVolumes.removeAll { unused.contains($0.id) }
    }
    let change = try VolumeChange(
      id: VolumeRequestID(origin: command.origin, number: UInt64(command.index + 1)),
      volumeGroup: group.volumeGroup.name, volumeGroupID: group.volumeGroup.id.dashed,
      logicalVolumes: names, oldSeqno: group.volumeGroup.seqno, newSeqno: next.seqno, kind: kind)
    // As every writer's text, it tells who wrote it: two of the same seqno are never equal.
    let provenance = MetadataProvenance(
      generator: "simulation", description: "command \(command.index)",
      creationHost: "node-\(command.origin.node)", creationTime: now.nanoseconds / 1_000_000)
    return (change, MetadataText(volumeGroup: next, provenance: provenance))
  }

  private func growth(of volume: String, by extents: Int) -> ResizeRequest {
    ResizeRequest(
      .extend, volume: volume, size: SizeArgument(sign: .increase, amount: .extents(extents)))
  }

  /// Whatever happened, the group can be changed again.
  func probe() {
    checkAllEnded()
    guard let node = nodes.keys.sorted().compactMap({ nodes[$0] }).first(where: { $0.isRunning })
    else { return violate(.everythingEnds, "no node runs") }
    let command = VolumeCommand(
      index: commands.count, origin: node.instance, work: .extendNeighbour)
    commands.append(command)
    begin(command: command.index)
  }

  /// `vgs`, `lvs`, `pvs`: reads, without any lock, whatever is going on.
  func report(on id: NodeID) {
    guard let node = nodes[id], node.isRunning, !isHealed else { return }
    let disks = SimulatedDisks(node: node, world: self, isReadOnly: true)
    if let group = try? disks.group(id: committed.id.dashed, slot: .committed, isWritable: false) {
      _ = disks.planner(for: group).volumeNames
    }
    agenda.schedule(
      .report(id), after: .milliseconds(now < Timestamp(milliseconds: 50) ? 11 : 9000))
  }
}
