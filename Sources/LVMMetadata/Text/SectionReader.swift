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
/// LVM's leniency is followed: the first of equal keys counts, 32-bit fields take the low 32 bits,
/// and an optional key of the wrong type counts as absent.
struct SectionReader {
  let document: ConfigDocument
  /// The section itself, and what is in it.
  private let node: Int
  private let children: Range<Int>
  private var taken = NodeSet()
  /// All entries before this one were taken: LVM writes them in the order in which they are asked for.
  private var cursor: Int

  init(_ document: ConfigDocument, _ node: Int) {
    self.document = document
    self.node = node
    children = document.children(of: node)
    cursor = children.lowerBound
  }

  var name: String { document.name(node) }

  func failure(_ problem: String) -> MetadataTextError {
    MetadataTextError(path: document.path(to: node), problem: problem)
  }

  /// The first node behind `node`, or of all, that no method has taken.
  func nextUntaken(after node: Int? = nil) -> Int? {
    var node = node.map { document.next($0) } ?? children.lowerBound
    while node < children.upperBound {
      if !taken.contains(node - children.lowerBound) { return node }
      node = document.next(node)
    }
    return nil
  }

  /// Entries whose names no method has taken.
  var untakenEntries: [ConfigEntry] {
    var entries: [ConfigEntry] = []
    var node = nextUntaken()
    while let current = node {
      if !isHidden(current) { entries.append(document.entry(current)) }
      node = nextUntaken(after: current)
    }
    return entries
  }

  /// True when an entry of the same name was taken: that was the first of them.
  func isHidden(_ node: Int) -> Bool {
    var other = children.lowerBound
    while other < node {
      if taken.contains(other - children.lowerBound), document.haveSameName(other, node) {
        return true
      }
      other = document.next(other)
    }
    return false
  }

  private mutating func take<Value>(
    _ name: StaticString, _ read: (ConfigDocument, Int) -> Value?
  ) -> Value? {
    guard document.mayHave(name, in: self.node) else { return nil }
    // The entries before the cursor have other names, since none is asked for twice.
    var node = cursor
    while node < children.upperBound {
      if document.isNamed(node, name) {
        guard let result = read(document, node) else { return nil }
        taken.insert(node - children.lowerBound)
        if node == cursor { cursor = document.next(node) }
        return result
      }
      node = document.next(node)
    }
    return nil
  }

  func has(_ name: StaticString) -> Bool {
    guard document.mayHave(name, in: self.node) else { return false }
    var node = children.lowerBound
    while node < children.upperBound {
      if document.isNamed(node, name) { return true }
      node = document.next(node)
    }
    return false
  }

  private func missing(_ name: StaticString, _ kind: String) -> MetadataTextError {
    failure("\(kind) '\(name)' is missing")
  }

  mutating func string(_ name: StaticString) -> String? { take(name) { $0.string($1) } }

  mutating func requiredString(_ name: StaticString) throws(MetadataTextError) -> String {
    guard let text = string(name) else { throw missing(name, "string") }
    return text
  }

  /// A string that many sections have in common.
  mutating func string(_ name: StaticString, _ memo: inout Memo<String>) -> String? {
    take(name) { document, node in
      guard let bytes = document.stringBytes(node) else { return nil }
      return memo.value(of: bytes) { String(validating: bytes, as: UTF8.self) }
    }
  }

  mutating func identifier(_ name: StaticString) throws(MetadataTextError) -> LVMIdentifier {
    guard let bytes = take(name, { $0.stringBytes($1) }) else { throw missing(name, "string") }
    guard let identifier = LVMIdentifier(bytes: bytes) else {
      throw failure("'\(String(decoding: bytes, as: UTF8.self))' is not a UUID")
    }
    return identifier
  }

  mutating func unsigned32(_ name: StaticString) -> UInt32? {
    take(name) { $0.integer($1).map { UInt32(truncatingIfNeeded: $0) } }
  }

  mutating func requiredUnsigned32(_ name: StaticString) throws(MetadataTextError) -> UInt32 {
    guard let number = unsigned32(name) else { throw missing(name, "number") }
    return number
  }

  mutating func signed32(_ name: StaticString) -> Int32? {
    take(name) { $0.integer($1).map { Int32(truncatingIfNeeded: $0) } }
  }

