import LVMMetadata
import Testing

/// Of two devices with the same PV the one that is worked on is used.
@Suite struct DuplicateChoiceTests {
  /// A device in memory of which something is known besides its contents.
  private final class UsedDevice: MetadataDevice {
    let inner: MemoryDevice
    let name: String
    let use: DeviceUse
    let sizeBytes: UInt64
    var logicalSectorSize: Int { inner.logicalSectorSize }

    init(_ inner: MemoryDevice, _ name: String, _ use: DeviceUse, growth: UInt64 = 0) {
      self.inner = inner
      self.name = name
      self.use = use
      sizeBytes = inner.sizeBytes + growth
    }

    func read(at offset: UInt64, count: Int) throws(MetadataDeviceError) -> [UInt8] {
      try inner.read(at: offset, count: count)
    }

    func write(_ bytes: [UInt8], at offset: UInt64) throws(MetadataDeviceError) {
      try inner.write(bytes, at: offset)
    }

    func flush() throws(MetadataDeviceError) { try inner.flush() }
  }

  private func groupDevice() throws -> MemoryDevice {
    let device = MemoryDevice(name: "pv", sizeBytes: 16 << 20)
    var generator = SystemRandomNumberGenerator()
    let layout = try PhysicalVolumeLayout(
      deviceSizeSectors: device.sizeBytes / 512, PhysicalVolumeLayout.Parameters())
    let label = layout.label(id: LVMIdentifier(using: &generator), isUsed: true, sector: 1)
    try PhysicalVolumeWriter.create(label, on: device)
    var group = VolumeGroup(name: "vg", id: LVMIdentifier(using: &generator), seqno: 0)
    var current = ScannedVolumeGroup(unwritten: group)
    current.members = [
      .init(id: label.id, state: .present(ScannedPhysicalVolume(new: label, on: device)))
    ]
    group.physicalVolumes = [
      PhysicalVolume(
        label: "pv0", id: label.id, deviceSizeSectors: device.sizeBytes / 512,
        extentStartSectors: try #require(label.extentStartSectors), extentCount: 3)
    ]
    group.seqno = 1
    var change = try MetadataCommit(
      from: current,
      to: MetadataText(
        volumeGroup: group, provenance: MetadataProvenance(description: "test")))
    try change.write()
    try change.precommit()
    _ = change.commit()
    return device
  }

  private func chosen(_ devices: [UsedDevice]) throws -> String {
    let group = try #require(MetadataScanner.scan(devices).groups.first)
    #expect(!group.obstacles.isEmpty)
    return try #require(group.members.first?.scanned?.device.name)
  }

  @Test func orderOfPreference() throws {
    let inner = try groupDevice()
    let plain = UsedDevice(inner, "plain", [])
    let mapped = UsedDevice(inner, "mapped", .isMapped)
    let grown = UsedDevice(inner, "grown", .isMapped, growth: 1 << 20)
    let used = UsedDevice(inner, "used", .holdsVolumes, growth: 1 << 20)
    #expect(try chosen([plain, UsedDevice(inner, "other", [])]) == "plain")
    #expect(try chosen([plain, mapped]) == "mapped")
    #expect(try chosen([grown, plain]) == "plain")
    #expect(try chosen([plain, mapped, grown, used]) == "used")
    #expect(try chosen([used, plain]) == "used")
  }
}
