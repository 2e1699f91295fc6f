import DeviceMapper
import VolumeActivation
import VolumeReports

/// The kernel's answers about mapped devices, each asked for when a report first needs it.
final class DeviceStateCache {
  private let mapper: LibraryDeviceMapper
  /// The devices there are.
  private let devices: Set<MappedDeviceUUID>
  private var states: [MappedDeviceUUID: DeviceState] = [:]

  private init() throws(DeviceMapperError) {
    var mapper = LibraryDeviceMapper()
    devices = Set(try mapper.devices().map(\.uuid))
    self.mapper = mapper
  }

  /// Unknown, with a warning, when the kernel cannot be asked.
  static func states() -> DeviceStates {
    do throws(DeviceMapperError) {
      let cache = try DeviceStateCache()
      return .known { cache.state(of: $0) }
    } catch {
      Output.error("  WARNING: States of devices are not shown: \(error)")
      return .unknown
    }
  }

  private func state(of device: MappedDeviceUUID) -> DeviceState? {
    guard devices.contains(device) else { return nil }
    if let state = states[device] { return state }
    do throws(DeviceMapperError) {
      guard let status = try mapper.status(of: device) else { return nil }
      let state = DeviceState(status)
      states[device] = state
      return state
    } catch {
      Output.error("  WARNING: The state of a device is not shown: \(error)")
      return nil
    }
  }
}

extension DeviceState {
  init(_ status: MappedDeviceReport) {
    self.init(
      major: status.state.device.number.major, minor: status.state.device.number.minor,
      isSuspended: status.state.isSuspended, hasLiveTable: status.state.hasLiveTable,
      hasInactiveTable: status.state.hasInactiveTable, openCount: Int(status.state.openCount),
      isReadOnly: status.state.isReadOnly, readAheadSectors: status.readAheadSectors,
      targets: status.lines.map { line in
        Target(
          start: line.start, length: line.length, type: line.target.type,
          parameters: line.target.parameters)
      })
  }
}
