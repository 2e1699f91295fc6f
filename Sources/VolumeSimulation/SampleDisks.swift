import LVMMetadata
import VolumeActivation

/// The volume group that every run begins with, on two disks with a metadata area each and one that
/// has none and that nothing lies on.
enum SampleDisks {
  static let extentSectors: UInt64 = 128
  static let extentCount = 60
  static let firstExtentSector: UInt64 = 2048
  static let deviceSectors = firstExtentSector + extentSectors * UInt64(extentCount)
  static let numbers = [
    DeviceNumber(major: 8, minor: 0), DeviceNumber(major: 8, minor: 16),
    DeviceNumber(major: 8, minor: 32),
  ]

  /// What is changed, and what lies beside it.
  static let volume = "lv"
  static let neighbour = "other"
  static let raid = "r"

  static func identifier(_ text: String) -> LVMIdentifier {
    let letters = text.filter { $0.isLetter || $0.isNumber }
    guard
      let identifier = LVMIdentifier(letters + String(repeating: "0", count: 32 - letters.count))
    else { preconditionFailure("\(text) makes no identifier") }
    return identifier
  }

  static func kernel() -> SimulatedDeviceMapper {
    SimulatedDeviceMapper(
      blockDevices: Dictionary(uniqueKeysWithValues: numbers.map { ($0, deviceSectors) }))
  }

  /// The volume ends where its neighbour begins, so that what it gains lies elsewhere.
  static func group(for operation: VolumeOperation) -> VolumeGroup {
    let text = """
      contents = "Text Format Volume Group" version = 1
      vg { id = "\(identifier("vg").dashed)" seqno = 1 format = "lvm2"
        status = ["RESIZEABLE", "READ", "WRITE"] flags = [] lock_type = "dlm"
        lock_args = "1.0.0:cluster" extent_size = \(extentSectors) max_lv = 0 max_pv = 0
        physical_volumes { \(disk(0)) \(disk(1)) \(disk(2)) }
        logical_volumes {
          \(linear(volume, "pv0", first: 4, extents: 4, isVisible: true))
          \(linear(neighbour, "pv0", first: 8, extents: 4, isVisible: true))
          \(raid) { id = "\(identifier(raid).dashed)" status = ["READ", "WRITE", "VISIBLE"] flags = []
            segment_count = 1 segment1 { start_extent = 0 extent_count = 6 type = "raid1"
              device_count = 2 region_size = 64
              raids = ["r_rmeta_0", "r_rimage_0", "r_rmeta_1", "r_rimage_1"] } }
          \(linear("r_rimage_0", "pv0", first: 21, extents: 6))
          \(linear("r_rimage_1", "pv1", first: 21, extents: 6))
          \(linear("r_rmeta_0", "pv0", first: 20, extents: 1))
          \(linear("r_rmeta_1", "pv1", first: 20, extents: 1)) } }
      """
    do {
      return try MetadataText(parsing: Array(text.utf8)).volumeGroup
    } catch {
      preconditionFailure("the sample group cannot be parsed: \(error)")
    }
  }

  private static func disk(_ index: Int) -> String {
    """
    pv\(index) { id = "\(identifier("pv\(index)").dashed)" device = "/dev/sd\(index)"
      status = ["ALLOCATABLE"] flags = [] dev_size = \(deviceSectors)
      pe_start = \(firstExtentSector) pe_count = \(extentCount) }
    """
  }

  private static func linear(
    _ name: String, _ disk: String, first: Int, extents: Int, isVisible: Bool = false
  ) -> String {
    """
    \(name) { id = "\(identifier(name).dashed)" status = ["READ", "WRITE"\(
      isVisible ? ", \"VISIBLE\"" : "")]
      flags = [] segment_count = 1 segment1 { start_extent = 0 extent_count = \(extents)
        type = "striped" stripe_count = 1 stripes = ["\(disk)", \(first)] } }
    """
  }

  static func make(for operation: VolumeOperation) -> [MemoryDevice] {
    let group = group(for: operation)
    let devices = numbers.indices.map {
      MemoryDevice(name: "/dev/sd\($0)", sizeBytes: deviceSectors * 512)
    }
    do {
      var members: [ScannedVolumeGroup.Member] = []
      for (index, (device, volume)) in zip(devices, group.physicalVolumes).enumerated() {
        let area = DiskArea(offset: 4096, size: firstExtentSector * 512 - 4096)
        let label = PhysicalVolumeLabel(
          id: volume.id, deviceSizeBytes: device.sizeBytes,
          dataAreas: [DiskArea(offset: firstExtentSector * 512, size: 0)],
          metadataAreas: index < 2 ? [area] : [], isUsed: true)
        try PhysicalVolumeWriter.create(label, on: device)
        members.append(
          ScannedVolumeGroup.Member(
            id: volume.id, state: .present(ScannedPhysicalVolume(new: label, on: device))))
      }
      let provenance = MetadataProvenance(
        generator: "simulation", description: "", creationHost: "node-1", creationTime: 1)
      var commit = try MetadataCommit(
        restoring: MetadataText(volumeGroup: group, provenance: provenance), onto: members)
      try commit.write()
      try commit.precommit()
      guard commit.commit() == .everywhere else {
        preconditionFailure("the sample group is not committed")
      }
    } catch {
      preconditionFailure("the sample group cannot be written: \(error)")
    }
    return devices
  }
}
