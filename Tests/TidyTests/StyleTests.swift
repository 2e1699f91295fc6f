import Testing

@Suite struct StyleTests {
  private static let longestFileLines = 500

  @Test(arguments: ["Sources", "Tests", "Scripts"])
  func `a file is about one idea and not longer than it needs`(folder: String) throws {
    for file in try Repository.textFiles(under: folder) {
      #expect(file.lines.count <= Self.longestFileLines + 1, "\(file): \(file.lines.count) lines")
    }
  }

  @Test func `sources hold no unfinished work and no way to crash on bad input`() throws {
    let banned = /\bTODO\b|\bFIXME\b|\bfatalError\b|\btry!|\bas!/
    for file in try Repository.textFiles(under: "Sources") {
      for (index, line) in file.lines.enumerated() {
        let found = line.firstMatch(of: banned)?.0
        #expect(found == nil, "\(file):\(index + 1)")
      }
    }
  }

  @Test(arguments: ["Sources", "Tests", "Scripts", "docs", ".ci"])
  func `nothing names a folder of somebody's machine`(folder: String) throws {
    let homes = ["work", "home", "Users", "root"].map { "/\($0)/" }
    for file in try Repository.textFiles(under: folder) {
      for (index, line) in file.lines.enumerated() {
        let found = homes.first { line.contains($0) }
        #expect(found == nil, "\(file):\(index + 1)")
      }
    }
  }
}
