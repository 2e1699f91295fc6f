import Glibc

/// An IP address of a node, without port.
public struct NodeAddress: Hashable, Sendable {
  /// In network order: four bytes of IPv4 or sixteen of IPv6.
  public let bytes: [UInt8]

  /// Nil unless `text` is a numeric address as inet_pton(3) takes it: no host name, no port and no
  /// scope.
  public init?(_ text: String) {
    guard !text.utf8.contains(0) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 {
      self.bytes = Array(bytes[..<4])
    } else if inet_pton(AF_INET6, text, &bytes) == 1 {
      self.bytes = bytes
    } else {
      return nil
    }
  }

  public var isIPv6: Bool { bytes.count == 16 }

  /// An address to which no peer can connect: unspecified, multicast, reserved, or link-local
  /// IPv6, which means nothing without an interface.
  public var isUnusable: Bool {
    guard isIPv6 else { return bytes[0] == 0 || bytes[0] >= 224 }
    let isLinkLocal = bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80
    return isLinkLocal || bytes[0] == 0xFF || bytes.allSatisfy { $0 == 0 }
  }

  /// An address that only this machine reaches.
  public var isLoopback: Bool {
    guard isIPv6 else { return bytes[0] == 127 }
    return bytes[15] == 1 && bytes.dropLast().allSatisfy { $0 == 0 }
  }

  /// The `sockaddr_storage` that `comms/<n>/addr` wants in one write: 128 bytes, the family in
  /// host order, port zero (kernel-dlm-control 3).
  public var socketAddressStorage: [UInt8] {
    let family = UInt16(isIPv6 ? AF_INET6 : AF_INET)
    let portAndFlowInformationBytes = isIPv6 ? 6 : 2
    var storage = withUnsafeBytes(of: family) { Array($0) }
    storage += repeatElement(0, count: portAndFlowInformationBytes)
    storage += bytes
    return storage + repeatElement(0, count: 128 - storage.count)
  }
}

extension NodeAddress: CustomStringConvertible {
  public var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes, &text, socklen_t(text.count))
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
