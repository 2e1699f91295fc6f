import Testing

@testable import AdminProtocol

@Suite struct SizeArgumentTests {
  @Test(
    arguments: [
      ("4m", 8192), ("4", 8192), ("4M", 8192), ("1g", 2_097_152), ("1.5g", 3_145_728),
      (".5k", 1), ("0.25m", 512), ("7s", 7), ("1024b", 2), ("1E", 1 << 51), ("0.1m", 204),
    ] as [(String, UInt64)])
  func sizesCountInPowersOfTwo(text: String, sectors: UInt64) throws {
    let size = try SizeArgument(sizeArgument: text)
    #expect(size == SizeArgument(sign: .absolute, amount: .sectors(sectors)))
    #expect(
      try SizeArgument(sizeArgument: "+" + text)
        == SizeArgument(sign: .plus, amount: .sectors(sectors)))
  }

  @Test(arguments: [
    "", "+", "m", "1x", "1.2.3g", "--1m", "1 g", "99999999999999999999g", "16e", ".",
  ])
  func nonsenseIsRefused(text: String) {
    #expect(throws: InvalidSize.self) { try SizeArgument(sizeArgument: text) }
  }

  @Test func oddBytesAreRefusedWithTheNeighbours() {
    #expect(
      throws: InvalidSize(
        description: "Size is not a multiple of 512. Try using 512 or 1024.")
    ) { try SizeArgument(sizeArgument: "1000b") }
  }

  @Test func extentsAndPercentages() throws {
    #expect(
      try SizeArgument(extentsArgument: "+100%FREE")
        == SizeArgument(sign: .plus, amount: .percent(100, of: .free)))
    #expect(
      try SizeArgument(extentsArgument: "-10")
        == SizeArgument(sign: .minus, amount: .extents(10)))
    #expect(
      try SizeArgument(extentsArgument: "60%vg")
        == SizeArgument(sign: .absolute, amount: .percent(60, of: .volumeGroup)))
    for text in ["", "%FREE", "10%", "10%DISK", "1m", "99999999999"] {
      #expect(throws: InvalidSize.self) { try SizeArgument(extentsArgument: text) }
    }
  }
}
