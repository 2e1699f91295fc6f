import FoundationEssentials

@testable import LVMFrontends

/// A recording of lvm 2.02 and clvmd; see `Fixtures/clvmd/README.md`.
struct ClusterLockingRecording {
  struct Line: Decodable {
    struct Entry: Decodable {
      let node: String
      let status: Int32
      let text: String
    }

    let dir: String
    let conn: Int?
    let hex: String?
    let cmd: String?
    let name: String?
    /// `vg/lv` of the volume that a request is about.
    let lv: String?
    let nodes: [Entry]?
    let status: Int32?
    let setup: [String]?
    let argv: String?

    var bytes: [UInt8] {
      let digits = (hex ?? "").utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
      return stride(from: 0, to: digits.count - 1, by: 2).map {
        UInt8(digits[$0] * 16 + digits[$0 + 1])
      }
    }
  }

  static let folder = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/clvmd")

  static let names: [String] = {
    let files = try? FileManager.default.contentsOfDirectory(atPath: folder.path())
    return (files ?? []).filter { $0.hasSuffix(".jsonl") }.map { String($0.dropLast(6)) }.sorted()
  }()

  let name: String
  let lines: [Line]

  init(_ name: String) throws {
    self.name = name
    let data = try Data(contentsOf: Self.folder.appending(path: "\(name).jsonl"))
    lines = try data.split(separator: UInt8(ascii: "\n")).map {
      try JSONDecoder().decode(Line.self, from: Data($0))
    }
  }

  /// Ids of the volumes that the requests name, by `vg/lv`.
  var volumes: [String: String] {
    Dictionary(
      lines.compactMap { line in line.lv.flatMap { lv in line.name.map { (lv, $0) } } },
      uniquingKeysWith: { first, _ in first })
  }

  /// Which volumes were active when the recording began, as far as its requests name them.
  var activeAtFirst: [String: ClusterLockingMode] {
    var active: [String: ClusterLockingMode] = [:]
    let volumes = volumes
    for command in lines.first?.setup ?? [] {
      let words = command.split(separator: " ").map(String.init)
      let mode: ClusterLockingMode = words.contains("-aey") ? .exclusive : .concurrentRead
      switch words.first {
      case "lvchange": if let last = words.last { active[last] = mode }
      case "vgchange": for name in volumes.keys { active[name] = mode }
      case "lvcreate" where !words.contains("-an") && !words.contains("-s"):
        if let pool = words.firstIndex(of: "-T"), mode == .exclusive {
          active[words[pool + 1]] = mode
        } else if let name = words.firstIndex(of: "-n"), words.count > name + 2,
          !words.contains("-V64m")
        {
          active["\(words[name + 2])/\(words[name + 1])"] = mode
        }
      default: break
      }
    }
    return Dictionary(
      active.compactMap { name, mode in volumes[name].map { ($0, mode) } },
      uniquingKeysWith: { first, _ in first })
  }
}
