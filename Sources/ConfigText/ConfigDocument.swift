/// A parsed text that points into its own bytes: reading it copies nothing but what is asked for.
///
/// It is what `ConfigSection` is made of, for texts so large that a tree of them would cost too
/// much. Its nodes - entries, and the items of lists - lie in one array, each section and list
/// followed by what is in it; they are named by their places there:
///
///     var node = document.firstNode
///     while node < document.endNode {
///       if document.isSection(node) { … document.children(of: node) … }
///       node = document.next(node)
///     }
public struct ConfigDocument: Sendable {
  @usableFromInline
  enum Kind: UInt8, Sendable {
    case section
    case list
    case integer
    case float
    case string
  }

  @usableFromInline
  struct Node: Sendable {
    /// An integer, or where the value's bytes begin and how many there are; of a list, all from
    /// `[` to `]`. Of a section, the bits of the names in it.
    @usableFromInline var payload: UInt64
    @usableFromInline var nameStart: UInt32
    @usableFromInline var nameCount: UInt32
    /// The node behind this one and all that is in it.
    @usableFromInline var next: UInt32
    @usableFromInline var kind: Kind
    var nameIsEscaped = false
    var valueIsEscaped = false

    @usableFromInline var valueStart: Int { Int(UInt32(truncatingIfNeeded: payload)) }
    @usableFromInline var valueCount: Int { Int(payload >> 32) }
  }

  @usableFromInline var bytes: [UInt8]
  @usableFromInline var nodes: [Node]
  /// True when no string of the text has an escape, so that equal bytes mean equal lists and the
  /// other way round.
  public let hasEscapes: Bool

  /// Parses a whole text. It ends at the first NUL byte or at the end of `text`.
  public init(
    parsing text: [UInt8], limits: ConfigLimits = .standard
  ) throws(ConfigSyntaxError) {
    var parser = try ConfigParser(text: text, limits: limits)
    try parser.parseText(text.span)
    if parser.hasPaths {
      // Sections named by paths are joined with others of their names first.
      let joined = try ConfigSection(parsing: text, limits: limits)
      try self.init(parsing: joined.text(style: .raw), limits: limits)
      return
    }
    self.init(parser, text)
  }

  /// The document with paths still standing as names.
  init(_ parser: ConfigParser, _ text: [UInt8]) {
    bytes = text
    nodes = parser.nodes
    hasEscapes = parser.hasEscapes
    if hasEscapes { unescape() }
  }

  /// Shortens strings with escapes in place.
  private mutating func unescape() {
    for index in nodes.indices {
      if nodes[index].nameIsEscaped {
        nodes[index].nameCount = UInt32(
          unescape(Int(nodes[index].nameStart), Int(nodes[index].nameCount)))
      }
      if nodes[index].valueIsEscaped {
        let count = unescape(nodes[index].valueStart, nodes[index].valueCount)
        nodes[index].payload = UInt64(count) << 32 | UInt64(nodes[index].valueStart)
      }
    }
  }

  private mutating func unescape(_ start: Int, _ count: Int) -> Int {
    var source = start
    var target = start
    while source < start + count {
      if bytes[source] == UInt8(ascii: "\\"), source + 1 < start + count {
        if !ConfigTokenizer.isEscapable(bytes[source + 1]) {
          bytes[target] = bytes[source]
          target += 1
        }
        source += 1
      }
      bytes[target] = bytes[source]
      target += 1
      source += 1
    }
    return target - start
  }
}

/// Walking through the nodes.
extension ConfigDocument {
  @inlinable public var firstNode: Int { 0 }

  /// Behind the last node.
  @inlinable public var endNode: Int { nodes.count }

  /// The node that follows `node` in its section or list, or the end of that.
  @inlinable
  public func next(_ node: Int) -> Int { Int(nodes[node].next) }

  /// What is in a section or list: its first node, and the one behind it all.
  @inlinable
  public func children(of node: Int) -> Range<Int> { (node + 1)..<Int(nodes[node].next) }

  @inlinable
  public func isSection(_ node: Int) -> Bool { nodes[node].kind == .section }

  @inlinable
  public func isList(_ node: Int) -> Bool { nodes[node].kind == .list }

  /// The names of the sections around an entry and its own, joined by `/`.
  public func path(to node: Int) -> String {
    var names: [String] = []
    var current = firstNode
    while current < node {
      if node < next(current) {
        names.append(name(current))
        current += 1
      } else {
        current = next(current)
      }
    }
    names.append(name(node))
    return names.joined(separator: "/")
  }

  /// False when no entry of the section can be called `name`: that is known without a search.
  @inlinable
  public func mayHave(_ name: StaticString, in section: Int) -> Bool {
    let count = name.utf8CodeUnitCount
    let bit = count == 0 ? ~0 : Self.nameBit(count: count, last: name.utf8Start[count - 1])
    return nodes[section].payload & bit != 0
  }

  /// One of 64 bits, by what tells LVM's names apart best.
  @inlinable
  static func nameBit(count: Int, last: UInt8) -> UInt64 {
    1 << UInt64((count &* 5 &+ Int(last)) & 63)
  }

  /// The bit of the name that is the current token. A name with escapes has all, since its length
  /// is not known yet.
  static func nameBit(_ tokens: ConfigTokenizer, _ text: Span<UInt8>) -> UInt64 {
    guard tokens.kind == .bare || tokens.kind == .quoted, let last = tokens.content.last else {
      return ~0
    }
    return nameBit(count: tokens.content.count, last: text[last])
  }

