import ConfigText

/// Why a metadata text does not describe a volume group that may be used.
public struct MetadataTextError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Where in the text, names joined by `/`; empty for the text as a whole.
  public var path: String
  public var problem: String

  public init(path: String, problem: String) {
    self.path = path
    self.problem = problem
  }

  public var description: String { path.isEmpty ? problem : "\(path): \(problem)" }
}

/// Takes the keys it knows out of a section; what is left over is kept as it was.
///
/// LVM's leniency is followed: 32-bit fields take the low 32 bits, and an optional key of the wrong
/// type counts as absent.
struct SectionReader {
  let path: String
  let section: ConfigSection
  private var taken: Set<String> = []

  init(path: String, section: ConfigSection) {
    self.path = path
    self.section = section
  }

  func failure(_ problem: String) -> MetadataTextError {
    MetadataTextError(path: path, problem: problem)
  }

  /// Entries whose names no method has taken.
  var untaken: [ConfigEntry] { section.entries.filter { !taken.contains($0.name) } }

  private mutating func take<Value>(_ name: String, _ read: (ConfigValue) -> Value?) -> Value? {
    guard let found = section.entries.first(where: { $0.name == name }),
      case .value(let value) = found.content, let result = read(value)
    else { return nil }
    taken.insert(name)
    return result
  }

  private func required<Value>(
    _ value: Value?, _ name: String, _ kind: String
  ) throws(MetadataTextError) -> Value {
    guard let value else { throw failure("\(kind) '\(name)' is missing") }
    return value
  }

  mutating func string(_ name: String) -> String? { take(name) { $0.asString } }

  mutating func requiredString(_ name: String) throws(MetadataTextError) -> String {
    try required(string(name), name, "string")
  }

  mutating func identifier(_ name: String) throws(MetadataTextError) -> LVMIdentifier {
    let text = try requiredString(name)
    guard let identifier = LVMIdentifier(text) else { throw failure("'\(text)' is not a UUID") }
    return identifier
  }

  mutating func unsigned32(_ name: String) -> UInt32? {
    take(name) { $0.asInteger.map { UInt32(truncatingIfNeeded: $0) } }
  }

  mutating func requiredUnsigned32(_ name: String) throws(MetadataTextError) -> UInt32 {
    try required(unsigned32(name), name, "number")
  }

  mutating func signed32(_ name: String) -> Int32? {
    take(name) { $0.asInteger.map { Int32(truncatingIfNeeded: $0) } }
  }

  /// A number of sectors, seconds …; negative ones are refused.
  mutating func unsigned64(_ name: String) throws(MetadataTextError) -> UInt64? {
    guard let number = take(name, { $0.asInteger }) else { return nil }
    guard number >= 0 else { throw failure("'\(name)' is negative") }
    return UInt64(number)
  }

  mutating func requiredUnsigned64(_ name: String) throws(MetadataTextError) -> UInt64 {
    try required(try unsigned64(name), name, "number")
  }

  mutating func strings(_ name: String) -> [String]? { take(name) { $0.asStrings } }

  mutating func list(_ name: String) -> [ConfigValue]? { take(name) { $0.asList } }

  mutating func subsection(_ name: String) -> ConfigSection? {
    guard let found = section.section(name) else { return nil }
    taken.insert(name)
    return found
  }

  /// `status`: required, and a word that LVM does not know makes the text unreadable.
  mutating func status<Flag>(
    _ flag: Flag.Type
  ) throws(MetadataTextError) -> StatusWords<Flag> {
    let words = try required(strings("status"), "status", "list")
    for word in words where !Flag.allowedInStatus.contains(word) {
      throw failure("status has the unknown word '\(word)'")
    }
    return StatusWords(words: words)
  }

  /// `flags`: optional, and unknown words are kept.
  mutating func flags<Flag>(_ flag: Flag.Type) -> StatusWords<Flag> {
    StatusWords(words: strings("flags") ?? [])
  }

  mutating func allocationPolicy() throws(MetadataTextError) -> AllocationPolicy? {
    guard let name = string("allocation_policy"), name != "inherit" else { return nil }
    guard let policy = AllocationPolicy(rawValue: name) else {
      throw failure("'\(name)' is not an allocation policy")
    }
    return policy
  }
}
