import Fuzzing
import Glibc

/// The few files that the program needs.
enum Files {
  struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ what: String) { description = "\(what): \(String(cString: strerror(errno)))" }
  }

  /// The root of the repository that this program was built from.
  static let repository =
    #filePath.split(separator: "/", omittingEmptySubsequences: false)
    .dropLast(3).joined(separator: "/")

  static func contents(of path: String) throws(Failure) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure("cannot open \(path)") }
    defer { close(descriptor) }
    var contents: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      guard count >= 0 else { throw Failure("cannot read \(path)") }
      if count == 0 { return contents }
      contents += buffer[..<count]
    }
  }

  /// All regular files under `folder`, by name.
  static func corpus(in folder: String) throws(Failure) -> [CorpusFile] {
    guard let directory = opendir(folder) else { throw Failure("cannot open \(folder)") }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    var files: [CorpusFile] = []
    for name in names.sorted() {
      let path = folder + "/" + name
      var status = stat()
      guard stat(path, &status) == 0 else { throw Failure("cannot look at \(path)") }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: files += try corpus(in: path)
      case S_IFREG: files.append(CorpusFile(name: name, contents: try contents(of: path)))
      default: break
      }
    }
    return files
  }
}
