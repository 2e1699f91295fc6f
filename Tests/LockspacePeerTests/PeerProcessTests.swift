import ClusterTypes
import Glibc
import LockProtocol
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import LockspacePeer

/// Whole peers with pipes for standard input and output, on loopback addresses.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct PeerProcessTests {
  @Test(
    "Two peers lock, one dies without a word and comes back, both leave",
    arguments: [
      ProtocolVersion.version3dot2, .version3dot1,
    ])
  func lifeAndDeath(version: ProtocolVersion) throws {
    let port = try Self.freePort()
    let first = try PipedPeer(1, of: 2, port: port, version)
    var second = try PipedPeer(2, of: 2, port: port, version)
    try start([first, second])
    for name in 0..<20 {
      try first.lock("r\(name)", "PR")
      try second.lock("r\(name)", "PR")
    }

    second.closeInput()
    #expect(second.exitCode() == 1)
    try first.say(#"{"id":1,"op":"stop"}"#)
    try first.say(#"{"id":1,"op":"start","members":[1]}"#)
    try first.await("started")

    second = try PipedPeer(2, of: 2, port: port, version)
    try first.say(#"{"id":1,"op":"stop"}"#)
    try start([second, first])
    for name in 0..<20 { try second.lock("r\(name)", "PR") }
    try leave(second, from: [first])
    try leave(first, from: [])
  }

  @Test("A refused call leaves a waiting lock as it was, and dumps name locks as calls do")
  func refusedWhileWaiting() throws {
    let port = try Self.freePort()
    let first = try PipedPeer(1, of: 2, port: port, .version3dot2)
    let second = try PipedPeer(2, of: 2, port: port, .version3dot2)
    try start([first, second])
    try first.lock("r", "EX")
    try second.say(#"{"id":5,"op":"lock","resource":"r","mode":"PR"}"#)
    try first.await("blocking")
    try second.tell(#"{"id":6,"op":"convert","lkid":1,"mode":"EX"}"#)
    #expect(try second.answer().contains(#""status":-16"#))
    try first.tell(#"{"id":2,"op":"dump"}"#)
    #expect(try first.answer().contains(#""lkid":1,"mode":"EX","node":1"#))
    try first.say(#"{"id":3,"op":"unlock","lkid":1}"#)
    let granted = try second.await("completion")
    #expect(granted.contains(#""id":5"#) && granted.contains(#""mode":"PR""#))
    try leave(second, from: [first])
    try leave(first, from: [])
  }

  @Test("A node that is missing in a start, and alive, can still take leave")
  func lateFarewell() throws {
    let port = try Self.freePort()
    let first = try PipedPeer(1, of: 2, port: port, .version3dot2)
    let second = try PipedPeer(2, of: 2, port: port, .version3dot2)
    try start([first, second])
    for peer in [first, second] { try peer.say(#"{"id":1,"op":"stop"}"#) }
    try first.say(#"{"id":1,"op":"start","members":[1]}"#)
    try first.await("started")
    try second.say(#"{"id":1,"op":"leave"}"#)
    #expect(try second.await("left").contains("silent") == false)
    try second.say(#"{"id":1,"op":"start","members":[2]}"#)
    try second.await("started")
    for peer in [first, second] { try peer.say(#"{"id":1,"op":"stop"}"#) }
    try start([second, first])
    try leave(first, from: [second])
    try leave(second, from: [])
  }

  private func start(_ peers: [PipedPeer]) throws {
    let members = peers.map { "\($0.number)" }.joined(separator: ",")
    for peer in peers { try peer.say(#"{"id":1,"op":"start","members":[\#(members)]}"#) }
    for peer in peers { try peer.await("started") }
  }

  private func leave(_ peer: PipedPeer, from others: [PipedPeer]) throws {
    for member in others + [peer] { try member.say(#"{"id":1,"op":"stop"}"#) }
    try peer.say(#"{"id":2,"op":"leave"}"#)
    let members = others.map { "\($0.number)" }.joined(separator: ",")
    for other in others {
      try other.say(#"{"id":1,"op":"start","members":[\#(members)]}"#)
      try other.await("started")
    }
    #expect(try peer.await("left").contains("silent") == false)
    peer.closeInput()
    #expect(peer.exitCode() == 0)
  }

  /// On addresses that no other test uses: their connections take ports of 127.0.0.1 meanwhile.
  private static func freePort() throws -> Int {
    let channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(host: "127.33.0.1", port: 0).wait()
    let port = try #require(channel.localAddress?.port)
    try channel.close().wait()
    return port
  }
}

/// A peer in a thread of its own.
private final class PipedPeer: Sendable {
  let number: Int32
  private let input: Int32
  private let output: Int32
  private let end = Mutex<Result<Int32, any Error>?>(nil)
  private let unread = Mutex<[UInt8]>([])

  init(_ number: Int32, of count: Int32, port: Int, _ version: ProtocolVersion) throws {
    self.number = number
    var inputs: [Int32] = [0, 0]
    var outputs: [Int32] = [0, 0]
    #expect(pipe(&inputs) == 0 && pipe(&outputs) == 0)
    (input, output) = (inputs[1], outputs[0])
    let options = try Self.options(number, of: count, port: port, version)
    let (reading, writing) = (inputs[0], outputs[1])
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    pool.submit { [self] _ in
      let result = Result {
        try PeerProcess.run(
          options, input: reading, output: writing,
          logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      }
      end.withLock { $0 = result }
      close(writing)
    }
  }

  private static func options(
    _ number: Int32, of count: Int32, port: Int, _ version: ProtocolVersion
  ) throws -> PeerProcess.Options {
    var peers: [NodeID: SocketAddress] = [:]
    for other in 1...count where other != number {
      peers[try #require(NodeID(other))] = try SocketAddress(
        ipAddress: "127.33.0.\(other)", port: port)
    }
    return PeerProcess.Options(
      configuration: PeerConfiguration(
        node: try #require(NodeID(number)), peers: Set(peers.keys),
        lockspace: try #require(LockspaceName("pipes")), processID: 1, seed: UInt64(number)),
      address: try SocketAddress(ipAddress: "127.33.0.\(number)", port: port), peers: peers,
      version: version)
  }

  func say(_ line: String) throws {
    try tell(line)
    #expect(try answer().contains("\"ok\":true"), "\(line)")
  }

  func tell(_ line: String) throws {
    let bytes = Array((line + "\n").utf8)
    #expect(write(input, bytes, bytes.count) == bytes.count)
  }

  func answer() throws -> String { try next { $0.contains("\"ok\"") } }

  func lock(_ name: String, _ mode: String) throws {
    try say(#"{"id":7,"op":"lock","resource":"\#(name)","mode":"\#(mode)"}"#)
    #expect(try self.await("completion").contains("\"status\":0"))
  }

  @discardableResult
  func await(_ event: String) throws -> String {
    try next { $0.contains("\"event\":\"\(event)\"") }
  }

  func closeInput() { close(input) }

  /// Waits for the end of output.
  func exitCode() -> Int32? {
    var rest = [UInt8](repeating: 0, count: 4096)
    while read(output, &rest, rest.count) > 0 {}
    close(output)
    return end.withLock { try? $0?.get() }
  }

  /// The next line that is wanted; others are skipped.
  private func next(where isWanted: (String) -> Bool) throws -> String {
    while true {
      let line = try nextLine()
      if isWanted(line) { return line }
    }
  }

  private func nextLine() throws -> String {
    try unread.withLock { unread in
      while true {
        if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
          defer { unread.removeFirst(end + 1) }
          return String(decoding: unread[..<end], as: UTF8.self)
        }
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = read(output, &chunk, chunk.count)
        let end = end.withLock { $0 }
        try #require(count > 0, "peer \(number) has ended: \(String(describing: end))")
        unread += chunk[..<count]
      }
    }
  }
}
