import LVMMetadata

/// One mapped device during recovery: what is wrong with it, and how far its repair has come.
struct RecoveringVolume {
  enum Fault: Equatable {
    /// At most suspended or misnamed.
    case none
    /// There is an inactive table although the live one is the committed one.
    case strayTable
    /// The inactive table is the committed one and must be put into service.
    case unswappedTable
    /// Neither table is the committed one.
    case wrongTable
    /// Created, but it never served I/O.
    case halfMade
  }

  private struct Repair {
    let plan: PlannedVolume
    let fault: Fault
    let oldSize: UInt64
    let isMisnamed: Bool
    var isSuspended: Bool
  }

  private enum Progress {
    case pending(Repair)
    case finished(VolumeRecovery.Outcome)
  }

  private let device: MappedDevice
  private let volume: String
  private var progress: Progress

  /// Looks at the device; nil when it has vanished since it was listed.
  init?(
    _ device: MappedDevice, _ planner: ActivationPlanner, on mapper: inout some DeviceMapping
  ) {
    self.device = device
    let group = planner.volumeGroup
    let logicalVolume = group.logicalVolume(id: device.uuid.logicalVolume)
    volume = logicalVolume.map { "\(group.name)/\($0.name)" } ?? device.name
    do {
      guard let state = try mapper.state(of: device.uuid) else { return nil }
      switch Self.plan(for: logicalVolume, named: device.name, state, planner) {
      case .failure(let refusal):
        progress = .finished(.leftAlone(refusal, isSuspended: state.isSuspended))
      case .success(let plan):
        let live = try mapper.table(.live, of: device.uuid)
        let inactive = try mapper.table(.inactive, of: device.uuid)
        progress = .pending(
          Repair(
            plan: plan, fault: Self.fault(in: state, live: live, inactive: inactive, plan),
            oldSize: live.sectorCount, isMisnamed: device.name != plan.name.text,
            isSuspended: state.isSuspended))
      }
    } catch {
      progress = .finished(.failed(error))
    }
  }

  /// A volume that is active without write permission stays so.
  private static func plan(
    for volume: LogicalVolume?, named name: String, _ state: MappedDeviceState,
    _ planner: ActivationPlanner
  ) -> Result<PlannedVolume, ActivationRefusal> {
    guard let volume else { return .failure(ActivationRefusal(name, .unknownVolume)) }
    do {
      return .success(try planner.plan(volume, readOnly: state.isReadOnly))
    } catch {
      return .failure(error)
    }
  }

  static func fault(
    in state: MappedDeviceState, live: DeviceTable, inactive: DeviceTable, _ plan: PlannedVolume
  ) -> Fault {
    guard state.hasLiveTable else { return .halfMade }
    guard state.isReadOnly == plan.isReadOnly else { return .wrongTable }
    if live == plan.table { return state.hasInactiveTable ? .strayTable : .none }
    return inactive == plan.table ? .unswappedTable : .wrongTable
  }

  var recovery: VolumeRecovery {
    switch progress {
    case .finished(let outcome):
      VolumeRecovery(volume: volume, device: device.uuid, outcome: outcome)
    case .pending:
      preconditionFailure("the recovery of \(volume) is asked for its outcome before its end")
    }
  }

  /// Puts the committed table into the inactive slot, or drops what is there.
  mutating func load(on mapper: inout some DeviceMapping) {
    advance { repair throws(DeviceMapperError) in
      switch repair.fault {
      case .strayTable:
        try mapper.clear(repair.plan.uuid)
      case .wrongTable:
        try mapper.load(repair.plan.table, into: repair.plan.uuid, readOnly: repair.plan.isReadOnly)
      case .none, .unswappedTable, .halfMade:
        break
      }
      return nil
    }
  }

  mutating func suspend(on mapper: inout some DeviceMapping) {
    advance { repair throws(DeviceMapperError) in
      switch repair.fault {
      case .unswappedTable, .wrongTable:
        if !repair.isSuspended { try mapper.suspend(repair.plan.uuid, .flush) }
        repair.isSuspended = true
      case .none, .strayTable, .halfMade:
        break
      }
      return nil
    }
  }

  mutating func resume(on mapper: inout some DeviceMapping) {
    advance { repair throws(DeviceMapperError) in
      if repair.fault == .halfMade {
        try mapper.remove(repair.plan.uuid)
        return .removed
      }
      if repair.isSuspended {
        try mapper.resume(repair.plan.uuid, readAhead: repair.plan.readAhead)
      }
      if repair.isMisnamed { try mapper.rename(repair.plan.uuid, to: repair.plan.name) }
      switch repair.fault {
      case .unswappedTable, .wrongTable:
        return .reloaded(oldSize: repair.oldSize, newSize: repair.plan.table.sectorCount)
      case .strayTable:
        return .cleaned
      case .none, .halfMade:
        return repair.isSuspended || repair.isMisnamed ? .cleaned : .unchanged
      }
    }
  }

  /// Runs a step of a repair that has not failed; a result ends the repair.
  private mutating func advance(
    _ step: (inout Repair) throws(DeviceMapperError) -> VolumeRecovery.Outcome?
  ) {
    guard case .pending(var repair) = progress else { return }
    do {
      let outcome = try step(&repair)
      progress = outcome.map(Progress.finished) ?? .pending(repair)
    } catch {
      progress = .finished(.failed(error))
    }
  }
}
