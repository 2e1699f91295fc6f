import FoundationEssentials
import Testing

@testable import VolumeReports

@Suite struct JSONValueTests {
  @Test func everyControlCharacterIsEscaped() throws {
    let text = String(String.UnicodeScalarView((0..<0x80).compactMap(Unicode.Scalar.init))) + "ü"
    let printed = JSONValue.object([("k", .string(text))]).compactText
    #expect(
      try JSONDecoder().decode([String: String].self, from: Data(printed.utf8)) == ["k": text])
  }

  @Test func structuresAreIndented() {
    let value = JSONValue.object([
      ("a", .array([.number(-1), .unsigned(.max), .bool(true)])), ("b", .null), ("c", .array([])),
    ])
    #expect(
      value.text == """
        {
          "a": [
            -1,
            18446744073709551615,
            true
          ],
          "b": null,
          "c": []
        }
        """)
  }
}
