/// Cuts a stream into lines; a line that is too long is thrown away up to its end.
struct LineSplitter {
  enum Line: Equatable {
    case line([UInt8])
    case overlong
  }

  /// Bytes of a line without its end.
  static let limit = 1 << 20

  private var partial: [UInt8] = []
  private var isOverlong = false

  /// The lines that `bytes` completes.
  mutating func append(_ bytes: [UInt8]) -> [Line] {
    var lines: [Line] = []
    for part in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .enumerated()
    {
      if part.offset > 0 { lines.append(endLine()) }
      if isOverlong || partial.count + part.element.count > Self.limit {
        isOverlong = true
        partial = []
      } else {
        partial += part.element
      }
    }
    return lines
  }

  /// What the end of the stream leaves without a line end.
  mutating func finish() -> Line? { partial.isEmpty && !isOverlong ? nil : endLine() }

  private mutating func endLine() -> Line {
    defer {
      partial = []
      isOverlong = false
    }
    return isOverlong ? .overlong : .line(partial)
  }
}
