import Testing

@testable import LVMMetadata

@Suite struct SizeTests {
  @Test(arguments: [
    ("1", SizeArgument.Sign.absolute, UInt64(2048)), ("+1g", .increase, 2_097_152),
    ("-10M", .decrease, 20480), ("1.5k", .absolute, 3), ("8s", .absolute, 8),
    ("512b", .absolute, 1), (".5G", .absolute, 1_048_576), ("2t", .absolute, 4_294_967_296),
    ("1.t", .absolute, 2_147_483_648), ("0.1m", .absolute, 204), ("4MiB", .absolute, 8192),
    ("15e", .absolute, 15 << 51),
  ])
  func sizesAreRead(text: String, sign: SizeArgument.Sign, sectors: UInt64) throws {
    #expect(try SizeArgument(size: text) == SizeArgument(sign: sign, amount: .sectors(sectors)))
  }

  @Test(arguments: [
    ("", "Size requires number argument."), ("g", "Size requires number argument."),
    (".", "Size requires number argument."), ("٣", "Size requires number argument."),
    ("1x", "Can't parse size argument."), ("1.2.3", "Can't parse size argument."),
    ("1 g", "Can't parse size argument."), ("+-1", "Multiple sign symbols detected."),
    ("100b", "Size is not a multiple of 512. Try using 0 or 512."),
    ("1000b", "Size is not a multiple of 512. Try using 512 or 1024."),
    ("16e", "Size is too big (>=16EiB)."),
    ("99999999999999999999999", "Size is too big (>=16EiB)."),
  ])
  func otherTextsAreNoSizes(text: String, message: String) {
    #expect(throws: InvalidSize(message)) { try SizeArgument(size: text) }
  }

  @Test(arguments: [
    ("10", SizeArgument.Sign.absolute, SizeArgument.Amount.extents(10)),
    ("+50%FREE", .increase, .percentage(50, of: .free)),
    ("-33%LV", .decrease, .percentage(33, of: .logicalVolume)),
    ("100%v", .absolute, .percentage(100, of: .volumeGroup)),
    ("100%pvs", .absolute, .percentage(100, of: .physicalVolumes)),
  ])
  func extentsAreRead(text: String, sign: SizeArgument.Sign, amount: SizeArgument.Amount) throws {
    #expect(try SizeArgument(extents: text) == SizeArgument(sign: sign, amount: amount))
  }

  @Test(arguments: [
    ("", nil), ("x", nil), ("1.5", nil), ("99999999999", nil), ("5g", nil),
    ("5%", "Specified % is unknown."), ("5%NONE", "Specified %NONE is unknown."),
    ("5%VG%VG", "Specified %VG%VG is unknown."),
  ])
  func otherTextsAreNoExtents(text: String, message: String?) {
    #expect(throws: InvalidSize(message)) { try SizeArgument(extents: text) }
  }

  /// As `lvs --units` shows them.
  @Test(arguments: [
    ("r", UInt64(8192), "4.00m"), ("r", 2_097_151, "<1024.00m"), ("r", 4_184_064, "<2.00g"),
    ("h", 4_184_064, "2.00g"),
    ("r", 2_097_152, "1.00g"), ("R", 1_953_125, "1.00G"), ("m", 8192, "4.00m"),
    ("M", 8192, "4.19M"), ("s", 8192, "8192S"), ("b", 8192, "4194304B"), ("k", 1, "0.50k"),
    ("g", 0, "0g"), ("r", 0, "0 "), ("h", 1, "512B"), ("t", 25_769_803_776, "12.00t"),
  ])
  func sizesAreShownAsLVMShowsThem(letter: Character, sectors: UInt64, expected: String) throws {
    let unit = try #require(DisplayUnit(letter))
    #expect(unit.string(sectors: sectors) == expected)
  }

  @Test func suffixesAreLeftOffOrSpelledOut() throws {
    #expect(DisplayUnit("m")?.string(sectors: 8192, suffix: .none) == "4.00")
    #expect(DisplayUnit.message(sectors: 8192) == "4.00 MiB")
    #expect(DisplayUnit("x") == nil)
  }

  @Test func rangesOfPhysicalExtentsAreRead() throws {
    #expect(
      try PhysicalVolumeArgument(parsing: "/dev/sdb:0-3:7:9-:-2:5+3")
        == PhysicalVolumeArgument(
          subject: .device("/dev/sdb"),
          ranges: [
            .init(first: 0, last: 3), .init(first: 7, last: 7), .init(first: 9, last: nil),
            .init(first: nil, last: 2), .init(first: 5, last: 7),
          ]))
    #expect(
      try PhysicalVolumeArgument(parsing: "@fast") == PhysicalVolumeArgument(subject: .tag("fast")))
    #expect(throws: VolumeGroupRefusal("Physical extent parsing error at x")) {
      try PhysicalVolumeArgument(parsing: "/dev/sdb:x")
    }
  }
}
