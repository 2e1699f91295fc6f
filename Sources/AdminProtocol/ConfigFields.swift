import ClusterTypes
import ConfigText

/// Why a message could not be understood; the text names the field.
public struct AdminDecodingError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
  public init(description: String) { self.description = description }
}

/// A value that travels as a section of configuration text.
protocol ConfigRepresentable {
  init(fields: ConfigSection) throws(AdminDecodingError)
  var fields: ConfigSection { get }
}

// Reading. A missing field, a field of another type and a number out of range are all errors.
extension ConfigSection {
  func text(_ name: String) throws(AdminDecodingError) -> String {
    guard let text = string(name) else { throw Self.missing(name, "a text") }
    return text
  }

  func optionalText(_ name: String) throws(AdminDecodingError) -> String? {
    content(name) == nil ? nil : try text(name)
  }

  func number<T: FixedWidthInteger>(
    _ name: String, as type: T.Type = T.self
  ) throws(AdminDecodingError) -> T {
    // Numbers above Int64's range travel as text, as the grammar has none.
    if let text = string(name), let number = T(text) { return number }
    guard let value = integer(name), let number = T(exactly: value) else {
      throw Self.missing(name, "a number of \(T.bitWidth) bits")
    }
    return number
  }

  func optionalNumber<T: FixedWidthInteger>(
    _ name: String, as type: T.Type = T.self
  ) throws(AdminDecodingError) -> T? {
    content(name) == nil ? nil : try number(name)
  }

  /// Absent means no.
  func flag(_ name: String) throws(AdminDecodingError) -> Bool {
    guard content(name) != nil else { return false }
    switch try number(name, as: Int64.self) {
    case 0: return false
    case 1: return true
    case let other: throw AdminDecodingError(description: "'\(name)' is \(other), not 0 or 1.")
    }
  }

  /// Absent means none.
  func texts(_ name: String) throws(AdminDecodingError) -> [String] {
    guard content(name) != nil else { return [] }
    guard let texts = strings(name) else { throw Self.missing(name, "a list of texts") }
    return texts
  }

  func node(_ name: String) throws(AdminDecodingError) -> NodeID {
    guard let node = NodeID(try number(name, as: Int32.self)) else {
      throw Self.missing(name, "a node id")
    }
    return node
  }

  func nodeList(_ name: String) throws(AdminDecodingError) -> [NodeID] {
    guard content(name) != nil else { return [] }
    var nodes: [NodeID] = []
    for item in list(name) ?? [] {
      guard let number = item.asInteger, let value = Int32(exactly: number),
        let node = NodeID(value)
      else { throw Self.missing(name, "a list of node ids") }
      nodes.append(node)
    }
    return nodes
  }

  func choice<T: RawRepresentable<String>>(
    _ name: String, of type: T.Type = T.self
  ) throws(AdminDecodingError) -> T {
    let word = try text(name)
    guard let value = T(rawValue: word) else {
      throw AdminDecodingError(description: "'\(name)' is '\(word)', which is not known.")
    }
    return value
  }

  /// The sections below `name`, in order. Absent means none.
  func elements<T: ConfigRepresentable>(
    _ name: String, of type: T.Type = T.self
  ) throws(AdminDecodingError) -> [T] {
    guard content(name) != nil else { return [] }
    guard let outer = section(name) else { throw Self.missing(name, "a section") }
    var values: [T] = []
    for entry in outer.entries {
      guard case .section(let inner) = entry.content else {
        throw Self.missing("\(name)/\(entry.name)", "a section")
      }
      values.append(try T(fields: inner))
    }
    return values
  }

  private static func missing(_ name: String, _ what: String) -> AdminDecodingError {
    AdminDecodingError(description: "'\(name)' is missing or is not \(what).")
  }
}

// Writing.
extension ConfigSection {
  /// A line break would let a text end the message, so texts are written on one line.
  mutating func add(_ name: String, _ text: String) {
    append(name, .string(Self.oneLine(text)))
  }

  mutating func add(_ name: String, _ text: String?) {
    if let text { add(name, text) }
  }

  mutating func add(_ name: String, _ number: some FixedWidthInteger) {
    if let value = Int64(exactly: number) {
      append(name, .integer(value))
    } else {
      append(name, .string(String(number)))
    }
  }

  mutating func add(_ name: String, _ flag: Bool) { append(name, .integer(flag ? 1 : 0)) }

  mutating func add(_ name: String, _ texts: [String]) {
    append(name, .list(texts.map { .string(Self.oneLine($0)) }))
  }

  mutating func add(_ name: String, _ node: NodeID) { add(name, node.rawValue) }

  mutating func add(_ name: String, _ nodes: [NodeID]) {
    append(name, .list(nodes.map { .integer(Int64($0.rawValue)) }))
  }

  mutating func add(_ name: String, _ elements: [some ConfigRepresentable]) {
    var outer = ConfigSection()
    for (index, element) in elements.enumerated() { outer.append("e\(index)", element.fields) }
    append(name, outer)
  }

  static func oneLine(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D || $0 == 0 }) else { return text }
    return String(
      decoding: text.utf8.map { $0 == 0x0A || $0 == 0x0D || $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
  }
}
