import Glibc

/// A regular expression in libdevmapper's dialect: the extended one without repetition counts, and
/// with a backslash that makes the next character ordinary inside brackets, too.
final class RegularExpression {
  private var compiled = regex_t()
  private var isCompiled = false

  /// Nil when it is not well-formed.
  init?(_ text: String) {
    guard !text.isEmpty, let extended = Self.extended(Array(text.utf8)) else { return nil }
    let result = (extended + [0]).withUnsafeBytes { bytes in
      regcomp(
        &compiled, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), REG_EXTENDED | REG_NOSUB)
    }
    guard result == 0 else { return nil }
    isCompiled = true
  }

  deinit { if isCompiled { regfree(&compiled) } }

  /// True when any part of `text` matches.
  func matches(_ text: String) -> Bool { regexec(&compiled, text, 0, nil, 0) == 0 }

  private static let special = Set("^$.[]()*+?{}|\\".utf8)

  private static func extended(_ bytes: [UInt8]) -> [UInt8]? {
    var output: [UInt8] = []
    var position = 0
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "}"): output += [UInt8(ascii: "\\"), byte]
      case UInt8(ascii: "\\"):
        guard position < bytes.count else { return nil }
        let plain = unescaped(bytes[position])
        position += 1
        if special.contains(plain) { output.append(UInt8(ascii: "\\")) }
        output.append(plain)
      case UInt8(ascii: "["):
        guard let set = bracket(bytes, &position) else { return nil }
        output += set
      default: output.append(byte)
      }
    }
    return output
  }

  private static func unescaped(_ byte: UInt8) -> UInt8 {
    switch byte {
    case UInt8(ascii: "n"): UInt8(ascii: "\n")
    case UInt8(ascii: "r"): UInt8(ascii: "\r")
    case UInt8(ascii: "t"): UInt8(ascii: "\t")
    default: byte
    }
  }

  /// A bracket expression, spelled out; `position` is behind its `[` and moves behind its `]`.
  private static func bracket(_ bytes: [UInt8], _ position: inout Int) -> [UInt8]? {
    let isNegated = position < bytes.count && bytes[position] == UInt8(ascii: "^")
    if isNegated { position += 1 }
    var members: Set<UInt8> = []
    var last: UInt8?
    while true {
      guard position < bytes.count else { return nil }
      var byte = bytes[position]
      position += 1
      if byte == UInt8(ascii: "]") { break }
      if byte == UInt8(ascii: "-"), let first = last, position < bytes.count,
        bytes[position] != UInt8(ascii: "]")
      {
        let end = bytes[position]
        position += 1
        if first <= end { members.formUnion(first...end) }
        last = nil
        continue
      }
      if byte == UInt8(ascii: "\\") {
        guard position < bytes.count else { return nil }
        byte = unescaped(bytes[position])
        position += 1
      }
      members.insert(byte)
      last = byte
    }
    members.remove(0)
    guard !members.isEmpty else { return nil }
    return spelled(members, isNegated: isNegated)
  }

  /// `]` comes first, `^` not first, and `-` last, as the extended dialect wants them.
  private static func spelled(_ members: Set<UInt8>, isNegated: Bool) -> [UInt8] {
    if members == [UInt8(ascii: "^")], !isNegated { return Array("\\^".utf8) }
    var rest = members
    var output = Array((isNegated ? "[^" : "[").utf8)
    if rest.remove(UInt8(ascii: "]")) != nil { output.append(UInt8(ascii: "]")) }
    let hasHyphen = rest.remove(UInt8(ascii: "-")) != nil
    let hasCaret = rest.remove(UInt8(ascii: "^")) != nil
    let hasOpening = rest.remove(UInt8(ascii: "[")) != nil
    output += rest.sorted()
    if hasOpening { output.append(UInt8(ascii: "[")) }
    if hasCaret { output.append(UInt8(ascii: "^")) }
    if hasHyphen { output.append(UInt8(ascii: "-")) }
    return output + [UInt8(ascii: "]")]
  }
}
