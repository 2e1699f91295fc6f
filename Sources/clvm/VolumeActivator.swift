import BlockDevices
import DeviceMapper
import Glibc
import LVMMetadata
import LVMSystemDirectory
import VolumeActivation

/// What an `lvchange` or `vgchange` is to do with volumes' devices.
struct ActivationRequest {
  enum Action: Equatable {
    case activate
    /// Leaves out volumes and groups that are marked so.
    case activateAutomatically
    case deactivate
    case refresh
  }

  var action: Action
  var mode: ActivationOptions.Mode
  var ignoresActivationSkip: Bool
}

/// Makes volumes of the machine's own volume groups active or inactive, without a daemon.
///
/// Goes on over failures as LVM does; `finish` tells them.
struct VolumeActivator {
  private var mapper = LibraryDeviceMapper()
  private let devices: [BlockDevice]
  private let locks: HostLocks
  private let hostSystemID: String?
  /// What the disks said under the last lock that was taken.
  private var groups: [ScannedVolumeGroup] = []
  private var texts = MetadataTextCache()
  private var shownWarnings: Set<String> = []
  private var failure = CommandFailure()

  init(_ arguments: ActivationArguments) throws {
    let configuration = try arguments.devices.settings.configuration()
    devices = try arguments.devices.open(.readOnly)
    locks = try HostLocks(
      configuration, skipping: arguments.nolocking, maySkip: arguments.ignorelockingfailure,
      devices: devices)
    hostSystemID = HostSystemID(configuration).value
  }

  /// Of the groups that may be used here.
  mutating func groupNames() throws -> [String] {
    do {
      try locks.acquire(.global, .shared)
    } catch {
      throw CommandFailure(error.messages)
    }
    defer { locks.release(.global) }
    scan()
    return groups.map(\.volumeGroup).filter { $0.accessClass(hostSystemID: hostSystemID) == .local }
      .map(\.name)
  }

  private mutating func scan() {
    let scan = MetadataScanner.scan(devices, texts: &texts)
    for warning in scan.warnings + scan.groups.flatMap(\.warnings)
    where shownWarnings.insert("\(warning)").inserted {
      Output.error("  WARNING: \(warning)")
    }
    groups = scan.groups
  }

  /// Works on a group under its lock; nil when it cannot be used.
  private mutating func onGroup<Result>(
    _ name: String, _ body: (inout VolumeActivator, ActivationPlanner) -> Result
  ) -> Result? {
    do {
      try locks.acquire(.volumeGroup(name))
    } catch {
      failure.messages += (error as? CommandFailure)?.messages ?? ["\(error)"]
      return nil
    }
    defer { locks.release(.volumeGroup(name)) }
    scan()
    return planner(named: name).map { body(&self, $0) }
  }

  /// Throws what has failed.
  func finish() throws {
    guard failure.messages.isEmpty else { throw failure }
  }

  // MARK: - Groups

  /// Carries the request out for all volumes of a group that users see.
  ///
  /// - Returns: how many of them are active afterwards; nil when the group cannot be used.
  @discardableResult
  mutating func carryOut(_ request: ActivationRequest, group name: String) -> Int? {
    onGroup(name) { activator, planner in
      let isLeftOut =
        request.action == .activateAutomatically
        && planner.volumeGroup.flags.contains(.noAutoactivation)
      if !isLeftOut {
        for volume in planner.volumeNames { activator.carryOut(request, volume, planner) }
      }
      return activator.activeCount(planner)
    }
  }

  mutating func carryOut(_ request: ActivationRequest, group name: String, volume: String) {
    onGroup(name) { activator, planner in
      guard planner.topDevices(ofVolumeNamed: volume) != nil else {
        activator.failure.messages.append("Failed to find logical volume \"\(name)/\(volume)\"")
        return
      }
      activator.carryOut(request, volume, planner)
    }
  }

