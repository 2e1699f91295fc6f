import AdminProtocol
import DeviceMapper
import LVMMetadata
import VolumeActivation

// Looking at this node's mapped devices.

extension VolumeWorkers {
  struct Inspection: Sendable {
    let volumeGroupID: String
    /// Some volume of the group is active here.
    let hasDevices: Bool
  }

  /// Nil when there is no such volume group.
  func inspect(volumeGroup name: String) throws -> Inspection? {
    guard let group = try disks.group(named: name)?.volumeGroup else { return nil }
    var mapper = LibraryDeviceMapper()
    let hasDevices = try mapper.devices().contains { $0.uuid.volumeGroup == group.id }
    return Inspection(volumeGroupID: group.id.dashed, hasDevices: hasDevices)
  }

  /// Every mapped device of this node that LVM made, with its tables.
  func mappedDevices() throws -> [MappedDeviceStatus] {
    var mapper = LibraryDeviceMapper()
    return try mapper.devices().sorted { $0.name < $1.name }.compactMap { device in
      guard let state = try mapper.state(of: device.uuid) else { return nil }
      return MappedDeviceStatus(
        name: device.name, uuid: device.uuid.text, major: device.number.major,
        minor: device.number.minor, openCount: UInt32(clamping: state.openCount),
        isSuspended: state.isSuspended, isReadOnly: state.isReadOnly,
        table: try mapper.table(.live, of: device.uuid).lines.map(\.description),
        inactiveTable: try mapper.table(.inactive, of: device.uuid).lines.map(\.description))
    }
  }
}
