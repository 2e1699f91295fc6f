import ClusterMembership
import ClusterTypes
import Fuzzing

extension FuzzTarget {
  /// The provider corosync with hostile members of its group: whatever they say, it does not trap, its
  /// views and deliveries never go back, and what it says can be decoded.
  public static let corosyncProvider = FuzzTarget(
    name: "corosync-provider", summary: "configurations and messages in any order: no trap",
    corpusFolder: "Fixtures/membership-corosync", maximumLength: 1536,
    dictionary: CorosyncScript.dictionary, seeds: CorosyncScript.scripts,
    run: { input throws(FuzzFailure) in
      var script = CorosyncScript(input)
      return try script.run()
    })
}

/// The input as a list of what happens: a byte that says what, then its arguments.
///
///     0  message        process, length (2 bytes), bytes
///     1  configuration  processes (bit mask), number of the ring
///     2  quorum         yes or no, number of the ring
///     3  channel        node, open or closed
///     4  submission     length
///     5  time           tens of milliseconds
///     6  answers        processes (bit mask) say what this one said last, as if it were of themselves
///     7  loopback       everything that this one said is delivered to it
struct CorosyncScript {
  static let dictionary: [[UInt8]] = [
    [1, 0x0E, 1], [2, 1, 1], [3, 1, 1, 3, 2, 1], [7, 6, 0x0C], [6, 0x0C], [4, 9, 7], [5, 255],
  ]
  /// Forms a view of three nodes and delivers a message.
  private static let formation: [UInt8] = [
    1, 0x0E, 1, 3, 1, 1, 3, 2, 1, 2, 1, 1, 7, 6, 0x0C, 7, 6, 0x0C, 4, 9, 7, 6, 0x0C, 7, 6, 0x0C,
  ]
  private static let local = member(1)

  private var script: ArraySlice<UInt8>
  private var provider: CorosyncProvider
  private var now = Timestamp(milliseconds: 1000)
  private var said: [[UInt8]] = []
  private var last: CorosyncMessage?
  private var viewID: UInt64 = 0
  private var delivered: UInt64 = 0
  private var digest = ResultDigest()

  init(_ input: [UInt8]) {
    script = input[...]
    provider = CorosyncProvider(
      .init(local: Self.local, process: Self.process(1), linkGrace: .seconds(1)))
  }

  private static func member(_ number: Int32) -> Member {
    Member(
      instance: NodeInstance(harnessNode(number), Incarnation(UInt64(number))), bootID: "boot",
      startedClean: true)
  }

  private static func process(_ number: UInt8) -> GroupProcess {
    GroupProcess(node: harnessNode(Int32(number)), pid: UInt32(number))
  }

  mutating func run() throws(FuzzFailure) -> UInt64 {
    while let kind = script.popFirst() { try happen(kind % 8) }
    digest.add(viewID)
    return digest.value
  }

  private mutating func happen(_ kind: UInt8) throws(FuzzFailure) {
    switch kind {
    case 0:
      let process = nextProcess()
      let length = Int(nextByte()) | Int(nextByte()) << 8
      let bytes = Array(script.prefix(length))
      script = script.dropFirst(length)
      try feed(.group(.message(bytes, from: process)))
    case 1:
      let processes = self.processes(nextByte() | 2)
      try feed(.group(.configuration(processes, ring(nextByte()))))
    case 2:
      let isQuorate = nextByte() & 1 == 1
      try feed(.group(.quorum(isQuorate, ring(nextByte()))))
    case 3:
      let node = nextProcess().node
      let opens = nextByte() & 1 == 1
      try feed(opens ? .channelOpened(Self.member(node.rawValue)) : .channelClosed(node))
    case 4: try feed(.submit([UInt8](repeating: 7, count: Int(nextByte()) * 3)))
    case 5:
      now = now + .milliseconds(10 * Int(nextByte()))
      try feed(.timer)
    case 6:
      let mask = nextByte()
      guard let last else { return }
      for process in processes(mask) where process.node != Self.local.node {
        try feed(.group(.message(answer(last, of: process), from: process)))
      }
    default:
      let messages = said
      said = []
      for bytes in messages { try feed(.group(.message(bytes, from: Self.process(1)))) }
    }
  }

  // MARK: Reading

  private mutating func nextByte() -> UInt8 { script.popFirst() ?? 0 }
  private mutating func nextProcess() -> GroupProcess { Self.process(nextByte() % 4 + 1) }

  private func processes(_ mask: UInt8) -> [GroupProcess] {
    (1...4).filter { mask >> $0 & 1 == 1 }.map { Self.process($0) }
  }

  private func ring(_ number: UInt8) -> GroupRing {
    GroupRing(representative: 1, sequence: UInt64(number))
  }

  /// What another process says where this one has said `message`.
  private func answer(_ message: CorosyncMessage, of process: GroupProcess) -> [UInt8] {
    guard case .standing(let stage, _, let standing) = message else { return message.encoded }
    let member = Self.member(process.node.rawValue)
    return CorosyncMessage.standing(stage, member, standing).encoded
  }

  // MARK: Effects

  private mutating func feed(_ input: MembershipInput) throws(FuzzFailure) {
    var effects: [MembershipEffect] = []
    provider.handle(input, at: now, effects: &effects)
    for effect in effects { try take(effect) }
  }

  private mutating func take(_ effect: MembershipEffect) throws(FuzzFailure) {
    switch effect {
    case .send: throw FuzzFailure("sends to one node what is meant for corosync")
    case .multicast(let bytes):
      guard let message = try? CorosyncMessage(decoding: bytes) else {
        throw FuzzFailure("says what cannot be decoded: \(bytes)")
      }
      said.append(bytes)
      last = message
      digest.add(1 + Int(bytes[0]) << 4)
    case .reset:
      delivered = 0
      digest.add(2)
    case .deliver(let message):
      guard message.index > delivered || delivered == 0 else {
        throw FuzzFailure("delivers \(message.index) after \(delivered)")
      }
      delivered = message.index
      digest.add(3)
    case .installed(let view):
      guard view.id > viewID else { throw FuzzFailure("view \(view.id) follows \(viewID)") }
      viewID = view.id
      digest.add(4 + view.members.count << 4)
    case .snapshotNeeded: try feed(.snapshot([1, 2, 3]))
    case .quorum(let isQuorate): digest.add(isQuorate ? 5 : 6)
    case .evicted: digest.add(7)
    case .wake, .report: digest.add(8)
    }
  }
}

extension CorosyncScript {
  /// Each recorded message comes from one of the other processes, before there is a view and in one.
  static func scripts(_ file: CorpusFile) -> [[UInt8]] {
    let count = file.contents.count
    let message =
      [0, 1, UInt8(truncatingIfNeeded: count), UInt8(truncatingIfNeeded: count >> 8)]
      + file.contents
    return [
      formation, Array(formation.prefix(12)) + message, formation + message + [7, 6, 0x0C, 7],
    ]
  }
}
