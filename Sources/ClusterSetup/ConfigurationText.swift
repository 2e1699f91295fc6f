import ClusterCredentials
import ClusterDaemon
import ClusterTypes
import ConfigText
import DurableFiles
import Glibc

/// The clvmd.conf of this node, as a text that can be changed.
struct ConfigurationText {
  static let lengthMaximum = 1 << 20

  let path: String
  var text: String

  /// Nil when the file is not there.
  init?(path: String) throws(SetupError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw Self.failure("open", path)
    }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 {
        guard errno == EINTR else { throw Self.failure("read", path) }
        continue
      }
      if count == 0 { break }
      content += buffer[..<count]
      guard content.count <= Self.lengthMaximum else {
        throw SetupError("\(path) is larger than 1 MiB")
      }
    }
    self.path = path
    text = String(decoding: content, as: UTF8.self)
  }

  init(path: String, text: String) {
    self.path = path
    self.text = text
  }

  /// The configuration that the text describes. Throws all that is wrong with it.
  func configuration() throws(SetupError) -> DaemonConfiguration {
    let check = DaemonConfiguration.check(
      Array(text.utf8), hostName: ConfigurationFile.hostName())
    guard let configuration = check.configuration else {
      let problems = check.errors.map { "\(path): \($0)" }
      throw SetupError(problems.joined(separator: "\n  "))
    }
    return configuration
  }

  /// The cluster's id; nil where there is none yet, and nothing else needs to be right.
  func clusterID() throws(SetupError) -> ClusterIdentifier? {
    try parsed().string("cluster/id").flatMap { ClusterIdentifier($0) }
  }

  /// The same for another node. Comments do not survive.
  func text(for node: NodeID, keyDirectory: String? = nil) throws(SetupError) -> String {
    var section = try parsed()
    section.set("cluster/node_id", .integer(Int64(node.rawValue)))
    if let keyDirectory { section.set("cluster/key_directory", .string(keyDirectory)) }
    return StartingConfiguration.head
      + String(decoding: section.text(style: .indented), as: UTF8.self)
  }

  /// Gives the cluster an id. Comments survive where the section begins as usual.
  mutating func insert(id: ClusterIdentifier) throws(SetupError) {
    var expected = try parsed()
    expected.set("cluster/id", .string(id.description))
    let line = "\n\tid = \"\(id)\""
    if let brace = text.firstRange(of: /(^|\n)[ \t]*cluster[ \t]*\{/) {
      var changed = text
      changed.insert(contentsOf: line, at: brace.upperBound)
      if let section = try? ConfigSection(parsing: changed.utf8),
        section.string("cluster/id") == id.description
      {
        text = changed
        return
      }
    }
    text =
      StartingConfiguration.head + String(decoding: expected.text(style: .indented), as: UTF8.self)
  }

  private func parsed() throws(SetupError) -> ConfigSection {
    do {
      return try ConfigSection(parsing: text.utf8)
    } catch {
      throw SetupError("\(path): \(error)")
    }
  }

  /// Replaces the file in one step. A new one may be read by everybody: it holds no secret.
  func write() throws(SetupError) {
    do throws(FileReplacementError) {
      if access(path, F_OK) == 0 {
        try replaceContent(of: path, with: Array(text.utf8))
      } else {
        try replaceFile(path, with: Array(text.utf8), permissions: 0o644)
      }
    } catch {
      throw SetupError("\(error)")
    }
  }

  private static func failure(_ what: String, _ path: String) -> SetupError {
    let reason = String(cString: strerror(errno))
    return SetupError("cannot \(what) \(path): \(reason)")
  }
}
