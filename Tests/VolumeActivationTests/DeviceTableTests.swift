import Testing
import VolumeActivation

@Suite("Tables of mapped devices")
struct DeviceTableTests {
  @Test(
    "known forms are read and printed",
    arguments: [
      "0 40960 linear 98:0 2048", "8 16 striped 2 128 98:0 2048 98:16 2048",
      "0 8 striped 1 8192 7:0 0", "0 8 error", "0 8 zero",
      "0 8 raid raid1 3 0 region_size 4096 2 253:0 253:1 253:2 253:3",
    ])
  func roundTrips(text: String) throws {
    let line = try #require(TableLine(text))
    #expect(line.description == text)
  }

  @Test("trailing blanks of the kernel do not make a difference")
  func ignoresTrailingBlanks() {
    #expect(
      TableTarget(type: "cache", parameters: "a b ")
        == TableTarget(type: "cache", parameters: "a b"))
    #expect(
      TableTarget(type: "linear", parameters: "8:0 1 ")
        == .linear(TableArea(device: DeviceNumber(major: 8, minor: 0), offset: 1)))
  }

  @Test(
    "parameters of another form are kept as they are",
    arguments: [
      ("linear", "/dev/sda 0"), ("linear", "8:0"), ("linear", "8:0 -1"), ("linear", "8:0 1 8:1 2"),
      ("striped", "2 128 8:0 0"), ("striped", "0 128"), ("striped", "1"), ("striped", ""),
      ("striped", "1 128 8:0:1 0"), ("linear", "8:99999999999 0"),
      ("striped", "99999999999999999999 8 8:0 0"),
    ])
  func keepsOtherForms(type: String, parameters: String) {
    #expect(
      TableTarget(type: type, parameters: parameters)
        == .opaque(type: type, parameters: parameters))
  }

  @Test("text that is no line is not read", arguments: ["", "0 8", "x 8 zero", "0 -8 zero"])
  func refusesNonsense(text: String) {
    #expect(TableLine(text) == nil)
  }

  @Test("lines must follow each other from sector 0")
  func refusesGaps() throws {
    let zero = TableTarget.opaque(type: "zero", parameters: "")
    func table(_ runs: (UInt64, UInt64)...) throws -> DeviceTable {
      try DeviceTable(runs.map { TableLine(start: $0.0, length: $0.1, target: zero) })
    }
    #expect(try table((0, 8), (8, 4)).sectorCount == 12)
    #expect(throws: TableError.self) { try table((8, 8)) }
    #expect(throws: TableError.self) { try table((0, 8), (9, 4)) }
    #expect(throws: TableError.self) { try table((0, 8), (7, 4)) }
    #expect(throws: TableError.self) { try table((0, 0)) }
    #expect(throws: TableError.self) { try table((0, .max), (.max, 1)) }
  }

  @Test("every underlying device is named once")
  func listsDevices() throws {
    let lines = try [
      "0 8 linear 8:0 0", "8 8 striped 2 4 8:16 0 8:0 8", "16 8 linear 8:32 0",
    ].map { try #require(TableLine($0)) }
    #expect(try DeviceTable(lines).devices.map(\.minor) == [0, 16, 32])
  }
}
