import FoundationEssentials
import Testing

@testable import VolumeReports

@Suite struct ManualTests {
  /// The manual points to the help, which names every column, and names the options.
  @Test func manualTellsWhereColumnsAreListed() throws {
    var parts = #filePath.split(separator: "/").dropLast()
    while let last = parts.last, last != "Tests" { parts.removeLast() }
    let path = "/" + parts.dropLast().joined(separator: "/") + "/man/clvm.8"
    let manual = try String(contentsOf: URL(filePath: path), encoding: .utf8)
    for text in [
      "Fl o", "Fl O", "Fl S", "Fl -segments", "Fl -units", "Fl -reportformat", "Fl -nameprefixes",
      "Fl -rows", "Fl -binary", "Fl -separator", "Fl -unbuffered", "Ic help",
    ] {
      #expect(manual.contains(text), "\(text)")
    }
  }
}
