import ClusterTypes
import LVMMetadata
import VolumeActivation
import VolumeCoordination

/// What a device must look like by the committed metadata.
struct ExpectedDevice {
  let name: String
  let sectors: UInt64
  /// Nil for a device that lies on others.
  let table: DeviceTable?
  let isReadOnly: Bool
  let isTop: Bool
}

/// Which text a metadata area holds.
struct TextIdentity: Equatable {
  let checksum: UInt32
  let size: UInt64
}

extension SimulatedDeviceMapper {
  var hasDevices: Bool {
    var copy = self
    return (try? copy.devices().isEmpty) == false
  }
}

extension VolumeWorld {
  /// No node may have devices suspended, by the other nodes' fault, for longer than this.
  static let suspendLimit = Duration.seconds(15)

  func device(named name: String) -> PhysicalVolumeDevice? {
    guard let index = disks.firstIndex(where: { $0.name == name }) else { return nil }
    return PhysicalVolumeDevice(
      number: SampleDisks.numbers[index], sizeSectors: SampleDisks.deviceSectors)
  }

  var planner: ActivationPlanner {
    ActivationPlanner(
      committed,
      devices: Dictionary(
        uniqueKeysWithValues: committed.physicalVolumes.enumerated().compactMap { index, volume in
          device(named: "/dev/sd\(index)").map { (volume.id, $0) }
        }))
  }

  var isCommitted: Bool { commands.first?.change.map { committed.seqno >= $0.newSeqno } ?? false }

  // MARK: - Disks

  /// Something was written to a metadata area.
  func written() {
    let scan = MetadataScanner.scan(disks, texts: &texts)
    for area in scan.physicalVolumes.flatMap(\.areas) {
      guard case .text(_, let text, let location) = area.state else { continue }
      let identity = TextIdentity(checksum: location.checksum, size: location.size)
      let known = contents[text.volumeGroup.seqno]
      if let known, known != identity {
        violate(.seqnoNamesOneContent, "seqno \(text.volumeGroup.seqno) has two contents")
      }
      contents[text.volumeGroup.seqno] = identity
    }
    guard let group = scan.groups.first?.volumeGroup else {
      return violate(.metadataIsWhole, "no area holds a whole text")
    }
    if group.seqno < committed.seqno {
      violate(.seqnoNeverFalls, "seqno \(group.seqno) after \(committed.seqno)")
    }
    if group.physicalVolumes.count < SampleDisks.numbers.count {
      violate(.volumesStay, "\(group.physicalVolumes.count) physical volumes are left")
    }
    do {
      try group.checkWritable()
    } catch {
      violate(.extentsHaveOneOwner, error.message)
    }
    guard group != committed || expected.isEmpty else { return }
    checkShrink(to: group)
    committed = group
    note("committed: seqno \(group.seqno)")
    expectDevices()
    for id in nodes.keys.sorted() { if let node = nodes[id] { checkMappings(of: node) } }
  }

  /// What a repair by `vgck --updatemetadata` does.
  func repairHeaders() {
    guard let group = MetadataScanner.scan(disks).groups.first else { return }
    var next = group.text
    next.volumeGroup.seqno += 1
    do {
      var commit = try MetadataCommit(from: group, to: next, purpose: .repair)
      try commit.write()
      try commit.precommit()
      _ = commit.commit()
      hasTornHeader = false
      written()
    } catch {
      violate(.metadataIsWhole, "the group cannot be repaired: \(error)")
    }
  }

  func tornHeader() {
    hasTornHeader = true
    hit(.tornHeader)
    written()
  }

  func writes(_ node: SimulatedNode) {
    if !lock.isWriter(node.instance) {
      violate(.writesUnderLock, "node \(node.id) writes without the lock")
    }
  }

  /// A reader of metadata, as mutated.
  func slot(
    for slot: MetadataScanner.Slot, _ node: SimulatedNode
  ) -> MetadataScanner.Slot {
    mutation == .followsPrecommitted && node.runsRecovery ? .precommitted : slot
  }

  private func expectDevices() {
    expected = [:]
    let planner = planner
    for name in planner.volumeNames {
      guard let plan = try? planner.plan(named: name) else {
        violate(.metadataIsWhole, "\(name) cannot be planned")
        continue
      }
      for device in plan.devices {
        let isPlain = device.children.isEmpty
        expected[device.uuid] = ExpectedDevice(
          name: device.name.text, sectors: device.table.sectorCount,
          table: isPlain ? planned(device) : nil, isReadOnly: device.isReadOnly,
          isTop: device.uuid == plan.uuid)
      }
    }
  }

  private func planned(_ device: PlannedDevice) -> DeviceTable? {
    device.table.lines.reduce(into: [TableLine]()) { lines, line in
      guard case .linear(let area) = line.target,
        case .physicalVolume(_, let number?) = area.device
      else { return }
      lines.append(
        TableLine(
          start: line.start, length: line.length,
          target: .linear(TableArea(device: number, offset: area.offset))))
    }.asTable
  }

