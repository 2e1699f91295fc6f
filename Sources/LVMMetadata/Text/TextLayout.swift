import ConfigText

/// The two layouts LVM gives to a metadata text (lvm2-metadata 5.1).
public enum MetadataTextForm: Sendable {
  /// In metadata areas: the volume group first, no indentation, no hints; ends with a NUL.
  case disk
  /// In backup files: the header first, tabs, and hints in comments.
  case file
}

/// Collects the lines of a text in one of LVM's layouts.
struct TextLayout {
  let form: MetadataTextForm
  private(set) var bytes: [UInt8] = []
  private var depth = 0
  /// LVM indents no further.
  private static let depthMax = 5

  init(form: MetadataTextForm) { self.form = form }

  mutating func blankLine() { bytes.append(UInt8(ascii: "\n")) }

  /// A line, with `hint` as a comment in files only.
  mutating func line(_ text: String, hint: String? = nil, tabs: Int = 1) {
    line(Array(text.utf8), hint: hint, tabs: tabs)
  }

  mutating func line(_ text: [UInt8], hint: String? = nil, tabs: Int = 1) {
    switch form {
    case .disk: bytes += text
    case .file:
      bytes += repeatElement(UInt8(ascii: "\t"), count: min(depth, Self.depthMax))
      bytes += text
      if let hint {
        bytes += repeatElement(UInt8(ascii: "\t"), count: tabs)
        bytes += "# \(hint)".utf8
      }
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  mutating func value(_ name: String, _ value: ConfigValue, hint: String? = nil, tabs: Int = 1) {
    line(ConfigValue.nameBytes(name) + " = ".utf8 + value.text, hint: hint, tabs: tabs)
  }

  mutating func value(_ name: String, _ number: some BinaryInteger, hint: String? = nil) {
    line("\(name) = \(number)", hint: hint)
  }

  mutating func string(_ name: String, _ text: String?) {
    if let text { value(name, .string(text)) }
  }

  /// `name = ["a", "b"]`.
  mutating func words(_ name: String, _ words: [String]) {
    value(name, .list(words.map { .string($0) }))
  }

  mutating func open(_ name: String) {
    line(ConfigValue.nameBytes(name) + " {".utf8)
    depth += 1
  }

  mutating func close() {
    depth -= 1
    line("}")
  }

  /// `name = [` and, on a line each, `rows` of items.
  mutating func table(_ name: String, _ rows: [[ConfigValue]]) {
    blankLine()
    line("\(name) = [")
    depth += 1
    for (index, row) in rows.enumerated() {
      let items = Array(row.map(\.text).joined(separator: ", ".utf8))
      line(index == rows.count - 1 ? items : items + ",".utf8)
    }
    depth -= 1
    line("]")
  }

  /// Entries as LVM writes trees it does not look into: `name=value`, `["x",3]`.
  mutating func tree(_ entries: [ConfigEntry]) {
    for entry in entries {
      switch entry.content {
      case .value(let value):
        line(ConfigValue.nameBytes(entry.name) + "=".utf8 + value.text(separator: ","))
      case .section(let section):
        open(entry.name)
        tree(section.entries)
        close()
      }
    }
  }

  /// Entries in the usual layout.
  mutating func entries(_ entries: [ConfigEntry]) {
    for entry in entries {
      switch entry.content {
      case .value(let value): self.value(entry.name, value)
      case .section(let section):
        open(entry.name)
        self.entries(section.entries)
        close()
      }
    }
  }

  /// Ends a text for a metadata area.
  mutating func terminate() { bytes.append(0) }
}
