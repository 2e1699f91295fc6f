import ConfigText
import FoundationEssentials

/// One line of a recording of lvm and lvmlockd; see `Fixtures/lvmlockd/README.md`.
struct RecordedLine: Decodable {
  let dir: String
  let t: Double
  let text: String
  let node: String?
  let conn: Int?
}

struct Recording {
  let name: String
  let lines: [RecordedLine]

  static let folder = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/lvmlockd")

  init(_ name: String) throws {
    self.name = name
    let data = try Data(contentsOf: Self.folder.appending(path: "\(name).jsonl"))
    lines = try data.split(separator: UInt8(ascii: "\n")).map {
      try JSONDecoder().decode(RecordedLine.self, from: Data($0))
    }
  }

  static func fields(_ text: String) -> ConfigSection? { try? ConfigSection(parsing: text) }
}
