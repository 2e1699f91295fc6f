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
  /// Seconds by which the local time is ahead of UTC at a moment.
  let secondsFromUTC: (UInt64) -> Int
  private(set) var bytes: [UInt8] = []
  private var depth = 0
  /// LVM indents no further.
  private static let depthMax = 5
  /// Tab stop at which LVM aligns hints behind short lines.
  private static let hintColumn = 5

  init(form: MetadataTextForm, secondsFromUTC: @escaping (UInt64) -> Int) {
    self.form = form
    self.secondsFromUTC = secondsFromUTC
  }

  mutating func blankLine() { bytes.append(UInt8(ascii: "\n")) }

  /// A line, with `hint` as a comment in files only.
  mutating func line(_ text: String, hint: String? = nil) {
    line(Array(text.utf8), hint: hint)
  }

  mutating func line(_ text: [UInt8], hint: String? = nil) {
    switch form {
    case .disk: bytes += text
    case .file:
      let indentation = min(depth, Self.depthMax)
      bytes += repeatElement(UInt8(ascii: "\t"), count: indentation)
      bytes += text
      if let hint {
        let column = indentation + text.count / 8
        bytes += repeatElement(UInt8(ascii: "\t"), count: max(1, Self.hintColumn - column))
        bytes += "# \(hint)".utf8
      }
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  mutating func value(_ name: String, _ value: ConfigValue, hint: String? = nil) {
    line(ConfigValue.nameBytes(name) + " = ".utf8 + value.text, hint: hint)
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

  /// Entries as LVM writes trees it does not look into: `name=value`, `["x",3]`, and sections in
  /// them indented even on disk.
  mutating func tree(_ entries: [ConfigEntry], level: Int = 0) {
    let indentation: [UInt8]
    switch form {
    case .disk: indentation = [UInt8](repeating: UInt8(ascii: "\t"), count: level)
    case .file: indentation = []
    }
    for entry in entries {
      let name = indentation + ConfigValue.nameBytes(entry.name)
      switch entry.content {
      case .value(let value): line(name + "=".utf8 + value.text(separator: ","))
      case .section(let section):
        line(name + " {".utf8)
        depth += 1
        tree(section.entries, level: level + 1)
        depth -= 1
        line(indentation + "}".utf8)
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
