import ClusterTypes
import LockProtocol
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import ClusterTransport

/// Two lock transports on one machine, of which the second listens on another address than the first
/// is told at first.
@Suite(.timeLimit(.minutes(5)))
struct SecondAddressTests {
  @Test func secondAddressIsUsedWhenNobodyIsAtTheFirst() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let receiver = try await loop.submit { NIOLoopBound(Receiver(loop), eventLoop: loop) }.get()
    let transports = try await loop.flatSubmit { receiver.value.start() }.get()
    let sender = try await loop.flatSubmit {
      receiver.value.receivedFrom(transports.value)
    }.get()
    #expect(sender == NodeID(1))
    try await loop.flatSubmit {
      transports.value[0].stop().and(transports.value[1].stop()).map { _ in }
    }.get()
  }

  @Test func pathsAlternateWhereThereAreTwo() throws {
    let own = NodeAddresses(first: try address(1), second: try address(2))
    let one = NodeAddresses(first: try address(3), second: nil)
    let both = NodeAddresses(first: try address(3), second: try address(4))
    let hosts = (0..<3).map { both.path(from: own, tryCount: $0) }
    #expect(hosts.map(\.source) == [own.first, try address(2), own.first])
    #expect(hosts.map(\.target) == [both.first, try address(4), both.first])
    #expect((0..<3).allSatisfy { one.path(from: own, tryCount: $0).target == one.first })
    let single = NodeAddresses(first: try address(1), second: nil)
    #expect(both.path(from: single, tryCount: 1).source == single.first)
  }

  @Test func bothAddressesNameTheNodeAndNobodyElses() throws {
    let nodes = try [1, 2].map { try #require(NodeID($0)) }
    let first = [nodes[0]: try address(1), nodes[1]: try address(2)]
    let addresses = try PeerAddresses(first, second: [nodes[0]: try address(3)])
    #expect(addresses.node(at: try address(1)) == nodes[0])
    #expect(addresses.node(at: try address(3)) == nodes[0])
    #expect(addresses.node(at: try address(4)) == nil)
    #expect(throws: TransportError.self) {
      try PeerAddresses(first, second: [nodes[0]: try address(2)])
    }
  }

  private func address(_ number: Int) throws -> SocketAddress {
    try SocketAddress(ipAddress: "127.0.0.\(number)", port: 9)
  }
}

/// Learns who sends the first packet. Lives on the event loop.
private final class Receiver: LockTransportDelegate {
  private let loop: any EventLoop
  private let sender: EventLoopPromise<NodeID>

  init(_ loop: any EventLoop) {
    self.loop = loop
    sender = loop.makePromise()
  }

  func start() -> EventLoopFuture<NIOLoopBound<[LockTransport]>> {
    do {
      let transports = try [1, 2].map { number in
        LockTransport(
          configuration: .init(
            node: try #require(NodeID(number)),
            address: try SocketAddress(ipAddress: "127.0.0.\(number)", port: 0)),
          eventLoop: loop, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      }
      for transport in transports { transport.delegate = self }
      let bound = NIOLoopBound(transports, eventLoop: loop)
      return transports[0].start().and(transports[1].start()).map { _ in bound }
    } catch {
      return loop.makeFailedFuture(error)
    }
  }

  /// Node 2 is to be found at 127.0.0.7, where nobody is, and at its own address.
  func receivedFrom(_ transports: [LockTransport]) -> EventLoopFuture<NodeID> {
    do {
      let nodes = try [1, 2].map { try #require(NodeID($0)) }
      let first = try #require(transports[0].listeningAddress)
      let second = try #require(transports[1].listeningAddress)
      let nowhere = try SocketAddress(
        ipAddress: "127.0.0.7", port: try #require(second.port))
      try transports[0].setPeers([nodes[1]: nowhere], secondAddresses: [nodes[1]: second])
      try transports[1].setPeers([nodes[0]: first])
      for (transport, peer) in zip(transports, nodes.reversed()) {
        transport.enable(peer)
        transport.memberAdded(peer, userCount: 1)
      }
      let status = RecoveryMessage(
        .status(needsSlots: false), lockspaceID: LockspaceID(1), sender: nodes[0], id: 1,
        sequence: 1)
      transports[0].send(.recovery(status), to: nodes[1])
      return sender.futureResult
    } catch {
      return loop.makeFailedFuture(error)
    }
  }

  func lockTransport(_ transport: LockTransport, received packet: Packet, from node: NodeID) {
    sender.succeed(node)
  }

  func lockTransport(_ transport: LockTransport, closed node: NodeID) {}
  func lockTransport(_ transport: LockTransport, lost node: NodeID) {
    Issue.record("node \(node) was lost")
  }
}
