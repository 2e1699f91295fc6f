import LVMMetadata
import LVMSystemDirectory
import Testing
import VolumeActivation

@testable import BlockDevices

@Suite("Which devices LVM's configuration selects")
struct DeviceSelectionTests {
  private func number(_ minor: UInt32) -> DeviceNumber { DeviceNumber(major: 8, minor: minor) }

  private func selection(
    _ folder: TemporaryFolder, _ settings: String, devicesFile: String? = nil
  ) throws -> DeviceSelection {
    try folder.write(settings, to: "lvm.conf")
    return try DeviceSelection(
      LVMConfiguration(systemDirectory: folder.path), devicesFile: devicesFile)
  }

  /// Five disks with what identifies them, the second with a partition.
  private func sysfs(_ folder: TemporaryFolder) throws -> DeviceNodes {
    for (minor, name) in ["sda", "sdb", "sdb/sdb1", "sdc", "sdd", "loop0"].enumerated() {
      try folder.write("8:\(minor)\n", to: "block/\(name)/dev")
      try folder.write("1000000\n", to: "block/\(name)/size")
    }
    try folder.write("1\n", to: "block/sdb/sdb1/partition")
    try folder.write("naa.600140\n", to: "block/sda/device/wwid")
    try folder.write("t10.ATA     Disk  7 \n", to: "block/sdb/wwid")
    try folder.write(" S 42\n", to: "block/sdc/device/serial")
    try folder.write("/images/d0\n", to: "block/loop0/loop/backing_file")
    var names: [DeviceNumber: [String]] = [:]
    for (minor, name) in ["sda", "sdb", "sdb1", "sdc", "sdd", "loop0"].enumerated() {
      names[number(UInt32(minor))] = ["\(folder.path)/dev/\(name)"]
    }
    return DeviceNodes(names)
  }

  private func candidates(
    _ folder: TemporaryFolder, _ nodes: DeviceNodes, _ selection: DeviceSelection
  ) -> [DeviceNumber?] {
    BlockDeviceScanner(
      selection: selection, systemDirectory: folder.path, deviceDirectory: "\(folder.path)/dev"
    ).candidates(nodes).map(\.number)
  }

