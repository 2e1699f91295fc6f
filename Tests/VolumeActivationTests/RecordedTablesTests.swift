import LVMMetadata
import Testing

@testable import VolumeActivation

@Suite("What LVM itself did with the same metadata")
struct RecordedTablesTests {
  /// Devices of which the recording is not what the text alone makes: LVM left them behind, or the
  /// kernel reports a RAID level that it is still reshaping from.
  private static let leftBehind: Set<String> = [
    "raid1-convert/04-tracking/vgcfgbackup.vg.txt vg-r_rmeta_1",
    "raid-takeover/04-raid5_n/vgcfgbackup.vg.txt vg-r",
  ]

  @Test("every recorded device is planned with its name, UUID, table and permission")
  func plansAgreeWithRecordedDevices() throws {
    var compared = 0
    var identical = 0
    for stage in try RecordedStage.all() {
      let planned = try stage.plannedDevices()
      for device in stage.devices where device.info.uuid.contains(stage.group.id.plain) {
        let title = "\(stage) \(device.info.name)"
        if Self.leftBehind.contains(title) { continue }
        let plan = try #require(planned[device.info.uuid], "\(title) is not planned")
        let table = try plan.table.resolved { reference throws in
          try stage.number(of: reference)
        }
        let recorded = try device.recordedTable
        #expect(plan.name.text == device.info.name)
        #expect(recorded.serves(table), "\(title): \(recorded) is planned as \(table)")
        #expect(plan.isReadOnly == (device.info.readonly == "Read-only"), "\(title)")
        compared += 1
        if recorded == table { identical += 1 }
      }
    }
    #expect(compared > 700)
    #expect(compared - identical < 15, "\(identical) of \(compared) are identical")
  }

  @Test("children are planned before their parents")
  func ordersStacks() throws {
    for stage in try RecordedStage.all() {
      for plan in try stage.plans() {
        var seen: Set<MappedDeviceUUID> = []
        for device in plan.devices {
          #expect(device.children.allSatisfy { seen.contains($0) }, "\(stage) \(device.name)")
          seen.insert(device.uuid)
        }
      }
    }
  }

  @Test("every recorded name and UUID is split and put together again")
  func namesAndUUIDsRoundTrip() throws {
    for stage in try RecordedStage.all() {
      for device in stage.devices {
        let name = try #require(MappedDeviceName(device.info.name))
        #expect(name.text == device.info.name)
        let uuid = try #require(MappedDeviceUUID(device.info.uuid))
        #expect(uuid.text == device.info.uuid)
      }
    }
  }

  @Test("every recorded table line is printed as it was read")
  func linesRoundTrip() throws {
    for stage in try RecordedStage.all() {
      for line in stage.devices.flatMap(\.table) {
        let target = TableTarget(type: line.target, parameters: line.params)
        #expect(target.type == line.target)
        #expect(target.parameters == line.params)
        let text = TableLine(start: line.start, length: line.length, target: target)
        #expect(TableLine(text.description) == text)
      }
    }
  }
}
