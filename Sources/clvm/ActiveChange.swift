import BlockDevices
import DeviceMapper
import LVMMetadata
import VolumeActivation

/// Carries a new version of a volume group through, on disk and on the volumes that are active on
/// this machine: the metadata is precommitted, tables are loaded, devices suspended, the metadata
/// committed, devices resumed. Whatever fails before the commit is taken back.
struct ActiveChange {
  private let group: ScannedVolumeGroup
  private let text: MetadataText
  private let devices: [BlockDevice]
  private var mapper = LibraryDeviceMapper()

  /// - Parameters:
  ///   - group: as read under the group's lock, from `devices`.
  ///   - devices: opened for writing.
  init(_ group: ScannedVolumeGroup, to text: MetadataText, devices: [BlockDevice]) {
    self.group = group
    self.text = text
    self.devices = devices
  }

  /// - Parameter volumes: the names, in the new version, of the volumes whose tables change; those
  ///   that are not active are left alone.
  /// - Returns: warnings.
  mutating func carryOut(changing volumes: [String]) throws -> [String] {
    var commit = try MetadataCommit(from: group, to: text)
    // Before anything is written: what would be refused later is refused now.
    let plans = try plans(volumes)
    try commit.write()
    try commit.precommit()
    return try Signals.held { try change(plans, &commit) }
  }

  private mutating func plans(_ volumes: [String]) throws -> [PlannedVolume] {
    let planner = ActivationPlanner(text.volumeGroup, devices: group.physicalVolumeDevices)
    var plans: [PlannedVolume] = []
    for name in volumes {
      guard let top = planner.topDevices(ofVolumeNamed: name)?.first,
        let state = try active(top)
      else { continue }
      plans.append(try planner.plan(named: name, try mapper.options(for: name, state, planner)))
    }
    return plans
  }

  /// Nil when the volume is not active, or nothing can be active on this kernel.
  private mutating func active(_ top: MappedDeviceUUID) throws -> MappedDeviceState? {
    do {
      guard let state = try mapper.state(of: top), state.hasLiveTable else { return nil }
      return state
    } catch let error where error.isUnavailable {
      return nil
    }
  }

  private mutating func change(
    _ plans: [PlannedVolume], _ commit: inout MetadataCommit
  ) throws -> [String] {
    var mapping: MappingChange
    do {
      mapping = try MappingChange(preparing: plans, on: &mapper)
      try mapping.suspend(on: &mapper)
    } catch {
      throw CommandFailure(["\(error)"] + commit.revert().map(\.description))
    }
    let warnings: [String]
    switch commit.commit() {
    case .everywhere: warnings = []
    case .partly(let stale): warnings = stale.map { "\($0) was not written" }
    case .takenBack(let failures):
      var messages = failures.map(\.description)
      do { try mapping.abandon(on: &mapper) } catch { messages.append("\(error)") }
      throw CommandFailure(messages)
    case .unknown(let failures):
      // What the disk says counts.
      let found = MetadataScanner.readGroup(
        id: group.volumeGroup.id, from: devices, slot: .committed)
      guard let found, found.volumeGroup.seqno >= text.volumeGroup.seqno else {
        var messages = failures.map(\.description)
        do { try mapping.abandon(on: &mapper) } catch { messages.append("\(error)") }
        throw CommandFailure(messages)
      }
      warnings = failures.map { "\($0) was not written" }
    }
    do {
      _ = try mapping.resume(on: &mapper)
    } catch {
      guard case .nodesUnsettled = error else {
        throw CommandFailure(
          ["\(error)", "The metadata is committed: repeat with lvchange --refresh"])
      }
      return warnings + ["\(error)"]
    }
    return warnings
  }
}