  private mutating func planner(named name: String) -> ActivationPlanner? {
    let found = groups.filter { $0.volumeGroup.name == name }
    guard let group = found.first else {
      failure.messages += [
        "Volume group \"\(name)\" not found", "Cannot process volume group \(name)",
      ]
      return nil
    }
    guard found.count == 1 else {
      failure.messages.append(
        "Multiple volume groups called \"\(name)\" were found: use --devices")
      return nil
    }
    if case .shared(let lockType) = group.volumeGroup.accessClass(
      hostSystemID: hostSystemID)
    {
      failure.messages.append(
        "Volume group \(name) is shared by locks of type \(lockType): start it with "
          + "vgchange --lockstart \(name), and clvmd activates its volumes")
      return nil
    }
    return ActivationPlanner(
      group.volumeGroup, devices: group.physicalVolumeDevices, hostSystemID: hostSystemID)
  }

  fileprivate mutating func activeCount(_ planner: ActivationPlanner) -> Int {
    planner.volumeNames.count { name in
      guard let top = planner.topDevices(ofVolumeNamed: name)?.first else { return false }
      return (try? mapper.state(of: top))??.hasLiveTable == true
    }
  }

  // MARK: - Volumes

  private mutating func carryOut(
    _ request: ActivationRequest, _ name: String, _ planner: ActivationPlanner
  ) {
    let volume = planner.volumeGroup.logicalVolume(named: name)
    let isSkipped =
      volume?.flags.contains(.activationSkip) == true && !request.ignoresActivationSkip
      || request.action == .activateAutomatically
        && volume?.flags.contains(.noAutoactivation) == true
    do {
      switch request.action {
      case .activate, .activateAutomatically:
        if !isSkipped { try activate(name, planner, request.mode) }
      case .deactivate: try deactivate(name, planner)
      case .refresh: try refresh(name, planner)
      }
    } catch let error as CommandFailure {
      failure.messages += error.messages
    } catch {
      failure.messages.append("\(error)")
    }
  }

  private mutating func activate(
    _ name: String, _ planner: ActivationPlanner, _ mode: ActivationOptions.Mode
  ) throws {
    if try refresh(name, planner) { return }
    var options = ActivationOptions()
    options.mode = mode
    _ = try mapper.activate(planner.plan(named: name, options))
  }

  /// False when the volume is not active.
  @discardableResult
  private mutating func refresh(_ name: String, _ planner: ActivationPlanner) throws -> Bool {
    guard let top = planner.topDevices(ofVolumeNamed: name)?.first,
      let state = try mapper.state(of: top), state.hasLiveTable
    else { return false }
    let options = try mapper.options(for: name, state, planner)
    let plan = try planner.plan(named: name, options)
    try Signals.held { _ = try mapper.refresh([plan]) }
    return true
  }

  private mutating func deactivate(_ name: String, _ planner: ActivationPlanner) throws {
    guard let tops = planner.topDevices(ofVolumeNamed: name) else { return }
    let title = "\(planner.volumeGroup.name)/\(name)"
    var attempts = DeviceUse.attemptCount
    while true {
      do throws(ActivationError) {
        _ = try mapper.deactivate(tops, volume: title)
        return
      } catch {
        guard case .inUse = error, attempts > 0 else { throw error }
        for device in tops { try checkMayBecomeFree(device, title) }
        attempts -= 1
        usleep(DeviceUse.pauseMicroseconds)
      }
    }
  }

  /// Throws when waiting does not help: a file system or another device has it open.
  private mutating func checkMayBecomeFree(_ device: MappedDeviceUUID, _ title: String) throws {
    guard let state = try mapper.state(of: device), state.openCount > 0 else { return }
    switch DeviceUse.lasting(of: state.device.number) {
    case .holders?: throw CommandFailure("Logical volume \(title) is used by another device.")
    case .mounted?: throw CommandFailure("Logical volume \(title) contains a filesystem in use.")
    case nil: break
    }
  }
}
