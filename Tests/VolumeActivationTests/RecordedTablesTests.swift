import LVMMetadata
import Testing

@testable import VolumeActivation

@Suite("What LVM itself did with the same metadata")
struct RecordedTablesTests {
  @Test("every planned volume has the recorded name, UUID, table and permission")
  func plansAgreeWithRecordedDevices() throws {
    var compared = 0
    for stage in try RecordedStage.all() {
      let planner = ActivationPlanner(
        stage.group, devices: stage.physicalVolumeDevices, hostSystemID: stage.group.systemID)
      for volume in stage.group.logicalVolumes {
        guard let plan = try? planner.plan(volume), let device = stage.device(plan.uuid) else {
          continue
        }
        compared += 1
        #expect(plan.name.text == device.info.name, "\(stage) \(volume.name)")
        #expect(plan.table == (try device.recordedTable), "\(stage) \(volume.name)")
        #expect(
          plan.isReadOnly == (device.info.readonly == "Read-only"), "\(stage) \(volume.name)")
      }
    }
    #expect(compared >= 70)
  }

  @Test("exactly those visible volumes are refused whose devices are not plain")
  func refusalsAgreeWithRecordedDevices() throws {
    var refused = 0
    for stage in try RecordedStage.all() {
      let planner = ActivationPlanner(
        stage.group, devices: stage.physicalVolumeDevices, hostSystemID: stage.group.systemID)
      for volume in stage.group.logicalVolumes where volume.isVisible {
        let uuid = MappedDeviceUUID(volumeGroup: stage.group.id, logicalVolume: volume.id)
        guard let device = stage.device(uuid) else { continue }
        let isPlain = try device.isPlain(over: stage.disks)
        do {
          _ = try planner.plan(volume)
          #expect(isPlain, "\(stage) \(volume.name) is planned")
        } catch {
          refused += 1
          // An image that is split off for a while looks plain, but its array wants it back.
          let isTrackedImage = volume.name.contains("_rimage_")
          #expect(!isPlain || isTrackedImage, "\(stage) \(error)")
        }
      }
    }
    #expect(refused >= 20)
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