  /// True when the entry's name is `name`.
  @inlinable
  public func isNamed(_ node: Int, _ name: StaticString) -> Bool {
    let count = Int(nodes[node].nameCount)
    guard count == name.utf8CodeUnitCount else { return false }
    return equals(Int(nodes[node].nameStart), name)
  }

  /// True when the value is the string `text`.
  @inlinable
  public func isString(_ node: Int, _ text: StaticString) -> Bool {
    guard nodes[node].kind == .string, nodes[node].valueCount == text.utf8CodeUnitCount else {
      return false
    }
    return equals(nodes[node].valueStart, text)
  }

  @usableFromInline
  func equals(_ start: Int, _ text: StaticString) -> Bool {
    text.withUTF8Buffer { wanted in
      bytes.withUnsafeBytes { bytes in
        let count = wanted.count
        guard start >= 0, start <= bytes.count - count else { return false }
        let wanted = UnsafeRawBufferPointer(wanted)
        var index = 0
        while index + 8 <= count {
          guard
            bytes.loadUnaligned(fromByteOffset: start + index, as: UInt64.self)
              == wanted.loadUnaligned(fromByteOffset: index, as: UInt64.self)
          else { return false }
          index += 8
        }
        while index < count {
          guard bytes[start + index] == wanted[index] else { return false }
          index += 1
        }
        return true
      }
    }
  }

  /// True when the names of two entries are the same.
  public func haveSameName(_ first: Int, _ second: Int) -> Bool {
    nodes[first].nameCount == nodes[second].nameCount
      && nameBytes(first).elementsEqual(nameBytes(second))
  }

  func nameBytes(_ node: Int) -> ArraySlice<UInt8> {
    let start = Int(nodes[node].nameStart)
    return bytes[start..<(start + Int(nodes[node].nameCount))]
  }

  /// The bytes of a string or of a number with a point, as they stand in the text; of a list, all
  /// from `[` to `]`.
  @inlinable
  public func valueBytes(_ node: Int) -> ArraySlice<UInt8> {
    let start = nodes[node].valueStart
    return bytes[start..<(start + nodes[node].valueCount)]
  }
}

/// Copying values out.
extension ConfigDocument {
  public func name(_ node: Int) -> String {
    String(decoding: nameBytes(node), as: UTF8.self)
  }

  /// Of a list, the first item: that is what LVM takes for a scalar. Nil for an empty list.
  @inlinable
  public func scalar(_ node: Int) -> Int? {
    guard nodes[node].kind == .list else { return node }
    let items = children(of: node)
    return items.isEmpty ? nil : items.lowerBound
  }

  /// Nil when it is not a string or not UTF-8.
  public func string(_ node: Int) -> String? {
    guard let node = scalar(node), nodes[node].kind == .string else { return nil }
    return String(validating: valueBytes(node), as: UTF8.self)
  }

  /// The bytes of a string; nil for anything else.
  @inlinable
  public func stringBytes(_ node: Int) -> ArraySlice<UInt8>? {
    guard let node = scalar(node), nodes[node].kind == .string else { return nil }
    return valueBytes(node)
  }

  @inlinable
  public func integer(_ node: Int) -> Int64? {
    guard let node = scalar(node), nodes[node].kind == .integer else { return nil }
    return Int64(bitPattern: nodes[node].payload)
  }

  /// The items of a list; a scalar stands for a list of itself. Nil for a section.
  @inlinable
  public func items(_ node: Int) -> Range<Int>? {
    switch nodes[node].kind {
    case .list: children(of: node)
    case .integer, .float, .string: node..<(node + 1)
    case .section: nil
    }
  }

  /// Nil for a section.
  public func value(_ node: Int) -> ConfigValue? {
    switch nodes[node].kind {
    case .section: return nil
    case .list: return .list(children(of: node).compactMap { value($0) })
    case .integer: return .integer(Int64(bitPattern: nodes[node].payload))
    case .float: return .float(String(decoding: valueBytes(node), as: UTF8.self))
    case .string:
      let bytes = valueBytes(node)
      if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
      return .bytes(Array(bytes))
    }
  }

  /// An entry with all that is in it.
  public func entry(_ node: Int) -> ConfigEntry {
    if let value = value(node) { return ConfigEntry(name: name(node), content: .value(value)) }
    return ConfigEntry(name: name(node), content: .section(section(children(of: node))))
  }

  /// The entries of a section as a tree.
  public func section(_ nodes: Range<Int>) -> ConfigSection {
    var section = ConfigSection()
    var node = nodes.lowerBound
    while node < nodes.upperBound {
      section.place(entry(node))
      node = next(node)
    }
    return section
  }
}

extension ConfigSection {
  /// Adds an entry; one whose name is a path goes into the sections of that path.
  fileprivate mutating func place(_ entry: ConfigEntry) {
    guard entry.name.utf8.contains(UInt8(ascii: "/")) else {
      entries.append(entry)
      return
    }
    let names = entry.name.split(separator: "/").map(String.init)
    guard let last = names.last else { return }
    place(ConfigEntry(name: last, content: entry.content), under: names.dropLast())
  }

  /// Adds `entry` below the sections `path`, joining those that exist.
  private mutating func place(_ entry: ConfigEntry, under path: ArraySlice<String>) {
    guard let name = path.first else {
      entries.append(entry)
      return
    }
    for index in entries.indices where entries[index].name == name {
      guard case .section(var inner) = entries[index].content else { continue }
      // Emptied first, so that `inner` is the only owner of its entries and grows in place.
      entries[index].content = .section(ConfigSection())
      inner.place(entry, under: path.dropFirst())
      entries[index].content = .section(inner)
      return
    }
    var inner = ConfigSection()
    inner.place(entry, under: path.dropFirst())
    append(name, inner)
  }
}
