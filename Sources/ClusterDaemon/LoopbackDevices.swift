import BlockDevices
import Glibc
import LVMMetadata
import Synchronization
import VolumeActivation

/// The mapped devices of one node of a `LoopbackCluster`, in memory. They outlive its daemon, as those of
/// a kernel do.
package final class LoopbackDevices: Sendable {
  private let kernel: Mutex<SimulatedDeviceMapper>

  /// - Parameter disks: sizes in sectors of the disks that tables may lead to.
  init(disks: [DeviceNumber: UInt64]) {
    kernel = Mutex(SimulatedDeviceMapper(blockDevices: disks))
  }

  /// The names of all devices, sorted.
  package var names: [String] {
    get throws {
      try withKernel { kernel throws(DeviceMapperError) in try kernel.devices() }.map(\.name)
        .sorted()
    }
  }

  /// Has the next operations fail that the kernel is asked for.
  package func fail(_ operation: DeviceMapperOperation, afterSkipping count: Int = 0) {
    kernel.withLock { $0.failures.append(.init(of: operation, afterSkipping: count)) }
  }

  fileprivate func withKernel<Result>(
    _ body: (inout SimulatedDeviceMapper) throws(DeviceMapperError) -> sending Result
  ) throws(DeviceMapperError) -> sending Result {
    try kernel.withLock { kernel throws(DeviceMapperError) in try body(&kernel) }
  }
}

/// The one disk of a volume group, as an image file that all nodes of a `LoopbackCluster` see.
package enum LoopbackDisk {
  private static let areaOffset: UInt64 = 4096

  /// Makes a sparse file with the label and the metadata of a group of one physical volume, on which
  /// LVM's defaults lie: a metadata area up to the first extent.
  package static func make(at path: String, of group: VolumeGroup) throws {
    guard group.physicalVolumes.count == 1, let volume = group.physicalVolumes.first else {
      throw DaemonError("VG \(group.name) has not exactly one physical volume")
    }
    let start = volume.extentStartSectors * 512
    let size = start + UInt64(volume.extentCount) * group.extentSizeSectors * 512
    let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw DaemonError("\(path) cannot be made, errno \(errno)") }
    let isSized = ftruncate(descriptor, off_t(size)) == 0
    close(descriptor)
    guard isSized else { throw DaemonError("\(path) cannot be \(size) bytes long") }
    let device = try BlockDevice(path: path, access: .readWrite)
    let label = PhysicalVolumeLabel(
      id: volume.id, deviceSizeBytes: size, dataAreas: [DiskArea(offset: start, size: 0)],
      metadataAreas: [DiskArea(offset: areaOffset, size: start - areaOffset)], isUsed: true)
    try PhysicalVolumeWriter.create(label, on: device)
    let member = ScannedVolumeGroup.Member(
      id: volume.id, state: .present(ScannedPhysicalVolume(new: label, on: device)))
    let provenance = MetadataProvenance(
      generator: "clvmd", description: "", creationHost: "loopback", creationTime: 1)
    var commit = try MetadataCommit(
      restoring: MetadataText(volumeGroup: group, provenance: provenance), onto: [member])
    try commit.write()
    try commit.precommit()
    guard commit.commit() == .everywhere else { throw DaemonError("\(path) is not committed") }
  }
}

/// A node's way to its devices in memory.
struct LoopbackMapper: DeviceMapping {
  let kernel: LoopbackDevices

  func devices() throws(DeviceMapperError) -> [MappedDevice] {
    try kernel.withKernel { kernel throws(DeviceMapperError) in try kernel.devices() }
  }

  func state(of device: MappedDeviceUUID) throws(DeviceMapperError) -> MappedDeviceState? {
    try kernel.withKernel { kernel throws(DeviceMapperError) in try kernel.state(of: device) }
  }

  func create(
    _ device: MappedDeviceUUID, name: MappedDeviceName, minor: UInt32?
  ) throws(DeviceMapperError) -> DeviceNumber {
    try kernel.withKernel { kernel throws(DeviceMapperError) in
      try kernel.create(device, name: name, minor: minor)
    }
  }

  func load(
    _ table: DeviceTable, into device: MappedDeviceUUID, readOnly: Bool, isSecret: Bool
  ) throws(DeviceMapperError) {
    try kernel.withKernel { kernel throws(DeviceMapperError) in
      try kernel.load(table, into: device, readOnly: readOnly, isSecret: isSecret)
    }
  }

  func clear(_ device: MappedDeviceUUID) throws(DeviceMapperError) {
    try kernel.withKernel { kernel throws(DeviceMapperError) in try kernel.clear(device) }
  }

  func suspend(_ device: MappedDeviceUUID, _ mode: SuspendMode) throws(DeviceMapperError) {
    try kernel.withKernel { kernel throws(DeviceMapperError) in try kernel.suspend(device, mode) }
  }

  func resume(
    _ device: MappedDeviceUUID, readAhead: ReadAhead?, _ rules: UdevRules
  ) throws(DeviceMapperError) {
    try kernel.withKernel { kernel throws(DeviceMapperError) in
      try kernel.resume(device, readAhead: readAhead, rules)
    }
  }

  func remove(_ device: MappedDeviceUUID) throws(DeviceMapperError) {
    try kernel.withKernel { kernel throws(DeviceMapperError) in try kernel.remove(device) }
  }

  func rename(
    _ device: MappedDeviceUUID, to name: MappedDeviceName, _ rules: UdevRules
  ) throws(DeviceMapperError) {
    try kernel.withKernel { kernel throws(DeviceMapperError) in
      try kernel.rename(device, to: name, rules)
    }
  }

  func table(
    _ slot: TableSlot, of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> DeviceTable {
    try kernel.withKernel { kernel throws(DeviceMapperError) in
      try kernel.table(slot, of: device)
    }
  }

  func dependencies(of device: MappedDeviceUUID) throws(DeviceMapperError) -> [DeviceNumber] {
    try kernel.withKernel { kernel throws(DeviceMapperError) in
      try kernel.dependencies(of: device)
    }
  }

  func status(of device: MappedDeviceUUID) throws(DeviceMapperError) -> [TableLine] {
    try kernel.withKernel { kernel throws(DeviceMapperError) in try kernel.status(of: device) }
  }

  func send(_ message: String, to device: MappedDeviceUUID) throws(DeviceMapperError) {
    try kernel.withKernel { kernel throws(DeviceMapperError) in
      try kernel.send(message, to: device)
    }
  }

  func check(_ check: MetadataCheck) throws(DeviceMapperError) {
    try kernel.withKernel { kernel throws(DeviceMapperError) in try kernel.check(check) }
  }

  func settle() throws(DeviceMapperError) {
    try kernel.withKernel { kernel throws(DeviceMapperError) in try kernel.settle() }
  }
}
