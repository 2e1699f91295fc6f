import ByteCoding
import ClusterSimulation
import LVMMetadata
import Testing

/// Hostile bytes end in an error or a warning, never in a trap.
@Suite struct FuzzTests {
  /// Puts a right checksum over bytes 4 and on of a header, or 20 and on of a label, so that the
  /// mutation gets past the first check.
  private func sealed(_ sector: [UInt8], from start: Int, at place: Int) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(sector)
    writer.overwrite(CRC32.lvm(sector.dropFirst(start)), at: place)
    return writer.bytes
  }

  private func mutate(
    _ bytes: inout [UInt8], from start: Int, using generator: inout SeededGenerator
  ) {
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let index = Int.random(in: start..<bytes.count, using: &generator)
      bytes[index] =
        [0, 0xFF, 0x7F, UInt8.random(in: 0...255, using: &generator)]
        .randomElement(using: &generator) ?? 0
    }
  }

  @Test func mutatedLabelsAndHeaders() throws {
    let original = try Fixture.devices("mda-2-per-pv/01-lvs")
    let seed: UInt64 = 0xF022_0001
    var generator = SeededGenerator(seed: seed)
    var survivors = 0
    for round in 0..<1500 {
      let devices = original.map { $0.copy() }
      let device = devices[round % devices.count]
      if round % 2 == 0 {
        var label = Array(try device.read(at: 512, count: 512))
        mutate(&label, from: 20, using: &generator)
        device.store(sealed(label, from: 20, at: 16), at: 512)
      } else {
        var header = Array(try device.read(at: 4096, count: 512))
        // The fields, not the zeros behind them.
        var fields = Array(header[..<112])
        mutate(&fields, from: 4, using: &generator)
        header.replaceSubrange(0..<112, with: fields)
        device.store(sealed(header, from: 4, at: 0), at: 4096)
      }
      let scan = MetadataScanner.scan(
        devices, slot: round % 3 == 0 ? .precommitted : .committed)
      guard let group = scan.groups.first else { continue }
      survivors += 1
      let text = SampleGroup.nextText(after: group, tag: "x")
      if var change = try? MetadataCommit(from: group, to: text), (try? change.write()) != nil {
        #expect(change.revert().isEmpty, "seed \(seed), round \(round)")
      }
    }
    #expect(survivors > 1000)
  }

  @Test func mutatedTexts() throws {
    let seed: UInt64 = 0xF022_0002
    var generator = SeededGenerator(seed: seed)
    let bases = try [
      "linear-life/03-extended-gap.vg", "thin-basic/03-extended.vg", "pvmove-linear/01-moving.vg",
      "cache-pool/02-writeback.vg",
    ].map { try Fixture.bytes("lvm2/texts/\($0).disk") }
    let words = [
      "0", "-1", "4294967295", "9223372036854775807", "\"pv0\"", "[]", "{", "}", "\"\"", "=", ",",
      "segment_count", "extent_count = 4294967295", "stripe_count = 0", "pe_start = -5",
    ].map { Array($0.utf8) }
    var readCount = 0
    for round in 0..<1200 {
      var bytes = bases[round % bases.count]
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let start = Int.random(in: 0..<bytes.count, using: &generator)
        let end = min(bytes.count, start + Int.random(in: 0...12, using: &generator))
        bytes.replaceSubrange(start..<end, with: words.randomElement(using: &generator) ?? [])
      }
      guard let text = try? MetadataText(parsing: bytes) else { continue }
      readCount += 1
      let group = text.volumeGroup
      // What was read can be written, and read again as the same.
      let again = try? MetadataText(parsing: text.bytes(form: .disk))
      if (try? group.checkWritable()) != nil, (try? group.checkChangeable()) != nil {
        #expect(again?.volumeGroup == group, "seed \(seed), round \(round)")
      }
      for volume in group.logicalVolumes { _ = group.existingLayout(of: volume) }
    }
    #expect(readCount > 20)
  }
}
