/// Bytes as pairs of hexadecimal digits.
enum Hexadecimal {
  static func text(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes {
      if byte < 0x10 { text += "0" }
      text += String(byte, radix: 16)
    }
    return text
  }

  /// - Parameter field: named in the error.
  static func bytes(_ text: String, field: String) throws(RequestError) -> [UInt8] {
    let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count.isMultiple(of: 2) else {
      throw RequestError("field \"\(field)\" has an odd number of hexadecimal digits")
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[index], let low = digits[index + 1] else {
        throw RequestError("field \"\(field)\" is not hexadecimal")
      }
      bytes.append(UInt8(high << 4 | low))
    }
    return bytes
  }
}
