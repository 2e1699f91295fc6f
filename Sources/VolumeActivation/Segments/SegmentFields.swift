import ConfigText
import LVMMetadata

/// A segment whose keys do not describe a mapping.
struct MalformedSegment: Error, Hashable, Sendable {
  let problem: String
}

/// The keys of a segment, read by LVM's rules: 32-bit numbers take the low 32 bits, a list where a
/// scalar is expected stands for its first item (lvm2-metadata, section 5).
struct SegmentFields {
  let section: ConfigSection
  private let type: String

  init(_ section: ConfigSection, type: String) {
    self.section = section
    self.type = type
  }

  func failure(_ problem: String) -> MalformedSegment {
    MalformedSegment(problem: "a \(type) segment \(problem)")
  }

  func has(_ key: String) -> Bool { section.value(key) != nil }

  /// Nil when absent; throws when the key is there and not a string.
  func string(_ key: String) throws(MalformedSegment) -> String? {
    guard let value = section.value(key) else { return nil }
    guard let text = value.asString else { throw failure("has a \(key) that is no string") }
    return text
  }

  func requiredString(_ key: String) throws(MalformedSegment) -> String {
    guard let text = try string(key) else { throw failure("has no \(key)") }
    return text
  }

  /// Nil when absent; throws when the key is there and not a number.
  func number32(_ key: String) throws(MalformedSegment) -> UInt32? {
    guard let value = section.value(key) else { return nil }
    guard let number = value.asInteger else { throw failure("has a \(key) that is no number") }
    return UInt32(truncatingIfNeeded: number)
  }

  func required32(_ key: String) throws(MalformedSegment) -> UInt32 {
    guard let number = try number32(key) else { throw failure("has no \(key)") }
    return number
  }

  func number64(_ key: String) throws(MalformedSegment) -> UInt64? {
    guard let value = section.value(key) else { return nil }
    guard let number = value.asInteger, let unsigned = UInt64(exactly: number) else {
      throw failure("has a \(key) that is no number of that kind")
    }
    return unsigned
  }

  func required64(_ key: String) throws(MalformedSegment) -> UInt64 {
    guard let number = try number64(key) else { throw failure("has no \(key)") }
    return number
  }

  /// Whether a number is given and not 0.
  func flag(_ key: String) throws(MalformedSegment) -> Bool { try number32(key) ?? 0 != 0 }

  func identifier(_ key: String) throws(MalformedSegment) -> LVMIdentifier? {
    guard let text = try string(key) else { return nil }
    guard let identifier = LVMIdentifier(text) else {
      throw failure("has a \(key) that is no identifier")
    }
    return identifier
  }

  /// The names in a list of volumes.
  func requiredNames(_ key: String) throws(MalformedSegment) -> [String] {
    guard let names = section.strings(key) else { throw failure("has no list of names in \(key)") }
    return names
  }

  /// A list of names, each with its first extent.
  func requiredAreas(_ key: String) throws(MalformedSegment) -> [NamedArea] {
    guard let items = section.list(key), items.count.isMultiple(of: 2) else {
      throw failure("has no list of areas in \(key)")
    }
    var areas: [NamedArea] = []
    for index in stride(from: 0, to: items.count, by: 2) {
      guard case .string(let name) = items[index], case .integer(let extent) = items[index + 1],
        let firstExtent = UInt32(exactly: extent)
      else { throw failure("has in \(key) something other than names and extents") }
      areas.append(NamedArea(name: name, firstExtent: Int(firstExtent)))
    }
    return areas
  }
}

/// An area on a physical volume, called by its label, or on a logical volume.
struct NamedArea: Hashable, Sendable {
  let name: String
  let firstExtent: Int
}