  private func checkShrink(to group: VolumeGroup) {
    for volume in committed.logicalVolumes where volume.isVisible {
      let after = group.logicalVolume(id: volume.id)?.extentCount ?? 0
      guard after < volume.extentCount else { continue }
      let holders = nodes.values.filter { node in
        node.isPowered && !lock.isWriter(node.instance) && isActive(volume.id, on: node)
      }
      for node in holders {
        violate(
          .shrinkIsExclusive, "\(volume.name) loses extents while node \(node.id) has it active")
      }
    }
  }

  func isActive(_ id: LVMIdentifier, on node: SimulatedNode) -> Bool {
    let uuid = MappedDeviceUUID(volumeGroup: committed.id, logicalVolume: id)
    var kernel = node.kernel
    return (try? kernel.state(of: uuid))??.hasLiveTable ?? false
  }

  func nodesWithVolume() -> Set<NodeID> {
    let id = SampleDisks.identifier(run.operation.volume)
    return Set(nodes.values.filter { $0.isPowered && isActive(id, on: $0) }.map(\.id))
  }

  // MARK: - Devices

  /// A node's devices have changed.
  func changed(_ node: SimulatedNode) {
    var suspended: Set<MappedDeviceUUID> = []
    for uuid in node.kernel.suspendedDevices { suspended.insert(uuid) }
    for uuid in node.suspendedSince.keys where !suspended.contains(uuid) {
      node.suspendedSince[uuid] = nil
    }
    for uuid in suspended where node.suspendedSince[uuid] == nil { node.suspendedSince[uuid] = now }
    checkMappings(of: node)
    node.kernel.clearJournal()
  }

  /// What is not suspended leads where the committed metadata says, as far as it leads.
  func checkMappings(of node: SimulatedNode) {
    guard node.isPowered, let devices = try? node.kernel.devices() else { return }
    for device in devices {
      guard let state = try? node.kernel.state(of: device.uuid), state.hasLiveTable,
        !state.isSuspended, let live = try? node.kernel.table(.live, of: device.uuid),
        !live.isFailing
      else { continue }
      guard let wanted = expected[device.uuid] else {
        violate(
          .extentsHaveOneOwner, "node \(node.id) runs \(device.name), which is not in the metadata")
        continue
      }
      if wanted.isTop, live.sectorCount > wanted.sectors {
        violate(
          .mappingIsCommitted,
          "node \(node.id) runs \(device.name) with \(live.sectorCount) sectors, the metadata has "
            + "\(wanted.sectors)")
      }
      guard let table = wanted.table else { continue }
      let end = min(live.sectorCount, table.sectorCount)
      for sector in stride(from: 0, to: end, by: Int(SampleDisks.extentSectors))
      where live.area(of: sector) != table.area(of: sector) {
        violate(
          .mappingIsCommitted,
          "node \(node.id): sector \(sector) of \(device.name) leads to "
            + "\(live.area(of: sector)?.description ?? "nothing")")
      }
    }
  }

  func checkSuspends() {
    for node in nodes.values where node.isRunning && node.stalledUntil == nil {
      guard let first = node.suspendedSince.values.min() else { continue }
      let isCared =
        node.participant.isBusy(volumeGroupID: committed.id.dashed) || !node.isSettled
        || node.owesRecovery || node.isWorking || node.isLeftByLVM
      if !isCared { violate(.suspendHasOwner, "node \(node.id) has suspended devices") }
      checkOwnSuspend(node, since: first)
      if now - first > Self.suspendLimit, !node.isHampered, hasQuorum,
        nodes.values.allSatisfy({ $0.isRunning && $0.stalledUntil == nil })
      {
        violate(.suspendIsBounded, "node \(node.id) has had suspended devices since \(first)")
      }
    }
  }

  /// Whoever decides about the commit itself holds I/O for nobody, whatever becomes of the others.
  private func checkOwnSuspend(_ node: SimulatedNode, since first: Timestamp) {
    guard commands.contains(where: { $0.origin == node.instance && !$0.isOver }) else { return }
    guard now - first > Self.suspendLimit, !node.isHampered else { return }
    violate(.suspendIsBounded, "node \(node.id) has suspended its own devices since \(first)")
  }

  /// Of the nodes whose daemons have lived through all of it, none differs from the others: volumes
  /// became active on all, or on none but those where they were before.
  private func checkWholeness() {
    guard run.hasRecord, let command = commands.first, let kind = command.change?.kind,
      kind == .activate || kind == .deactivate
    else { return }
    let witnesses = Set(nodes.values.filter { $0.isRunning && $0.life == 0 }.map(\.id))
    let active = nodesWithVolume().intersection(witnesses)
    let isDone = active == (kind == .activate ? witnesses : [])
    if !isDone, active != command.activeBefore.intersection(witnesses) {
      violate(
        .activationIsWhole,
        "the volume is active on \(active.map(\.description).sorted().joined(separator: ", "))")
    }
  }

