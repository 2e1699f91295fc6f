import BlockDevices
import Testing

@Suite("Signatures on devices")
struct SignatureProbeTests {
  private func probe(_ change: (inout [UInt8]) -> Void) throws -> ContentSignature {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    var image = [UInt8](repeating: 0, count: 4 << 20)
    change(&image)
    let path = try folder.write(image, to: "image")
    return try SignatureProbe(path: path).signature()
  }

  @Test("an empty device carries nothing")
  func findsNothing() throws {
    #expect(try probe { _ in } == .none)
  }

  @Test("swap space is found, and such a device is refused by name")
  func findsSwap() throws {
    func makeSwap(_ image: inout [UInt8]) {
      image.replaceSubrange(4086..<4096, with: "SWAPSPACE2".utf8)
      image[1024] = 1
      image[1028] = 255
    }
    #expect(try probe(makeSwap) == .other("swap"))

    let folder = try TemporaryFolder()
    defer { folder.remove() }
    var image = [UInt8](repeating: 0, count: 4 << 20)
    makeSwap(&image)
    let path = try folder.write(image, to: "image")
    let error = #expect(throws: SignatureProbeError.self) {
      try SignatureProbe(path: path).requireUnoccupied()
    }
    #expect(error == .occupied(device: path, .other("swap")))
    #expect(error?.description.contains("wipefs") == true)
  }

  @Test("a partition table is found")
  func findsPartitionTable() throws {
    let signature = try probe { image in
      image[446 + 4] = 0x83
      image[446 + 8] = 8
      image[446 + 13] = 4
      image[510] = 0x55
      image[511] = 0xAA
    }
    #expect(signature == .other("dos"))
  }

  @Test("what cannot be opened is told")
  func reportsAbsentDevice() {
    #expect(throws: SignatureProbeError.self) {
      try SignatureProbe(path: "/nonexistent").requireUnoccupied()
    }
  }
}
