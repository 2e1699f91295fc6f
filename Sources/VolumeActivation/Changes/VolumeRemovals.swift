/// Volumes that leave the metadata with one change, taken out of service together.
public struct VolumeRemovals: Sendable {
  private var members: [VolumeRemoval] = []

  /// As `VolumeRemoval` for each; after a failure none is prepared. Volumes without devices are left
  /// out.
  ///
  /// - Parameter volumes: each as `VG/LV`, with its devices as `ActivationPlanner.topDevices` names
  ///   them.
  public init(
    preparing volumes: [(volume: String, devices: [MappedDeviceUUID])],
    on mapper: inout some DeviceMapping
  ) throws(ActivationError) {
    for (volume, devices) in volumes {
      do throws(ActivationError) {
        let removal = try VolumeRemoval(preparing: devices, volume: volume, on: &mapper)
        if !removal.isEmpty { members.append(removal) }
      } catch {
        throw error.afterUndo(leaving: undo(on: &mapper))
      }
    }
  }

  /// Holds I/O of all; on failure it goes on and nothing is prepared any more.
  public mutating func suspend(on mapper: inout some DeviceMapping) throws(ActivationError) {
    for index in members.indices {
      do throws(ActivationError) {
        try members[index].suspend(on: &mapper)
      } catch {
        throw error.afterUndo(leaving: undo(on: &mapper))
      }
    }
  }

  /// Lets all I/O fail and removes the devices. May be repeated after an error.
  public mutating func resume(on mapper: inout some DeviceMapping) throws(ActivationError) {
    for index in members.indices { try members[index].resume(on: &mapper) }
  }

  /// Drops the failing tables and lets I/O through, on every volume where that works. May be
  /// repeated after an error.
  public mutating func abandon(on mapper: inout some DeviceMapping) throws(ActivationError) {
    let failures = undo(on: &mapper)
    guard failures.isEmpty else { throw .incomplete(failures) }
  }

  private mutating func undo(on mapper: inout some DeviceMapping) -> [VolumeFailure] {
    var failures: [VolumeFailure] = []
    for index in members.indices { failures += members[index].undo(on: &mapper) }
    return failures
  }
}