  // MARK: - When nobody holds the lock

  /// Everybody runs on the committed mapping, under the committed names.
  func checkQuiet(_ when: String, except claim: GroupLockOracle.Claim? = nil) {
    for id in nodes.keys.sorted() {
      guard let node = nodes[id], node.isRunning, !node.isRemoved, !node.owesRecovery, !node.lags
      else { continue }
      if node.participant.isStranded(volumeGroupID: committed.id.dashed) {
        checkStranded(node, when)
      } else {
        check(node, when)
      }
    }
  }

  /// A node that could not follow leads nobody to an older mapping.
  private func checkStranded(_ node: SimulatedNode, _ when: String) {
    for device in (try? node.kernel.devices()) ?? [] {
      guard let wanted = expected[device.uuid], wanted.isTop,
        let live = try? node.kernel.table(.live, of: device.uuid), !live.isFailing
      else { continue }
      if live.sectorCount != wanted.sectors {
        violate(
          .nobodyLags, "\(when): node \(node.id), which could not follow, serves \(device.name)")
      }
    }
  }

  private func check(_ node: SimulatedNode, _ when: String) {
    for device in (try? node.kernel.devices()) ?? [] {
      guard let state = try? node.kernel.state(of: device.uuid) else { continue }
      if state.isSuspended {
        violate(.nobodyLags, "\(when): node \(node.id) has \(device.name) suspended")
      }
      guard let wanted = expected[device.uuid] else {
        violate(.nobodyLags, "\(when): node \(node.id) still has \(device.name)")
        continue
      }
      let live = (try? node.kernel.table(.live, of: device.uuid)) ?? .empty
      if live.sectorCount != wanted.sectors || live.isFailing {
        violate(
          .nobodyLags,
          "\(when): node \(node.id) runs \(device.name) with \(live.sectorCount) sectors"
            + "\(live.isFailing ? " that fail" : ""), not \(wanted.sectors)")
      }
      if device.name != wanted.name {
        violate(
          .namesAreCommitted, "\(when): node \(node.id) calls \(wanted.name) \(device.name)")
      }
    }
  }

  /// The command's answer says what is.
  func checkAnswer(of command: VolumeCommand, _ result: ChangeResult) {
    guard let change = command.change else { return }
    let isCommitted = result.outcome == .committed
    // Who is misled cannot commit anything.
    let isOnDisk = committed.seqno >= change.newSeqno && !command.isMisled
    if change.kind.changesMetadata, isCommitted != isOnDisk {
      violate(
        .answerIsTrue, "\(result.outcome), but the disks have seqno \(committed.seqno)")
    }
    guard isCommitted || change.kind != .activate && change.kind != .deactivate else {
      let after = nodesWithVolume()
      for node in nodes.values where node.isRunning && !node.isRemoved && node.life == 0 {
        if command.activeBefore.contains(node.id) != after.contains(node.id) {
          violate(.activationIsUndone, "node \(node.id) differs from before")
        }
      }
      return
    }
    for id in nodes.keys.sorted() {
      guard let node = nodes[id], node.isRunning, !node.isRemoved, !node.owesRecovery,
        !node.participant.isStranded(volumeGroupID: committed.id.dashed), node.stalledUntil == nil,
        !node.lags
      else { continue }
      check(node, "command \(command.index) says \(isCommitted ? "committed" : "aborted")")
    }
  }

  func checkAllEnded() {
    if !lock.isFree || !lock.waiters.isEmpty || isRecovering {
      let waits = commands.compactMap { $0.coordinator?.waitingFor }
      violate(
        .everythingEnds,
        "the lock is held by \(lock.holders), waited for by \(lock.waiters), deaths not settled: "
          + "\(openDeaths); \(waits.joined(separator: " ")) "
          + nodes.values.flatMap(\.participant.openChanges).joined(separator: " "))
    }
    for node in nodes.values where node.isRunning {
      if node.participant.isBusy(volumeGroupID: committed.id.dashed) {
        violate(
          .everythingEnds,
          "node \(node.id): \(node.participant.openChanges.joined(separator: " "))")
      }
    }
    checkQuiet("at rest")
  }

  func checkEnd() {
    checkAllEnded()
    checkWholeness()
    guard let probe = commands.last, case .committed(let result)? = probe.answer,
      result.stranded.isEmpty
    else {
      return violate(
        .everythingEnds,
        "the group could not be changed in the end: "
          + "\(commands.last?.answer.map { "\($0)" } ?? "no answer")")
    }
  }
}

extension [TableLine] {
  fileprivate var asTable: DeviceTable? { try? DeviceTable(self) }
}

extension DeviceTable {
  /// Where a sector of a linear device leads.
  fileprivate func area(of sector: UInt64) -> TableArea? {
    guard let line = lines.first(where: { $0.start <= sector && sector - $0.start < $0.length }),
      case .linear(let area) = line.target
    else { return nil }
    return TableArea(device: area.device, offset: area.offset + sector - line.start)
  }
}
