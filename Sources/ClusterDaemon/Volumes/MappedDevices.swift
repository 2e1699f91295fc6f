import AdminProtocol
import DeviceMapper
import LVMMetadata
import VolumeActivation

// Looking at this node's mapped devices.

extension VolumeWorkers {
  struct Inspection: Sendable {
    let volumeGroupID: String
    /// The LVs of the group that have a device here, by UUID with hyphens.
    let activeVolumes: Set<String>
  }

  /// Nil when there is no such volume group.
  func inspect(volumeGroup name: String) throws -> Inspection? {
    guard let group = try disks.group(named: name)?.volumeGroup else { return nil }
    let devices = try withMapper { try $0.devices() }
    let active = devices.filter { $0.uuid.volumeGroup == group.id }
    return Inspection(
      volumeGroupID: group.id.dashed, activeVolumes: Set(active.map(\.uuid.logicalVolume.dashed)))
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
