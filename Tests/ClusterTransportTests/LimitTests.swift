import ClusterTypes
import NIOCore
import Testing

@testable import ClusterTransport

/// Pauses, repeated log messages, and addresses.
struct LimitTests {
  @Test func pausesDoubleUpToTheLimitAndStartAnew() {
    var backoff = Backoff(first: .milliseconds(20), limit: .milliseconds(100))
    #expect(
      (0..<5).map { _ in backoff.next() } == [
        .zero, .milliseconds(20), .milliseconds(40), .milliseconds(80), .milliseconds(100),
      ])
    backoff.reset()
    #expect(backoff.next() == .zero)
  }

  @Test func sameMessageIsLoggedOnceAMinute() {
    var limiter = LogLimiter()
    let start = NIODeadline.uptimeNanoseconds(1)
    let permitted = [("a", 0), ("a", 59), ("b", 59), ("a", 60)].map { subject, seconds in
      limiter.permits(subject, at: start + .seconds(seconds))
    }
    #expect(permitted == [true, false, true, true])
  }

  @Test func rememberedMessagesAreBounded() {
    var limiter = LogLimiter()
    let start = NIODeadline.uptimeNanoseconds(1)
    let permitted = (0...LogLimiter.capacity).map { limiter.permits("\($0)", at: start) }
    #expect(permitted == Array(repeating: true, count: LogLimiter.capacity) + [false])
    let isPermittedLater = limiter.permits("one more", at: start + .minutes(1))
    #expect(isPermittedLater)
  }

  @Test func nodesAreFoundByAddressWhateverThePort() throws {
    let one = try #require(NodeID(1))
    let two = try #require(NodeID(2))
    let addresses = try PeerAddresses([
      one: SocketAddress(ipAddress: "127.0.0.1", port: 1),
      two: SocketAddress(ipAddress: "fd00::0002", port: 2),
    ])
    #expect(try addresses.node(at: SocketAddress(ipAddress: "127.0.0.1", port: 9)) == one)
    #expect(try addresses.node(at: SocketAddress(ipAddress: "fd00::2", port: 9)) == two)
    #expect(try addresses.node(at: SocketAddress(ipAddress: "127.0.0.3", port: 1)) == nil)
  }

  @Test func sharedAndPathAddressesAreRefused() throws {
    let one = try #require(NodeID(1))
    let two = try #require(NodeID(2))
    let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
    #expect(throws: TransportError.self) { try PeerAddresses([one: address, two: address]) }
    let path = try SocketAddress(unixDomainSocketPath: "/run/x")
    #expect(throws: TransportError.self) { try PeerAddresses([one: path]) }
  }
}
