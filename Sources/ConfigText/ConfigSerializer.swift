/// How a text is laid out. LVM reads both alike.
public enum ConfigStyle: Sendable {
  /// One entry a line without indentation, as LVM writes metadata to disks.
  case raw
  /// Sections indented by tabs, as LVM writes files.
  case indented
}

extension ConfigSection {
  /// The section's entries as text. A NUL inside a string would end the text and is left out.
  public func text(style: ConfigStyle) -> [UInt8] {
    var output: [UInt8] = []
    write(to: &output, style: style, depth: 0)
    return output
  }

  private func write(to output: inout [UInt8], style: ConfigStyle, depth: Int) {
    for entry in entries {
      Self.indent(&output, style, depth)
      output += ConfigValue.nameBytes(entry.name)
      switch entry.content {
      case .value(let value):
        output += " = ".utf8
        output += value.text
        output.append(UInt8(ascii: "\n"))
      case .section(let section):
        output += " {\n".utf8
        section.write(to: &output, style: style, depth: depth + 1)
        Self.indent(&output, style, depth)
        output += "}\n".utf8
      }
    }
  }

  private static func indent(_ output: inout [UInt8], _ style: ConfigStyle, _ depth: Int) {
    switch style {
    case .raw: break
    case .indented: output += repeatElement(UInt8(ascii: "\t"), count: depth)
    }
  }
}

extension ConfigValue {
  /// The value as it stands behind `=`: `4`, `"a \"b\""`, `["a", 1]`.
  public var text: [UInt8] { text(separator: ", ") }

  /// The value with `separator` between the items of a list.
  public func text(separator: String) -> [UInt8] {
    switch self {
    case .integer(let number): Array(String(number).utf8)
    case .float(let written): Array(written.utf8)
    case .string(let text): Self.quoted(text.utf8)
    case .bytes(let bytes): Self.quoted(bytes)
    case .list(let items):
      [UInt8(ascii: "[")]
        + items.map { $0.text(separator: separator) }.joined(separator: separator.utf8)
        + [UInt8(ascii: "]")]
    }
  }

  /// `bytes` in double quotes, with `"` and `\` escaped.
  public static func quoted(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var output: [UInt8] = [UInt8(ascii: "\"")]
    for byte in bytes where byte != 0 {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        output.append(UInt8(ascii: "\\"))
      }
      output.append(byte)
    }
    output.append(UInt8(ascii: "\""))
    return output
  }

  /// `name` as it stands before `=` or `{`: in quotes only where a bare word would end early.
  public static func nameBytes(_ name: String) -> [UInt8] {
    let special: (UInt8) -> Bool = {
      ConfigTokenizer.isSpace($0) || ConfigTokenizer.endsBareWord($0) || $0 == UInt8(ascii: "\"")
        || $0 == UInt8(ascii: "'") || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "[")
        || $0 == UInt8(ascii: "]")
    }
    return name.isEmpty || name.utf8.contains(where: special) ? quoted(name.utf8) : Array(name.utf8)
  }
}