  @Test("a device must pass both filters")
  func bothFilters() throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let nodes = try sysfs(folder)
    let selection = try selection(
      folder, "devices { filter = [ \"r|sda|\" ] global_filter = [ \"a|sd[abc]$|\", \"r|.*|\" ] }")
    #expect(candidates(folder, nodes, selection) == [number(1), number(3)])
    #expect(selection.warnings.isEmpty)
  }

  @Test("logical volumes are physical volumes only where lvm.conf says so, and can be read then")
  func logicalVolumes() throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let nodes = try sysfs(folder)
    let uuid = "LVM-" + String(repeating: "a", count: 32) + String(repeating: "b", count: 32)
    func map(_ name: String, _ uuid: String, isSuspended: Bool = false) throws {
      try folder.write("\(uuid)\n", to: "block/\(name)/dm/uuid")
      try folder.write("\(isSuspended ? 1 : 0)\n", to: "block/\(name)/dm/suspended")
    }
    try map("sda", uuid)
    try map("sdb", "\(uuid)-real")
    try map("sdc", uuid, isSuspended: true)
    // A volume on a mapped device, which stands on a volume that is suspended.
    try map("sdd", uuid)
    try map("loop0", "CRYPT-1")
    try folder.write("", to: "block/sdd/slaves/loop0/dev")
    try folder.write("", to: "block/loop0/slaves/sdc/dev")
    let skipping = try selection(folder, "devices { scan_lvs = 0 }")
    #expect(candidates(folder, nodes, skipping) == [number(2), number(5)])
    let scanning = try selection(folder, "devices { scan_lvs = 1 }")
    #expect(candidates(folder, nodes, scanning) == [number(0), number(2), number(5)])
    try map("sdc", uuid)
    // Below a volume of another group, and below one of its own, whose content it shares.
    try folder.write("LVM-" + String(repeating: "c", count: 64), to: "block/sda/holders/x/dm/uuid")
    #expect(candidates(folder, nodes, scanning).contains(number(0)))
    try folder.write(uuid, to: "block/sdd/holders/y/dm/uuid")
    #expect(!candidates(folder, nodes, scanning).contains(number(4)))
    try folder.write("CRYPT-1", to: "block/sdd/holders/y/dm/uuid")
    #expect(
      candidates(folder, nodes, scanning)
        == [number(0), number(2), number(3), number(4), number(5)])
  }

  @Test("how large a device must be")
  func smallestSize() throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let nodes = try sysfs(folder)
    try folder.write("1023\n", to: "block/sda/size")
    try folder.write("1024\n", to: "block/sdb/size")
    try folder.write("4096\n", to: "block/sdc/size")
    for (settings, minor) in [("", 2), ("pv_min_size = 512", 1), ("pv_min_size = 1", 1)] {
      let selection = try selection(folder, "devices { \(settings) }")
      let found = candidates(folder, nodes, selection)
      #expect(found.first == number(UInt32(minor)), "\(settings)")
    }
  }

  @Test("filters that are none, and settings that cannot be read, never turn into no filter")
  func wrongFilters() throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    for text in ["devices { filter = [ 1 ] }", "devices { global_filter = [ \"x|a|\" ] }"] {
      #expect(throws: DeviceSelectionError.self) { try selection(folder, text) }
    }
    #expect(throws: LVMConfigurationError.self) {
      try selection(folder, "devices {\nfilter = \n}\n")
    }
  }

  @Test("entries mean devices by what identifies them, not by names")
  func devicesFile() throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let nodes = try sysfs(folder)
    try folder.write(
      """
      # LVM uses devices listed in this file.
      VERSION=1.1.7
      IDTYPE=sys_wwid IDNAME=naa.600140 DEVNAME=/dev/sdz PVID=.
      IDTYPE=sys_wwid IDNAME=t10.ATA_Disk_7 DEVNAME=/dev/sdb1 PVID=. PART=1
      IDTYPE=sys_serial IDNAME=S_42 DEVNAME=/dev/sdc PVID=.
      IDTYPE=sys_serial IDNAME=other DEVNAME=/dev/sdd PVID=.
      IDTYPE=loop_file IDNAME=/images/d0 DEVNAME=/dev/loop0 PVID=.
      IDTYPE=nonsense IDNAME=x DEVNAME=/dev/sdd PVID=.
      rubbish
      """, to: "devices/system.devices")
    let selection = try selection(
      folder, "devices { use_devicesfile = 1 global_filter = [ \"r|.*|\" ] }")
    #expect(
      candidates(folder, nodes, selection) == [number(0), number(2), number(3), number(5)])
    #expect(
      selection.warnings == [
        "Please remove the lvm.conf global_filter, it is ignored with the devices file."
      ])
    #expect(selection.devicesFile?.version == "1.1.7")
    #expect(selection.devicesFile?.entries.count == 6)
  }

  @Test("an entry with nothing but a name means the device that has the PV")
  func names() throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let nodes = try sysfs(folder)
    let ids = ["a", "b"].compactMap { letter in
      LVMIdentifier(bytes: Array(String(repeating: letter, count: 32).utf8)[...])
    }
    try #require(ids.count == 2)
    for (name, id) in zip(["sda", "sdd"], ids) {
      let label = PhysicalVolumeLabel(
        id: id, deviceSizeBytes: 1 << 20, dataAreas: [], metadataAreas: [], isUsed: false)
      try folder.write(
        [UInt8](repeating: 0, count: 512) + label.encoded() + [UInt8](repeating: 0, count: 4096),
        to: "dev/\(name)")
    }
    try folder.write(
      """
      IDTYPE=devname IDNAME=\(folder.path)/dev/sdc DEVNAME=\(folder.path)/dev/sdc PVID=\(ids[1].plain)
      IDTYPE=devname IDNAME=\(folder.path)/dev/sdb DEVNAME=\(folder.path)/dev/sdb PVID=\(ids[0].plain)
      IDTYPE=devname IDNAME=\(folder.path)/dev/sdc DEVNAME=\(folder.path)/dev/sdc PVID=.
      """, to: "devices/some.devices")
    let selection = try selection(folder, "", devicesFile: "some.devices")
    let file = try #require(selection.devicesFile)
    let found = BlockDeviceScanner(
      selection: selection, systemDirectory: folder.path, deviceDirectory: "\(folder.path)/dev"
    ).assignments(file, nodes)
    // sdd has the first PV now. sda has the second, but is known by its WWID and not searched.
    #expect(found.map(\.candidate?.number) == [number(4), nil, number(3)])
    #expect(found[0].physicalVolume == ids[1])
  }

  @Test("a devices file that was asked for must be there; the usual one need not")
  func absentFile() throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    #expect(throws: DeviceSelectionError.self) {
      try selection(folder, "", devicesFile: "nosuch")
    }
    #expect(throws: DeviceSelectionError.self) { try selection(folder, "", devicesFile: "../x") }
    let usual = try selection(folder, "devices { use_devicesfile = 1 }")
    #expect(usual.devicesFile == nil)
    try folder.write("IDTYPE=devname IDNAME=/dev/x\n", to: "devices/system.devices")
    let without = try selection(folder, "devices { use_devicesfile = 1 }", devicesFile: "")
    #expect(without.devicesFile == nil)
  }
}
