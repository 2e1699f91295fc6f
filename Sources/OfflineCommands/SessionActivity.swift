import BlockDevices
import LVMMetadata
import VolumeActivation
import VolumeCommands

/// What is active on this host while a command changes the metadata.
extension OfflineSession {
  private func planner(
    _ group: VolumeGroup, on scanned: ScannedVolumeGroup
  ) -> ActivationPlanner {
    ActivationPlanner(
      group, devices: scanned.physicalVolumeDevices, hostSystemID: settings.systemID)
  }

  /// Loads the tables that active volumes get with the new metadata; nil when there are none.
  func prepare(
    _ names: [String], of group: VolumeGroup, from current: ScannedVolumeGroup
  ) throws(CommandStop) -> MappingChange? {
    guard var mapper, !names.isEmpty else { return nil }
    defer { self.mapper = mapper }
    do {
      let planner = planner(group, on: current)
      let formerPlanner = self.planner(current.volumeGroup, on: current)
      var plans: [PlannedVolume] = []
      for name in planner.volumeNames(affectedBy: names) {
        guard let top = planner.topDevices(ofVolumeNamed: name)?.first,
          let state = try mapper.state(of: top)
        else { continue }
        let options = try mapper.options(for: name, state, formerPlanner)
        plans.append(try planner.plan(named: name, options))
      }
      return try MappingChange(preparing: plans, on: &mapper)
    } catch {
      throw CommandStop("\(error)", "Volume group \(group.name) is not changed.")
    }
  }

  func suspend(_ mapping: inout MappingChange?) throws(CommandStop) {
    guard var mapper, mapping != nil else { return }
    defer { self.mapper = mapper }
    do {
      try mapping?.suspend(on: &mapper)
    } catch {
      throw CommandStop("\(error)", "Failed to suspend logical volume.")
    }
  }

  func abandon(_ mapping: inout MappingChange?) throws(CommandStop) {
    guard var mapper, mapping != nil else { return }
    defer { self.mapper = mapper }
    do {
      try mapping?.abandon(on: &mapper)
    } catch {
      throw CommandStop("\(error)", "Problem reactivating logical volume.")
    }
  }

  func resume(_ mapping: inout MappingChange?) throws(CommandStop) {
    guard var mapper, mapping != nil else { return }
    defer { self.mapper = mapper }
    do {
      _ = try mapping?.resume(on: &mapper)
    } catch {
      throw CommandStop("\(error)", "Problem reactivating logical volume.")
    }
  }

  /// Before volumes are removed: nobody may have them open.
  func deactivate(_ names: [String], of current: ScannedVolumeGroup) throws(CommandStop) {
    guard var mapper else { return }
    defer { self.mapper = mapper }
    let planner = planner(current.volumeGroup, on: current)
    for name in names {
      guard let devices = planner.topDevices(ofVolumeNamed: name) else { continue }
      // A snapshot goes with its origin's reload, not with the origin.
      let own = devices.filter { uuid in
        current.volumeGroup.logicalVolume(named: name)?.id == uuid.logicalVolume
      }
      do {
        _ = try mapper.deactivate(own, volume: "\(current.volumeGroup.name)/\(name)")
      } catch {
        throw CommandStop("\(error)", "Volume group \(current.volumeGroup.name) is not changed.")
      }
    }
  }

  /// Makes new volumes active; the commit is done, and stays done when one of them cannot be.
  func activate(
    _ names: [String], of group: VolumeGroup, on current: ScannedVolumeGroup
  ) throws(CommandStop) {
    guard var mapper, !names.isEmpty else { return }
    defer { self.mapper = mapper }
    let planner = planner(group, on: current)
    for name in names {
      do {
        _ = try mapper.activate(try planner.plan(named: name))
      } catch {
        throw CommandStop(
          "\(error)", "Logical volume \(group.name)/\(name) was made, but is not active.")
      }
    }
  }
}