  /// A number of sectors, seconds …; negative ones are refused.
  mutating func unsigned64(_ name: StaticString) throws(MetadataTextError) -> UInt64? {
    guard let number = take(name, { $0.integer($1) }) else { return nil }
    guard number >= 0 else { throw failure("'\(name)' is negative") }
    return UInt64(number)
  }

  mutating func requiredUnsigned64(_ name: StaticString) throws(MetadataTextError) -> UInt64 {
    guard let number = try unsigned64(name) else { throw missing(name, "number") }
    return number
  }

  mutating func strings(_ name: StaticString) -> [String]? {
    take(name) { Self.strings($1, $0) }
  }

  private static func strings(_ node: Int, _ document: ConfigDocument) -> [String]? {
    guard let items = document.items(node) else { return nil }
    var strings: [String] = []
    for item in items {
      guard let text = document.string(item) else { return nil }
      strings.append(text)
    }
    return strings
  }

  /// The nodes of a list's items.
  mutating func items(_ name: StaticString) -> Range<Int>? { take(name) { $0.items($1) } }

  /// The node of a section.
  mutating func subsection(_ name: StaticString) -> Int? {
    take(name) { $0.isSection($1) ? $1 : nil }
  }

  /// `status`: required, and a word that LVM does not know makes the text unreadable.
  mutating func status<Flag>(
    _ memo: inout Memo<StatusWords<Flag>>
  ) throws(MetadataTextError) -> StatusWords<Flag> {
    guard let words = words("status", &memo) else { throw missing("status", "list") }
    if let word = words.wordForbiddenInStatus {
      throw failure("status has the unknown word '\(word)'")
    }
    return words
  }

  /// `flags`: optional, and unknown words are kept. What is no list of words makes the text
  /// unreadable, for LVM, too.
  mutating func flags<Flag>(
    _ memo: inout Memo<StatusWords<Flag>>
  ) throws(MetadataTextError) -> StatusWords<Flag> {
    if let words = words("flags", &memo) { return words }
    guard !has("flags") else { throw failure("'flags' is not a list of words") }
    return []
  }

  private mutating func words<Flag>(
    _ name: StaticString, _ memo: inout Memo<StatusWords<Flag>>
  ) -> StatusWords<Flag>? {
    take(name) { document, node in
      guard document.isList(node), !document.hasEscapes else {
        return Self.strings(node, document).map { StatusWords(words: $0) }
      }
      return memo.value(of: document.valueBytes(node)) {
        Self.strings(node, document).map { StatusWords(words: $0) }
      }
    }
  }

  mutating func allocationPolicy() throws(MetadataTextError) -> AllocationPolicy? {
    guard let name = string("allocation_policy"), name != "inherit" else { return nil }
    guard let policy = AllocationPolicy(rawValue: name) else {
      throw failure("'\(name)' is not an allocation policy")
    }
    return policy
  }
}

/// What was made of the last bytes of a kind: the volumes of a group say mostly the same.
struct Memo<Value> {
  private var bytes: ArraySlice<UInt8> = []
  private var value: Value?

  mutating func value(of bytes: ArraySlice<UInt8>, _ make: () -> Value?) -> Value? {
    if let known = self[bytes] { return known }
    guard let made = make() else { return nil }
    remember(made, for: bytes)
    return made
  }

  subscript(_ bytes: ArraySlice<UInt8>) -> Value? {
    guard let value, self.bytes.count == bytes.count else { return nil }
    return self.bytes.withUnsafeBytes { known in
      bytes.withUnsafeBytes { new in
        var index = 0
        while index + 8 <= known.count {
          guard
            known.loadUnaligned(fromByteOffset: index, as: UInt64.self)
              == new.loadUnaligned(fromByteOffset: index, as: UInt64.self)
          else { return nil }
          index += 8
        }
        return known[index...].elementsEqual(new[index...]) ? value : nil
      }
    }
  }

  mutating func remember(_ value: Value, for bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    self.value = value
  }
}

/// A set of small numbers, most of them very small.
private struct NodeSet {
  private var low: UInt64 = 0
  private var others: Set<Int> = []

  mutating func insert(_ number: Int) {
    if number < 64 { low |= 1 << UInt64(number) } else { others.insert(number) }
  }

  func contains(_ number: Int) -> Bool {
    number < 64 ? low >> UInt64(number) & 1 == 1 : others.contains(number)
  }
}
