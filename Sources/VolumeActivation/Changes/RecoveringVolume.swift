import LVMMetadata

/// One volume during recovery: how far its repair has come.
struct RecoveringVolume {
  private enum Progress {
    /// Nothing was done yet.
    case planned(PlannedVolume)
    /// Its change leads to the committed metadata.
    case changing(MappingChange)
    case finished(VolumeRecovery.Outcome)
  }

  /// `VG/LV`.
  private let volume: String
  private var progress: Progress
  /// The devices that this volume accounts for.
  let devices: Set<MappedDeviceUUID>

  /// - Parameter top: the volume's own device, which is there.
  init(
    named name: String, _ top: MappedDeviceState, _ planner: ActivationPlanner,
    on mapper: inout some DeviceMapping
  ) {
    volume = "\(planner.volumeGroup.name)/\(name)"
    var devices = Set(planner.topDevices(ofVolumeNamed: name) ?? [])
    do throws(ActivationError) {
      let options = try mapper.options(for: name, top, planner)
      switch Result(catching: { () throws(ActivationRefusal) in
        try planner.plan(named: name, options)
      }) {
      case .success(let plan):
        devices.formUnion(plan.devices.map(\.uuid))
        progress = .planned(plan)
      case .failure(let refusal):
        progress = .finished(.leftAlone(refusal, isSuspended: top.isSuspended))
      }
    } catch {
      progress = .finished(.failed(error))
    }
    self.devices = devices
  }

  var recovery: VolumeRecovery {
    switch progress {
    case .finished(let outcome): return VolumeRecovery(volume: volume, outcome: outcome)
    case .planned, .changing:
      preconditionFailure("the recovery of \(volume) is asked for its outcome before its end")
    }
  }

  /// Puts the committed tables into the inactive slots, or drops what is there. A volume that never
  /// served I/O is removed.
  mutating func load(on mapper: inout some DeviceMapping) {
    guard case .planned(let plan) = progress else { return }
    do throws(ActivationError) {
      let state = try attempt(volume) { () throws(DeviceMapperError) in
        try mapper.state(of: plan.uuid)
      }
      guard state?.hasLiveTable == true else {
        _ = try mapper.deactivate([plan.uuid], volume: volume)
        progress = .finished(.removed)
        return
      }
      progress = .changing(try MappingChange(recovering: plan, on: &mapper))
    } catch {
      progress = .finished(.failed(error))
    }
  }

  mutating func suspend(on mapper: inout some DeviceMapping) {
    advance { change throws(ActivationError) in
      try change.suspendForRecovery(on: &mapper)
      return nil
    }
  }

  mutating func resume(on mapper: inout some DeviceMapping) {
    advance { change throws(ActivationError) in
      let outcome = try change.finish(on: &mapper).first
      guard let outcome else { return .unchanged }
      switch outcome.change {
      case .reloaded, .activated:
        return .reloaded(oldSize: outcome.oldSize, newSize: outcome.newSize)
      case .renamed: return .cleaned
      case .unchanged, .deactivated: return change.wasCleaned ? .cleaned : .unchanged
      }
    }
  }

  /// Runs a step of a repair that has not failed; a result ends the repair.
  private mutating func advance(
    _ step: (inout MappingChange) throws(ActivationError) -> VolumeRecovery.Outcome?
  ) {
    guard case .changing(var change) = progress else { return }
    do {
      let outcome = try step(&change)
      progress = outcome.map(Progress.finished) ?? .changing(change)
    } catch {
      // Nodes in /dev do not decide whether I/O runs.
      if case .nodesUnsettled = error {
        progress = .finished(change.wasCleaned ? .cleaned : .unchanged)
      } else {
        progress = .finished(.failed(error))
      }
    }
  }
}

extension DeviceMapping {
  /// How a volume that is active now is active: without write permission, with or without a running
  /// merge, and with parts that fail because they were missing. Whoever plans it again plans it so, or
  /// the change changes more than was asked: what is missing only now must not be replaced by
  /// something that fails for ever.
  ///
  /// - Parameters:
  ///   - top: the state of the volume's own device.
  ///   - planner: of the metadata that the volume was made active with: what that does not say was
  ///     said at the activation.
  public mutating func options(
    for volume: String, _ top: MappedDeviceState, _ planner: ActivationPlanner
  ) throws(ActivationError) -> ActivationOptions {
    var options = ActivationOptions()
    let hasPlaceholders = try attempt("\(planner.volumeGroup.name)/\(volume)") {
      () throws(DeviceMapperError) in
      try devices().contains {
        $0.uuid.volumeGroup == planner.volumeGroup.id
          && $0.uuid.suffix?.hasPrefix("missing_") == true
      }
    }
    // What is active although parts are missing was made so on purpose.
    options.mode = hasPlaceholders ? .partial : .complete
    // What the metadata says of the volume is not for the rest of its stack.
    options.isReadOnly = top.isReadOnly && planner.isWritable(volume)
    if top.hasLiveTable, planner.isMergeOrigin(volume) {
      let live = try attempt("\(planner.volumeGroup.name)/\(volume)") {
        () throws(DeviceMapperError) in try table(.live, of: top.device.uuid)
      }
      options.merge = planner.isMerging(volume, live) ? .running : .pending
    }
    return options
  }
}

extension ActivationPlanner {
  func isWritable(_ name: String) -> Bool {
    topology.index(named: name).map { volumeGroup.logicalVolumes[$0].isWritable } ?? false
  }

  func isMergeOrigin(_ name: String) -> Bool {
    topology.index(named: name).map { topology.roles[$0].contains(.mergeOrigin) } ?? false
  }

  /// Whether a live table says that the merge into the volume has begun.
  func isMerging(_ name: String, _ live: DeviceTable) -> Bool {
    guard let index = topology.index(named: name), let target = live.lines.first?.target else {
      return false
    }
    if target.type == "snapshot-merge" { return true }
    guard target.type == "thin", let merged = topology.thinMerges[index],
      case .thin(let snapshot)? = (try? topology.mappings(of: merged))?.first
    else { return false }
    let words = target.parameters.split(separator: " ")
    return words.count > 1 && words[1] == "\(snapshot.deviceID)"
  }
}
