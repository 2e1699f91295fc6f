/// The nodes of a cluster as another stack's configuration file lists them, and what became of
/// each of its lines.
public struct ImportedCluster: Equatable, Sendable {
  public var format: ImportFormat
  public var name: String
  /// In the order of the file.
  public var nodes: [ImportedNode]
  /// One for each line that says something, in the order of the file.
  public var lines: [ImportedLine]
}

public struct ImportedNode: Equatable, Sendable {
  public var name: String
  /// Positive.
  public var id: Int32
  /// One or two, numeric.
  public var addresses: [String]
  /// Where the node begins in the file; counted from 1.
  public var line: Int
}

/// What one line of the file means to clvmd.
public struct ImportedLine: Equatable, Sendable {
  public enum Fate: String, Sendable {
    /// It became a setting.
    case taken
    /// clvmd has no use for it.
    case ignored
    /// It said something that clvmd does otherwise: an administrator should know.
    case attention
  }

  /// Counted from 1.
  public var number: Int
  public var text: String
  public var fate: Fate
  public var meaning: String
}

public enum ImportFormat: String, Sendable, CaseIterable {
  /// `/etc/ocfs2/cluster.conf`, of the O2CB stack of ocfs2-tools.
  case o2cb
  /// `/etc/corosync/corosync.conf`.
  case corosync
}

/// Why a file cannot be taken over.
public struct ImportError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Counted from 1.
  public var line: Int
  public var problem: String

  public init(line: Int, problem: String) {
    self.line = line
    self.problem = problem
  }

  public var description: String { "line \(line): \(problem)" }
}

extension ImportedCluster {
  public static let maximumFileLength = 1 << 20
  public static let maximumLineLength = 1024
  public static let maximumNodeCount = 32

  /// Reads a file of either format, which its first line tells.
  ///
  /// - Parameter resolve: numeric addresses of a host name; none when it is not known. Numeric
  ///   addresses are not asked for.
  public init(
    parsing bytes: [UInt8], resolve: @escaping (String) -> [String]
  ) throws(ImportError) {
    let lines = try SourceLine.lines(of: bytes)
    guard let first = lines.first else {
      throw ImportError(line: 1, problem: "the file says nothing")
    }
    if first.text.hasSuffix("{") {
      self = try CorosyncImport(resolve: resolve).read(lines)
    } else if first.text.hasSuffix(":") {
      self = try O2CBImport().read(lines)
    } else {
      throw ImportError(
        line: first.number,
        problem: "this is neither a stanza of O2CB's cluster.conf ('cluster:') nor a section of "
          + "corosync.conf ('totem {')")
    }
    try check()
  }

  /// What no cluster can be, whichever format says so.
  private func check() throws(ImportError) {
    guard !nodes.isEmpty else {
      throw ImportError(line: lines.last?.number ?? 1, problem: "the file lists no node")
    }
    guard nodes.count <= Self.maximumNodeCount else {
      throw ImportError(
        line: nodes[Self.maximumNodeCount].line,
        problem: "\(nodes.count) nodes are listed, and a cluster of clvmd has at most "
          + "\(Self.maximumNodeCount)")
    }
    var names: [String: Int] = [:]
    var ids: [Int32: Int] = [:]
    var addresses: [String: Int] = [:]
    for node in nodes {
      if let other = names.updateValue(node.line, forKey: node.name) {
        throw ImportError(
          line: node.line, problem: "the name '\(node.name)' is that of the node at line \(other)")
      }
      if let other = ids.updateValue(node.line, forKey: node.id) {
        throw ImportError(
          line: node.line, problem: "the number \(node.id) is that of the node at line \(other)")
      }
      for address in node.addresses {
        if let other = addresses.updateValue(node.line, forKey: address) {
          throw ImportError(
            line: node.line, problem: "\(address) is an address of the node at line \(other)")
        }
      }
    }
  }
}

/// A line that says something, without the spaces around it.
struct SourceLine: Equatable {
  let number: Int
  let text: String
  /// The line began with a space or a tab.
  let isIndented: Bool

  /// All lines but empty ones and comments, which begin with `#`.
  static func lines(of bytes: [UInt8]) throws(ImportError) -> [SourceLine] {
    guard bytes.count <= ImportedCluster.maximumFileLength else {
      throw ImportError(line: 1, problem: "the file is larger than 1 MiB")
    }
    var lines: [SourceLine] = []
    let parts = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      let number = index + 1
      guard part.count <= ImportedCluster.maximumLineLength else {
        throw ImportError(
          line: number,
          problem: "it has \(part.count) bytes, more than \(ImportedCluster.maximumLineLength)")
      }
      guard let text = String(validating: part, as: UTF8.self),
        !part.contains(where: { $0 < 0x20 && !isSpace($0) || $0 == 0x7F })
      else { throw ImportError(line: number, problem: "it holds bytes that are no text") }
      let trimmed = text.trimmed
      guard !trimmed.isEmpty, !trimmed.hasPrefix("#") else { continue }
      lines.append(
        SourceLine(number: number, text: trimmed, isIndented: part.first.map(isSpace) == true))
    }
    return lines
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0D
  }

  /// The texts before and after the first `separator`, without spaces around them.
  func halves(_ separator: Character) throws(ImportError) -> (name: String, value: String) {
    let halves = text.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false)
    guard halves.count == 2 else {
      throw ImportError(line: number, problem: "'NAME\(separator) VALUE' is expected")
    }
    let name = String(halves[0]).trimmed
    let value = String(halves[1]).trimmed
    guard !name.isEmpty, !value.isEmpty else {
      throw ImportError(line: number, problem: "a name or a value is missing")
    }
    return (name, value)
  }

  func line(_ fate: ImportedLine.Fate, _ meaning: String) -> ImportedLine {
    ImportedLine(number: number, text: text, fate: fate, meaning: meaning)
  }
}

extension String {
  /// Without spaces, tabs and carriage returns at either end.
  var trimmed: String {
    let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
    guard let first = firstIndex(where: { !isSpace($0) }),
      let last = lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(self[first...last])
  }
}
