/// One value of LVM's configuration text (lvm2-metadata 5).
public enum ConfigValue: Sendable, Equatable {
  case integer(Int64)
  /// A number with a decimal point, kept as it was written: no digit is lost in a rewrite.
  case float(String)
  case string(String)
  /// A string whose bytes are not UTF-8, kept losslessly.
  case bytes([UInt8])
  /// Items are never lists themselves: the grammar has no nested list.
  case list([ConfigValue])
}

/// A name with what it stands for: `name = value` or `name { … }`.
public struct ConfigEntry: Sendable, Equatable {
  public enum Content: Sendable, Equatable {
    case value(ConfigValue)
    case section(ConfigSection)
  }

  public var name: String
  public var content: Content

  public init(name: String, content: Content) {
    self.name = name
    self.content = content
  }
}

/// The entries of a section, or of a whole text, in the order they were written.
///
/// LVM's configuration text is used for lvm.conf, the metadata of volume groups, the messages of
/// lvmlockd's socket, this daemon's configuration and its admin protocol. Names may repeat; as in
/// LVM every lookup finds the first one, and iteration sees all.
public struct ConfigSection: Sendable, Equatable {
  public var entries: [ConfigEntry]

  public init() { entries = [] }

  public init(entries: [ConfigEntry]) { self.entries = entries }

  /// Parses a whole text. It ends at the first NUL byte or at the end of `text`.
  public init(
    parsing text: some Collection<UInt8>, limits: ConfigLimits = .standard
  ) throws(ConfigSyntaxError) {
    let bytes = Array(text)
    var parser = try ConfigParser(text: bytes, limits: limits)
    try parser.parseText(bytes.span)
    let document = ConfigDocument(parser, bytes)
    self = document.section(document.firstNode..<document.endNode)
  }

  public init(
    parsing text: String, limits: ConfigLimits = .standard
  ) throws(ConfigSyntaxError) {
    try self.init(parsing: Array(text.utf8), limits: limits)
  }
}

/// How large a text may be before it is refused: texts come from disks and sockets.
public struct ConfigLimits: Sendable {
  /// Bytes of the whole text.
  public var byteCount: Int
  /// Sections within sections.
  public var depth: Int
  /// Entries and list items of the whole text.
  public var itemCount: Int

  public init(byteCount: Int, depth: Int, itemCount: Int) {
    self.byteCount = byteCount
    self.depth = depth
    self.itemCount = itemCount
  }

  /// Room for the metadata of a hundred thousand logical volumes.
  public static let standard = ConfigLimits(
    byteCount: 64 << 20, depth: 32, itemCount: 8_000_000)
}

/// Why a text is not LVM configuration text.
public struct ConfigSyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Line of the offending byte, counted from 1.
  public var line: Int
  public var problem: String

  public init(line: Int, problem: String) {
    self.line = line
    self.problem = problem
  }

  public var description: String { "line \(line): \(problem)" }
}
