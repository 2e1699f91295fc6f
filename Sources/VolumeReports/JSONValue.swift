/// A JSON value to be printed; objects keep the order of their keys.
public enum JSONValue: Sendable, Equatable {
  case string(String)
  case number(Int64)
  case unsigned(UInt64)
  case bool(Bool)
  case null
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])

  public static func == (left: JSONValue, right: JSONValue) -> Bool {
    left.compactText == right.compactText
  }

  /// On one line, with a space behind the commas and none behind the colons, as LVM writes rows.
  public var compactText: String {
    switch self {
    case .string(let text): Self.quoted(text)
    case .number(let number): String(number)
    case .unsigned(let number): String(number)
    case .bool(let flag): flag ? "true" : "false"
    case .null: "null"
    case .array(let items): "[" + items.map(\.compactText).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { Self.quoted($0.key) + ":" + $0.value.compactText }.joined(separator: ", ")
        + "}"
    }
  }

  /// Over several lines, indented by two spaces.
  public var text: String { text(indentation: "") }

  private func text(indentation: String) -> String {
    let inner = indentation + "  "
    switch self {
    case .array(let items) where !items.isEmpty:
      return "[\n"
        + items.map { inner + $0.text(indentation: inner) }.joined(separator: ",\n")
        + "\n\(indentation)]"
    case .object(let members) where !members.isEmpty:
      return "{\n"
        + members.map { inner + Self.quoted($0.key) + ": " + $0.value.text(indentation: inner) }
        .joined(separator: ",\n") + "\n\(indentation)}"
    case .string, .number, .unsigned, .bool, .null, .array, .object: return compactText
    }
  }

  private static func quoted(_ text: String) -> String {
    var output = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\n": output += "\\n"
      case "\t": output += "\\t"
      case "\r": output += "\\r"
      case let control where control.value < 0x20:
        let digits = String(control.value, radix: 16)
        output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: output.unicodeScalars.append(scalar)
      }
    }
    return output + "\""
  }
}
