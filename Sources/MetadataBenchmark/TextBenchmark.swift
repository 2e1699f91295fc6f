import ArgumentParser
import Glibc
import LVMMetadata
import MetadataSamples

/// Parsing and printing as library calls.
struct TextBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "texts", abstract: "Parse and print texts of groups with linear volumes.")

  @Option(help: "Rounds; shown is the median.")
  var rounds = 21

  @Argument(help: "How many volumes each group has.")
  var counts = [10, 1_000, 10_000]

  func run() throws {
    print("volumes  form       bytes   parse MB/s   print MB/s   (CPU time)")
    for count in counts {
      let text = SampleText.text(volumeCount: count)
      for form in [MetadataTextForm.disk, .file] {
        let bytes = text.bytes(form: form)
        let parsing = try CPUClock.median(rounds) { _ = try MetadataText(parsing: bytes) }
        let printing = CPUClock.median(rounds) { _ = text.bytes(form: form) }
        print(
          column("\(count)", 7), column("\(form)", 6), column("\(bytes.count)", 9),
          column(rate(bytes.count, parsing), 12), column(rate(bytes.count, printing), 12))
      }
    }
  }

  private func rate(_ bytes: Int, _ seconds: Double) -> String {
    seconds > 0 ? "\(Int(Double(bytes) / seconds / 1e6))" : "-"
  }
}

func column(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}

enum CPUClock {
  /// CPU time of this process.
  static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// What `body` takes, in seconds: the median of so many rounds.
  static func median(_ rounds: Int, _ body: () throws -> Void) rethrows -> Double {
    var times: [Double] = []
    for _ in 0..<rounds {
      let start = seconds
      try body()
      times.append(seconds - start)
    }
    return times.sorted()[rounds / 2]
  }
}

enum SampleText {
  /// The first extent of PVs, in sectors: before it is room for the text of a hundred thousand
  /// volumes.
  static let extentStartSectors: UInt64 = 128 << 11

  static func text(volumeCount: Int) -> MetadataText {
    var generator = GroupGenerator(seed: UInt64(volumeCount))
    var group = generator.linearGroup(volumeCount: volumeCount)
    group.physicalVolumes[0].extentStartSectors = extentStartSectors
    group.physicalVolumes[0].deviceSizeSectors =
      extentStartSectors + group.sectors(extents: group.physicalVolumes[0].extentCount)
    return MetadataText(
      volumeGroup: group,
      provenance: MetadataProvenance(
        generator: "clvmd", description: "Write from metadata-benchmark.", creationHost: "node-1",
        creationTime: 1_795_379_184))
  }
}
