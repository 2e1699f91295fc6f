import LVMMetadata

// The begin of a merge whose origin is active already.

extension DeviceMapping {
  /// Whether a merge that the metadata wants may begin with the next tables of its origin: nobody has
  /// the origin open, nor the snapshot; a thin snapshot is not even active. Otherwise it waits for a
  /// later refresh or activation, as with LVM.
  ///
  /// To be asked before anything is suspended: until the origin resumes the answer must stay.
  ///
  /// - Parameter top: the state of the origin's own device.
  public mutating func mayBeginMerge(
    into origin: String, _ top: MappedDeviceState, _ planner: ActivationPlanner
  ) throws(ActivationError) -> Bool {
    guard let snapshot = planner.mergingSnapshot(of: origin), top.openCount == 0 else {
      return false
    }
    let state = try attempt("\(planner.volumeGroup.name)/\(origin)") {
      () throws(DeviceMapperError) in try self.state(of: snapshot.device)
    }
    guard let state else { return true }
    return !snapshot.isThin && state.openCount == 0
  }
}

extension ActivationPlanner {
  fileprivate func mergingSnapshot(
    of origin: String
  ) -> (device: MappedDeviceUUID, isThin: Bool)? {
    guard let index = topology.index(named: origin) else { return nil }
    let thin = topology.thinMerges[index]
    guard
      let snapshot = thin ?? topology.snapshots[index]?.first(where: { $0.layout.isMerging })?.store
    else { return nil }
    let id = volumeGroup.logicalVolumes[snapshot].id
    return (MappedDeviceUUID(volumeGroup: volumeGroup.id, logicalVolume: id), thin != nil)
  }
}
