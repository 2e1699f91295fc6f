import FoundationEssentials

/// The recorded messages of real kernels, one file per scene, in `Fixtures/dlm`.
struct Recording: Sendable {
  /// One message as it was sent, and how an independent decoder read it.
  struct Message: Sendable {
    let from: Int32
    let to: Int32
    let decoded: [String: Field]
    let raw: String
    let bytes: [UInt8]

    init(from: Int32, to: Int32, decoded: [String: Field], raw: String) {
      self.from = from
      self.to = to
      self.decoded = decoded
      self.raw = raw
      bytes = hexBytes(raw)
    }
  }

  /// A value of the independent decoder: a number, a text such as `0x8(VALBLK)`, or a list.
  enum Field: Decodable, Equatable, Sendable {
    case number(Int64)
    case text(String)
    case list([String])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Int64.self) {
        self = .number(number)
      } else if let text = try? container.decode(String.self) {
        self = .text(text)
      } else {
        self = .list(try container.decode([String].self))
      }
    }

    /// The number, or the hexadecimal number that the text begins with.
    var number: UInt64? {
      switch self {
      case .number(let number): UInt64(bitPattern: number)
      case .text(let text):
        UInt64(text.drop { $0 != "x" }.dropFirst().prefix { $0.isHexDigit }, radix: 16)
      case .list: nil
      }
    }
  }

  /// Lines of a file: messages, and notes about what the test did.
  private struct Line: Decodable {
    let from: Int32?
    let to: Int32?
    let decoded: [String: Field]?
    let raw: String?
  }

  let name: String
  let messages: [Message]

  static let folder =
    #filePath.split(separator: "/", omittingEmptySubsequences: false)
    .dropLast(3).joined(separator: "/") + "/Fixtures/dlm"

  static func data(_ file: String) throws -> Data {
    try Data(contentsOf: URL(filePath: "\(folder)/\(file)"))
  }

  /// Read once for all tests.
  private static let loaded = Result { try load() }

  static func all() throws -> [Recording] { try loaded.get() }

  private static func load() throws -> [Recording] {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
    return try files.filter { $0.first?.isNumber == true && $0.hasSuffix(".json") }.sorted()
      .map { file in
        let lines = try JSONDecoder().decode([Line].self, from: try data(file))
        let messages = lines.compactMap { line -> Message? in
          guard let from = line.from, let to = line.to, let decoded = line.decoded,
            let raw = line.raw
          else { return nil }
          return Message(from: from, to: to, decoded: decoded, raw: raw)
        }
        return Recording(name: file, messages: messages)
      }
  }
}

/// The bytes that `text` spells, two digits each.
func hexBytes(_ text: String) -> [UInt8] {
  var bytes: [UInt8] = []
  var high: UInt8?
  for digit in text.utf8 {
    let value = digit <= UInt8(ascii: "9") ? digit - UInt8(ascii: "0") : (digit | 0x20) - 87
    if let first = high {
      bytes.append(first << 4 | value)
      high = nil
    } else {
      high = value
    }
  }
  return bytes
}
