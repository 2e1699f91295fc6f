import ArgumentParser
import LVMMetadata
import VolumeActivation

/// Planning of the mapped devices of all volumes of a group.
struct TablesBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tables", abstract: "Plan the tables of groups with linear volumes.")

  @Option(help: "Rounds; shown is the median.")
  var rounds = 21

  @Argument(help: "How many volumes each group has.")
  var counts = [10, 1_000, 10_000]

  func run() throws {
    print("volumes  all tables ms   (CPU time)")
    for count in counts {
      let group = SampleText.text(volumeCount: count).volumeGroup
      let devices = Dictionary(
        uniqueKeysWithValues: group.physicalVolumes.map { volume in
          (
            volume.id,
            PhysicalVolumeDevice(
              number: DeviceNumber(major: 7, minor: 0), sizeSectors: volume.deviceSizeSectors ?? 0)
          )
        })
      let time = try CPUClock.median(rounds) {
        let planner = ActivationPlanner(group, devices: devices)
        for name in planner.volumeNames { _ = try planner.plan(named: name) }
      }
      print(column("\(count)", 7), column("\(Double(Int(time * 1e5)) / 100)", 14))
    }
  }
}
