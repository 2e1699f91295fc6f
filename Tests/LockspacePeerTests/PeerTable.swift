import ClusterTypes
import FoundationEssentials
import LockProtocol
import Testing

@testable import LockspacePeer

/// Sessions on a table: packets are delivered at once and in order, output is kept as decoded JSON.
struct PeerTable {
  /// The keys of a line that tests look at.
  struct Line: Decodable, Equatable {
    var id: Int64?
    var ok: Bool?
    var event: String?
    var lkid: UInt64?
    var status: Int32?
    var mode: String?
    var lvb: String?
    var flags: [String]?
    var generation: UInt32?
    var error: String?
    var state: String?
    var resources: [Resource]?
  }

  struct Resource: Decodable, Equatable {
    var resource: String
    var resourceHex: String
    var master: Int32?
    var directory: Int32
    var lvb: String?
    var granted: [Lock]
    var converting: [Lock]
    var waiting: [Lock]
  }

  struct Lock: Decodable, Equatable {
    var lkid: UInt64
    var node: Int32
    var pid: UInt32
    var mode: String
    var requested: String?
  }

  var seats: [NodeID: TableSeat] = [:]
  private var packets: [(Packet, from: NodeID, to: NodeID)] = []
  private var now = Timestamp(milliseconds: 1000)

  init(_ count: Int32) throws {
    for number in 1...count { try add(number, of: count) }
  }

  mutating func add(_ number: Int32, of count: Int32) throws {
    let nodes = try (1...count).map { try #require(NodeID($0)) }
    let node = try #require(NodeID(number))
    let name = try #require(LockspaceName("table"))
    seats[node] = TableSeat(
      PeerConfiguration(
        node: node, peers: Set(nodes.filter { $0 != node }), lockspace: name, lvbLength: 8,
        processID: 100 + UInt32(number), seed: UInt64(number)))
  }

  static func node(_ number: Int32) -> NodeID {
    guard let node = NodeID(number) else { preconditionFailure("node \(number)") }
    return node
  }

  mutating func say(_ line: String, to number: Int32) throws {
    guard let seat = seats[Self.node(number)] else { return }
    seat.session.take(line: Array(line.utf8))
    seat.catchUp()
  }

  /// Delivers everything, with time passing, until nothing moves.
  mutating func settle() throws {
    for _ in 0..<100 {
      collectPackets()
      while !packets.isEmpty {
        let (packet, from, to) = packets.removeFirst()
        seats[to]?.step(.receive(packet, from: from))
        seats[to]?.catchUp()
        collectPackets()
      }
      now = now + .milliseconds(20)
      for node in seats.keys.sorted() {
        seats[node]?.now = now
        seats[node]?.step(.timer)
        seats[node]?.catchUp()
      }
    }
  }

  private mutating func collectPackets() {
    for node in seats.keys.sorted() {
      packets += (seats[node]?.takePackets() ?? []).map { ($0.0, node, $0.to) }
    }
  }

  /// All sessions recover together; their output is thrown away.
  mutating func start() throws {
    let members = seats.keys.sorted().map(\.description).joined(separator: ",")
    for node in seats.keys.sorted() {
      try say(#"{"id":0,"op":"start","members":[\#(members)]}"#, to: node.rawValue)
    }
    try settle()
    for node in seats.keys { #expect(try news(node.rawValue).last?.event == "started") }
  }

  /// What the node printed since the last question.
  mutating func news(_ number: Int32) throws -> [Line] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try (seats[Self.node(number)]?.takeLines() ?? []).map { bytes in
      let end = UInt8(ascii: "\n")
      #expect(bytes.last == end && !bytes.dropLast().contains(end))
      return try decoder.decode(Line.self, from: Data(bytes))
    }
  }
}

extension PeerTable.Line {
  static func ok(_ id: Int64, lkid: UInt64? = nil) -> Self { Self(id: id, ok: true, lkid: lkid) }

  static func completion(
    _ id: Int64, _ lkid: UInt64, _ status: Int32, _ mode: String, lvb: String? = nil,
    flags: [String] = []
  ) -> Self {
    Self(
      id: id, event: "completion", lkid: lkid, status: status, mode: mode, lvb: lvb, flags: flags)
  }
}
