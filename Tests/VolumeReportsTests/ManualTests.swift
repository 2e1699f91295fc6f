import FoundationEssentials
import Testing

@testable import VolumeReports

@Suite struct ManualTests {
  /// A column that the manual does not name is a column that nobody finds.
  @Test func manualNamesEveryColumn() throws {
    var parts = #filePath.split(separator: "/").dropLast()
    while let last = parts.last, last != "Tests" { parts.removeLast() }
    let path = "/" + parts.dropLast().joined(separator: "/") + "/man/clvm.8"
    let manual = try String(contentsOf: URL(filePath: path), encoding: .utf8)
    let words = Set(manual.split { $0.isWhitespace || $0 == "." }.map(String.init))
    for field in ReportField.all { #expect(words.contains(field.name)) }
  }
}
