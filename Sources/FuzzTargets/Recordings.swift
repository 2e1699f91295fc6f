import Fuzzing

/// The recorded messages in a file of `Fixtures/dlm`: each stands as `"raw": "hexadecimal"`.
enum Recordings {
  static func messages(in file: CorpusFile) -> [[UInt8]] {
    guard file.name.hasSuffix(".json") else { return [file.contents] }
    return hexadecimalMessages(in: file.contents, after: "\"raw\": \"")
  }

  /// Every run of hexadecimal digits between `mark` and the next quote.
  static func hexadecimalMessages(in contents: [UInt8], after mark: String) -> [[UInt8]] {
    texts(in: contents, after: mark).map { bytes(hexadecimal: $0[...]) }
  }

  /// Every text between `mark` and the next quote that no backslash precedes, as it stands there.
  static func texts(in contents: [UInt8], after mark: String) -> [[UInt8]] {
    let mark = Array(mark.utf8)
    var texts: [[UInt8]] = []
    var index = 0
    while let start = contents[index...].firstIndex(of: mark) {
      var end = start + mark.count
      while end < contents.count, contents[end] != UInt8(ascii: "\"") {
        end += contents[end] == UInt8(ascii: "\\") ? 2 : 1
      }
      end = min(end, contents.count)
      texts.append(Array(contents[min(start + mark.count, end)..<end]))
      index = end
    }
    return texts
  }

  private static func bytes(hexadecimal digits: ArraySlice<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in digits {
      let value = digit <= UInt8(ascii: "9") ? digit &- UInt8(ascii: "0") : (digit | 0x20) &- 87
      if let first = high {
        bytes.append(first << 4 | value & 0xF)
        high = nil
      } else {
        high = value & 0xF
      }
    }
    return bytes
  }

  /// Numbers with a meaning in the protocol: versions, commands, errno values, flags.
  static let dictionary: [[UInt8]] = [
    [1, 0, 3, 0], [2, 0, 3, 0], [0x00, 0x10], [24, 0], [88, 0], [48, 0], [1], [2], [3], [4], [5],
    [0xFF, 0xFF, 0xFF, 0xFF], [0x8D, 0xFF, 0xFF, 0xFF], [0xF5, 0xFF, 0xFF, 0xFF],
    [0xCB, 0xFF, 0xFF, 0xFF], [0xF1, 0xFF, 0xFF, 0xFF], [0xFE, 0xFF, 0xFE, 0xFF],
    [0xFF, 0xFF, 0xFE, 0xFF], [0, 0, 0, 2], [0xFF, 0xFF], [0, 0],
  ]
}

extension ArraySlice<UInt8> {
  /// Where `pattern` begins first.
  fileprivate func firstIndex(of pattern: [UInt8]) -> Int? {
    guard let first = pattern.first else { return nil }
    var start = startIndex
    while let candidate = self[start...].firstIndex(of: first) {
      if self[candidate...].starts(with: pattern) { return candidate }
      start = candidate + 1
    }
    return nil
  }
}
