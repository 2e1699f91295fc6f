import ArgumentParser

/// How fast metadata is read, as a library call and by whole commands, against LVM's own.
@main
struct MetadataBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metadata-benchmark",
    abstract: "Measure reading and writing of metadata.",
    discussion: "Build with -c release. Scripts/benchmark-metadata runs it all.",
    subcommands: [
      TextBenchmark.self, TablesBenchmark.self, ImageCommand.self, CompareCommand.self,
    ])
}
