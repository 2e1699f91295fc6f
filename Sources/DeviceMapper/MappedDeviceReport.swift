import CDeviceMapper
import VolumeActivation

/// A mapped device with what its targets tell about themselves.
public struct MappedDeviceReport: Sendable {
  public let state: MappedDeviceState
  /// In sectors.
  public let readAheadSectors: UInt32
  /// One line for each target of the live table, with its status in the place of parameters.
  public let lines: [TableLine]
}

extension LibraryDeviceMapper {
  /// Asks without making any target write something first; nil when there is no such device.
  public func status(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> MappedDeviceReport? {
    try Library.exclusively { () throws(DeviceMapperError) in
      let task = try DeviceMapperTask(DM_DEVICE_STATUS, .state, device.text)
      try task.setUUID(device)
      try task.skipFlush()
      try task.run()
      let info = try task.info()
      guard info.exists != 0, let name = task.name else { return nil }
      let state = MappedDeviceState(
        device: MappedDevice(
          name: name, uuid: device, number: DeviceNumber(major: info.major, minor: info.minor)),
        isSuspended: info.suspended != 0, hasLiveTable: info.live_table != 0,
        hasInactiveTable: info.inactive_table != 0, openCount: Int(info.open_count),
        isReadOnly: info.read_only != 0, eventNumber: info.event_nr)
      return MappedDeviceReport(
        state: state, readAheadSectors: task.readAhead, lines: task.lines)
    }
  }
}
