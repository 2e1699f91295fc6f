import Foundation

/// The files of this repository as text, found from where this file was compiled.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  struct TextFile: CustomStringConvertible, Sendable {
    /// Relative to the root of the repository.
    let path: String
    let text: String

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    var description: String { path }
  }

  /// All files under `folder` whose contents are UTF-8 text, sorted by path.
  static func textFiles(under folder: String, withSuffix suffix: String = "") throws -> [TextFile] {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: root.path + "/" + folder)
    return try paths.filter { $0.hasSuffix(suffix) }.sorted().compactMap {
      try textFile(folder + "/" + $0)
    }
  }

  /// Nil for folders and for files that are not text.
  static func textFile(_ path: String) throws -> TextFile? {
    let url = root.appendingPathComponent(path)
    guard try url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else {
      return nil
    }
    return String(data: try Data(contentsOf: url), encoding: .utf8).map {
      TextFile(path: path, text: $0)
    }
  }
}
