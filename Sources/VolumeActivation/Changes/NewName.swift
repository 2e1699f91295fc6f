import LVMMetadata

// Names of volumes that were parts of others.

extension DeviceMapping {
  /// Gives an active volume the name that the metadata says: an image that was split off a mirror is
  /// active under the one that it had in there.
  ///
  /// Nothing is done to a volume that has its name, nor to one that cannot be planned now, of a missing
  /// disk for one: it is active as it is.
  ///
  /// - Parameter top: the state of the volume's own device.
  public mutating func takeNewName(
    _ volume: String, _ top: MappedDeviceState, _ planner: ActivationPlanner
  ) throws(ActivationError) {
    var options = try options(for: volume, top, planner)
    options.mayBeHidden = true
    let plan: PlannedVolume
    do {
      plan = try planner.plan(named: volume, options)
    } catch {
      return
    }
    guard plan.name.text != top.device.name else { return }
    _ = try refresh([plan])
  }
}
