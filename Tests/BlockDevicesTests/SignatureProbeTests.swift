import BlockDevices
import LVMMetadata
import Testing

@Suite("Signatures on devices")
struct SignatureProbeTests {
  private func makeSwap(_ image: inout [UInt8]) {
    image.replaceSubrange(4086..<4096, with: "SWAPSPACE2".utf8)
    image[1024] = 1
    image[1028] = 255
  }

  private func makePartitions(_ image: inout [UInt8]) {
    image[446 + 4] = 0x83
    image[446 + 8] = 8
    image[446 + 13] = 4
    image[510] = 0x55
    image[511] = 0xAA
  }

  private func device(
    sizeBytes: UInt64 = 16 << 20, _ change: (inout [UInt8]) -> Void
  ) throws -> MemoryDevice {
    var head = [UInt8](repeating: 0, count: 64 << 10)
    change(&head)
    let device = MemoryDevice(name: "image", sizeBytes: sizeBytes)
    try device.write(head, at: 0)
    return device
  }

  private func found(
    on device: MemoryDevice, isWiped: Bool = true
  ) throws -> [ForeignSignature] {
    var found: [ForeignSignature] = []
    try device.reviewSignatures { signature in
      found.append(signature)
      return isWiped
    }
    return found
  }

  @Test("an empty device carries nothing", arguments: [512, 1 << 20, 1 << 40] as [UInt64])
  func findsNothing(sizeBytes: UInt64) throws {
    let device = MemoryDevice(name: "image", sizeBytes: sizeBytes)
    #expect(try found(on: device).isEmpty)
  }

  @Test("swap space is found where its magic is, and is asked about in LVM's words")
  func findsSwap() throws {
    let swap = ForeignSignature(type: "swap", offset: 4086, byteCount: 10)
    #expect(try found(on: device(makeSwap)) == [swap])
    #expect(
      swap.question(on: "/dev/vg/lv")
        == "WARNING: swap signature detected on /dev/vg/lv at offset 4086. Wipe it? [y/n]: ")
  }

  @Test("what lies behind a signature is found, wiped or not", arguments: [true, false])
  func findsAll(isWiped: Bool) throws {
    let device = try device { image in
      makeSwap(&image)
      makePartitions(&image)
    }
    let types = try found(on: device, isWiped: isWiped).map(\.type)
    #expect(types == ["swap", "dos"])
    #expect(try device.read(at: 4086, count: 10) == Array("SWAPSPACE2".utf8), "nothing is written")
  }

  @Test("what is at the end only is found: metadata of md in format 1.0")
  func findsEnd() throws {
    let device = MemoryDevice(name: "image", sizeBytes: 32 << 20)
    var superblock = [UInt8](repeating: 0, count: 4096)
    superblock.replaceSubrange(0..<8, with: [0xFC, 0x4E, 0x2B, 0xA9, 1, 0, 0, 0])
    let sectors = device.sizeBytes / 512
    let offset = (sectors - 16) & ~7
    for index in 0..<8 {
      superblock[144 + index] = UInt8(truncatingIfNeeded: offset >> (8 * index))
    }
    try device.write(superblock, at: offset * 512)
    #expect(try found(on: device).map(\.type) == ["linux_raid_member"])
  }
}
