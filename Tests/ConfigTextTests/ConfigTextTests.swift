import ConfigText
import Testing

@Suite struct ConfigParsingTests {
  private func parse(_ text: String) throws -> ConfigSection { try ConfigSection(parsing: text) }

  @Test func sectionsAndScalarsAreFoundByPath() throws {
    let text = try parse("a { b = 1 c { d = \"x\" } } e = 1.50 f = 'it'")
    #expect(text.integer("a/b") == 1)
    #expect(text.string("a/c/d") == "x")
    #expect(text.value("e") == .float("1.50"))
    #expect(text.string("f") == "it")
  }

  @Test func aLeadingZeroMeansOctal() throws {
    #expect(try parse("a = 010").integer("a") == 8)
    #expect(try parse("a = -010").integer("a") == -8)
    #expect(try parse("a = 08").integer("a") == 0)
    #expect(try parse("a = +12").integer("a") == 12)
  }

  @Test func theWhole64BitRangeIsReadAndNothingBeyond() throws {
    #expect(try parse("a = -9223372036854775808").integer("a") == .min)
    #expect(try parse("a = 9223372036854775807").integer("a") == .max)
    #expect(throws: ConfigSyntaxError(line: 1, problem: "a number does not fit into 64 bits")) {
      try parse("a = 9223372036854775808")
    }
  }

  @Test func aBareWordRunsToWhiteSpaceOrPunctuation() throws {
    let text = try parse("write_policy = async\nother=sync-it# comment\nlast=on")
    #expect(text.string("write_policy") == "async")
    #expect(text.string("other") == "sync-it")
    #expect(text.string("last") == "on")
  }

  @Test func requestsOfTheLockSocketAreRead() throws {
    let text = try parse("request=\"lock_vg\"\ncmd =\"vgs\"\npid =817\nopts = none")
    #expect(text.string("cmd") == "vgs")
    #expect(text.integer("pid") == 817)
    #expect(text.string("opts") == "none")
  }

  @Test func namesWithSlashesMakeSectionsAndJoinThem() throws {
    let text = try parse("a/b = 1 a/c = 2 \"a/d\" { e = 3 }")
    #expect(text.entries.count == 1)
    #expect(text.integer("a/b") == 1)
    #expect(text.integer("a/c") == 2)
    #expect(text.integer("a/d/e") == 3)
  }

  @Test func theFirstDuplicateWinsAndIsReported() throws {
    let text = try parse("s { a = 1 a = 2 } a = 3 a = 4")
    #expect(text.integer("a") == 3)
    #expect(text.integer("s/a") == 1)
    #expect(text.duplicateNames == ["s/a", "a"])
  }

  @Test func listsMayLackCommasBetweenStrings() throws {
    #expect(try parse("a = [\"x\" \"y\",\"z\",]").strings("a") == ["x", "y", "z"])
    #expect(try parse("a = [\"pv0\", 3]").list("a") == [.string("pv0"), .integer(3)])
    #expect(try parse("a = []").list("a") == [])
  }

  @Test func scalarsAndListsStandInForEachOther() throws {
    #expect(try parse("a = \"x\"").strings("a") == ["x"])
    #expect(try parse("a = [4, 5]").integer("a") == 4)
    #expect(try parse("a = []").integer("a") == nil)
    #expect(try parse("a = [4]").strings("a") == nil)
  }

  @Test func escapesAreTakenForQuoteAndBackslashOnly() throws {
    #expect(try parse(#"a = "x\"y\\z\n""#).string("a") == #"x"y\z\n"#)
  }

  @Test func bytesThatAreNotUTF8AreKept() throws {
    let text = try ConfigSection(parsing: Array("a = \"".utf8) + [0xFF, 0x41] + Array("\"".utf8))
    #expect(text.value("a") == .bytes([0xFF, 0x41]))
    #expect(try ConfigSection(parsing: text.text(style: .raw)) == text)
  }

  @Test func parsingStopsAtNUL() throws {
    let text = try ConfigSection(parsing: Array("a = 1\n".utf8) + [0] + Array("} garbage".utf8))
    #expect(text.entries.count == 1)
  }

  @Test(arguments: [
    ("a", 1), ("a = ", 1), ("a = 1\nb {\n c = 1", 3), ("a = 1\n}", 2), ("a = [1", 1),
    ("a = \"x", 1), ("= 1", 1), ("a = -", 1), ("\"\" = 1", 1), ("a = [[1]]", 1), ("a = {", 1),
    ("a = 0x10", 1), ("# c\n'x' 'y'", 2),
  ])
  func faultyTextIsRefusedWithItsLine(text: String, line: Int) {
    let error = #expect(throws: ConfigSyntaxError.self) { try parse(text) }
    #expect(error?.line == line)
  }

  @Test func limitsAreKept() {
    let deep = String(repeating: "a {", count: 40) + String(repeating: "}", count: 40)
    #expect(throws: ConfigSyntaxError.self) { try parse(deep) }
    #expect(throws: ConfigSyntaxError.self) {
      try parse(String(repeating: "a/", count: 40) + "b=1")
    }
    let small = ConfigLimits(byteCount: 100, depth: 4, itemCount: 3)
    #expect(throws: ConfigSyntaxError.self) {
      try ConfigSection(parsing: "a=1 b=1 c=1 d=1", limits: small)
    }
    #expect(throws: ConfigSyntaxError.self) {
      try ConfigSection(parsing: String(repeating: " ", count: 101), limits: small)
    }
  }

  @Test func mutatedTextsNeverTrap() {
    let seed: UInt64 = 0x5EED_0001
    var generator = SplitMix(state: seed)
    let base = Array(
      "a { b = [1, \"x\\\"y\", -3] c/d = 07.5 # c\n e = 'q' } f = bare \"g\" { }".utf8)
    let alphabet = Array("{}[]=,#\"'\\/ \n0-+.a".utf8) + [0, 0xFF]
    for round in 0..<20_000 {
      var bytes = base
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        bytes[index] = alphabet.randomElement(using: &generator) ?? 0
      }
      guard let parsed = try? ConfigSection(parsing: bytes) else { continue }
      let again = try? ConfigSection(parsing: parsed.text(style: .indented))
      #expect(again == parsed, "seed \(seed), round \(round)")
    }
  }
}

@Suite struct ConfigBuildingTests {
  @Test func setReplacesAndMakesSections() {
    var text = ConfigSection()
    text.set("response", .string("OK"))
    text.set("locking/mode", .integer(3))
    text.set("locking/owner", .string("a \"b\" \\c"))
    text.set("locking/mode", .integer(5))
    text.append("list", .list([.string("x"), .integer(1)]))
    let expected = """
      response = "OK"
      locking {
      \tmode = 5
      \towner = "a \\"b\\" \\\\c"
      }
      list = ["x", 1]

      """
    #expect(String(decoding: text.text(style: .indented), as: UTF8.self) == expected)
    text.remove("locking/owner")
    text.remove("list")
    #expect(
      String(decoding: text.text(style: .raw), as: UTF8.self)
        == "response = \"OK\"\nlocking {\nmode = 5\n}\n")
  }

  @Test func namesThatNeedQuotesGetThem() throws {
    var text = ConfigSection()
    text.append("a b", .integer(1))
    #expect(try ConfigSection(parsing: text.text(style: .raw)) == text)
  }
}

/// A small seeded generator: a failing round can be run again.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
