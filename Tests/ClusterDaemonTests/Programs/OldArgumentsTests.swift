import ClusterDaemon
import Testing

@Suite struct OldArgumentsTests {
  @Test(arguments: [
    (["-Isinglenode", "-d", "1", "-f"], ["-Isinglenode", "-d1", "-f"]),
    (["-I", "singlenode", "-d", "-f"], ["-I", "singlenode", "-d1", "-f"]),
    (["-d2", "1", "-T30"], ["-d2", "-T30"]), (["-d0"], ["-d0"]), (["-C", "-d"], ["-C", "-d1"]),
    (["--debug", "2"], ["--debug", "2"]), (["-E", "-dx"], ["-E", "-dx"]), ([], []),
  ])
  func levelsAreJoinedAndStrayOnesDropped(arguments: [String], expected: [String]) {
    #expect(OldArguments.normalized(arguments) == expected)
  }
}
