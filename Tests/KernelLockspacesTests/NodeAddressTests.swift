import Testing

@testable import KernelLockspaces

@Test func ipv4_becomesASocketAddressOf128Bytes() throws {
  let storage = try #require(NodeAddress("192.0.2.1")).socketAddressStorage
  #expect(storage.count == 128)
  #expect(storage[..<8] == [2, 0, 0, 0, 192, 0, 2, 1])
  #expect(storage[8...].allSatisfy { $0 == 0 })
}

@Test func ipv6_becomesASocketAddressOf128Bytes() throws {
  let storage = try #require(NodeAddress("2001:db8::1")).socketAddressStorage
  #expect(storage.count == 128)
  #expect(storage[..<12] == [10, 0, 0, 0, 0, 0, 0, 0, 0x20, 0x01, 0x0D, 0xB8])
  #expect(storage[23] == 1)
  #expect(storage[24...].allSatisfy { $0 == 0 })
}

@Test(arguments: ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "127.0.0.1"])
func anAddress_isPrintedAsItIsWritten(text: String) {
  #expect(NodeAddress(text)?.description == text)
}

@Test(arguments: [
  "", "n1", "192.0.2", "192.0.2.1:21064", "192.0.2.256", "fe80::1%eth0", "1.2.3.4\0",
])
func whatIsNoNumericAddress_isRefused(text: String) {
  #expect(NodeAddress(text) == nil)
}

@Test(arguments: ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "fe80::1"])
func anAddressToWhichNobodyConnects_isUnusable(text: String) {
  #expect(NodeAddress(text)?.isUnusable == true)
}

@Test(arguments: ["127.0.0.1", "::1"])
func loopback_isKnown(text: String) {
  #expect(NodeAddress(text)?.isLoopback == true)
  #expect(NodeAddress(text)?.isUnusable == false)
}
