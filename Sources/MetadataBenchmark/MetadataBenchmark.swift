import ArgumentParser
import Glibc
import LVMMetadata

/// How fast metadata texts are read and written.
@main
struct MetadataBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metadata-benchmark",
    abstract: "Parse files.")

  @Option var rounds = 21
  @Argument var file: String

  func run() throws {
    let f = fopen(file, "r")
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, f), count > 0 {
      bytes += buffer[..<count]
    }
    var times: [Double] = []
    for _ in 0..<rounds {
      let start = clock()
      let text = try MetadataText(parsing: bytes)
      times.append(Double(clock() - start) / 1e6)
      precondition(text.volumeGroup.seqno >= 1)
    }
    times.sort()
    print(
      "min \(times[0]*1000) ms median \(times[rounds/2]*1000) ms, \(Double(bytes.count)/times[rounds/2]/1e6) MB/s"
    )
  }
}
