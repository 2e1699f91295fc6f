import Testing

@testable import VolumeReports

/// Sizes as LVM 2.03.16 prints them for devices of exactly these many bytes.
@Suite struct SizeUnitsTests {
  @Test(
    arguments: [
      (67_108_864, "64.00m", "<67.11M", "64.00m", "16.00U"),
      (10_737_417_728, "<10.00g", "<10.74G", "10.00g", "2560.00U"),
      (1_000_204_886_016, "931.51g", "1.00T", "931.51g", "238467.43U"),
      (8_001_563_222_016, "<7.28t", "8.00T", "7.28t", "1907721.33U"),
      (1_536_000_000, "1.43g", "<1.54G", "1.43g", "366.21U"),
      (549_218_942_976, "511.50g", "<549.22G", "511.50g", "130944.00U"),
      (2_713_600, "<2.59m", "2.71M", "2.59m", "0.65U"),
      (1_073_741_824, "1.00g", "1.07G", "1.00g", "256.00U"),
      (1_073_737_728, "<1024.00m", "1.07G", "1024.00m", "256.00U"),
      (1_073_479_680, "1023.75m", "1.07G", "1023.75m", "255.94U"),
      (2_097_152, "2.00m", "<2.10M", "2.00m", "0.50U"),
      (6_710_784, "<6.40m", "6.71M", "6.40m", "1.60U"),
    ] as [(UInt64, String, String, String, String)])
  func sizesAreThoseOfLVM(bytes: UInt64, r: String, capitalR: String, h: String, four: String)
    throws
  {
    #expect(try #require(SizeUnits("r")).text(bytes: bytes) == r)
    #expect(try #require(SizeUnits("R")).text(bytes: bytes) == capitalR)
    #expect(try #require(SizeUnits("h")).text(bytes: bytes) == h)
    #expect(try #require(SizeUnits("4m")).text(bytes: bytes) == four)
  }

  @Test func fixedUnits() throws {
    let bytes: UInt64 = 1_000_204_886_016
    let expected = [
      "b": "1000204886016B", "s": "1953525168S", "k": "976762584.00k", "K": "1000204886.02K",
      "m": "953869.71m", "M": "1000204.89M", "g": "931.51g", "G": "1000.20G", "t": "0.91t",
      "T": "1.00T",
    ]
    for (units, text) in expected {
      #expect(try #require(SizeUnits(units)).text(bytes: bytes) == text)
    }
  }

  @Test func nothingIsZero() throws {
    #expect(SizeUnits.humanReadable.text(bytes: 0) == "0 ")
    #expect(SizeUnits.humanReadable.text(bytes: 0, style: .bare) == "0")
    #expect(try #require(SizeUnits("s")).text(bytes: 0) == "0S")
  }

  @Test func messagesSpellTheUnit() throws {
    #expect(SizeUnits.humanReadable.text(bytes: 4 << 20, style: .spaced) == "4.00 MiB")
    #expect(SizeUnits.humanReadable.text(bytes: .max, style: .spaced) == "<16.00 EiB")
  }

  @Test(arguments: [
    "", "q", "0m", "1.5.5m", "kk", "-1m", "16e", "99999999999999999999m", "9999999999e",
  ])
  func nonsenseIsNoUnit(text: String) { #expect(SizeUnits(text) == nil) }
}
