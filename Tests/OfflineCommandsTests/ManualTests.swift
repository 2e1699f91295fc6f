import Glibc
import OfflineCommands
import Testing

@Suite struct ManualTests {
  /// A command that the manual does not name is a command that nobody finds.
  @Test func manualNamesEveryCommand() throws {
    var parts = #filePath.split(separator: "/").dropLast()
    while let last = parts.last, last != "Tests" { parts.removeLast() }
    let path = "/" + parts.dropLast().joined(separator: "/") + "/man/clvm.8"
    let file = try #require(fopen(path, "r"))
    defer { fclose(file) }
    var words: Set<String> = []
    var buffer = [CChar](repeating: 0, count: 4096)
    while fgets(&buffer, Int32(buffer.count), file) != nil {
      let line = String(
        decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      words.formUnion(line.split { $0.isWhitespace }.map(String.init))
    }
    for command in OfflineCommand.all { #expect(words.contains(command.name)) }
  }

  @Test func namesAreUnique() {
    let names = OfflineCommand.all.map(\.name)
    #expect(Set(names).count == names.count)
  }
}
