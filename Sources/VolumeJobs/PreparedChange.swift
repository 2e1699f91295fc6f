import VolumeActivation
import VolumeCoordination

/// What a participant has got ready for a change, and how it goes on from there.
struct PreparedChange: Sendable {
  enum Work: Sendable {
    /// New tables or names for active volumes.
    case mapping(MappingChange)
    /// Volumes that leave the metadata.
    case removal(VolumeRemovals)
    /// Volumes to be made active, and those that were so far.
    case activation([PlannedVolume], made: [PlannedVolume])
    /// Volumes to be made inactive, with what makes them active again; and those that were so far.
    case deactivation([Deactivation], done: [Deactivation])
  }

  struct Deactivation: Sendable {
    /// `VG/LV`.
    let volume: String
    let devices: [MappedDeviceUUID]
    let plan: PlannedVolume
  }

  let id: VolumeRequestID
  /// The volumes' own devices, by `VG/LV`.
  let devices: [(volume: String, devices: [MappedDeviceUUID])]
  /// What must be held as long as the volumes are active; only where that changes.
  var locks: [VolumeLock] = []
  var work: Work

  mutating func suspend(on mapper: inout some DeviceMapping) throws {
    switch work {
    case .mapping(var mapping):
      defer { work = .mapping(mapping) }
      try mapping.suspend(on: &mapper)
    case .removal(var removals):
      defer { work = .removal(removals) }
      try removals.suspend(on: &mapper)
    case .activation(let plans, var made):
      defer { work = .activation(plans, made: made) }
      for plan in plans where try mapper.activate(plan).change == .activated { made.append(plan) }
    case .deactivation(let volumes, var done):
      defer { work = .deactivation(volumes, done: done) }
      for volume in volumes
      where try mapper.deactivate(volume.devices, volume: volume.volume).change == .deactivated {
        done.append(volume)
      }
    }
  }

  mutating func resume(on mapper: inout some DeviceMapping) throws {
    switch work {
    case .mapping(var mapping):
      defer { work = .mapping(mapping) }
      // A change that needs no step of its own for it suspends only now.
      if mapping.step == .prepared { try mapping.suspend(on: &mapper) }
      _ = try mapping.resume(on: &mapper)
    case .removal(var removals):
      defer { work = .removal(removals) }
      try removals.resume(on: &mapper)
    case .activation, .deactivation: break
    }
  }

  mutating func abandon(on mapper: inout some DeviceMapping) throws {
    switch work {
    case .mapping(var mapping):
      defer { work = .mapping(mapping) }
      if mapping.step != .abandoned { try mapping.abandon(on: &mapper) }
    case .removal(var removals):
      defer { work = .removal(removals) }
      try removals.abandon(on: &mapper)
    case .activation(let plans, var made):
      defer { work = .activation(plans, made: made) }
      while let plan = made.last {
        _ = try mapper.deactivate([plan.uuid], volume: plan.volume)
        made.removeLast()
      }
    case .deactivation(let volumes, var done):
      defer { work = .deactivation(volumes, done: done) }
      while let volume = done.last {
        _ = try mapper.activate(volume.plan)
        done.removeLast()
      }
    }
  }

  /// Whether an end that is not the coordinator's word leaves nothing to be read from the disk:
  /// what was made active or inactive so far is undone.
  var isUndoneWithoutWord: Bool {
    switch work {
    case .mapping, .removal: false
    case .activation, .deactivation: true
    }
  }
}
