import ClusterTypes
import ConfigText
import Fuzzing
import LVMFrontends

extension FuzzTarget {
  /// Bytes of clients on lvmlockd's socket, down to the machine that decides, over a lock manager that
  /// grants everything. The messages go to three clients in turn.
  ///
  /// An input is six requests or so: more of them cost time and hardly ever meet each other.
  public static let lockDaemonRequests = FuzzTarget(
    name: "lvmlockd-requests",
    summary: "every request has one answer or a closed connection; in the end nothing is held",
    corpusFolder: "Fixtures/lvmlockd", maximumLength: 1024,
    dictionary: [
      "\n##\n", "request=\"", "lock_gl", "lock_vg", "lock_lv", "vg_update", "start_vg", "stop_vg",
      "free_vg", "rename_vg_before", "busy_vg", "stop_all", "kill_vg", "drop_vg", "info", "dump",
      "query_lock_lv", "refresh_lv", "free_lv", "init_vg", "quit", "mode =\"ex\"", "mode =\"sh\"",
      "mode =\"un\"", "opts =\"persistent,\"", "wait force", "1.0.0:lab", "vg_lock_type =\"dlm\"",
    ].map { Array($0.utf8) },
    seeds: { file in
      guard file.name.hasSuffix(".jsonl") else { return [] }
      let lines = file.contents.split(separator: UInt8(ascii: "\n"))
      let messages = lines.filter { $0.containsText("\"lvm>lockd\"") }.flatMap { line in
        Recordings.texts(in: Array(line), after: "\"text\": \"").map(unescaped)
      }
      return messages + [Array(messages.joined().prefix(1024))]
    },
    run: { input throws(FuzzFailure) in
      var world = LockDaemonWorld()
      try world.read(input)
      return try world.end()
    })

  /// Undoes what JSON writes with a backslash in these recordings.
  private static func unescaped(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var isEscaped = false
    for byte in text {
      if !isEscaped, byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else {
        result.append(isEscaped && byte == UInt8(ascii: "n") ? UInt8(ascii: "\n") : byte)
        isEscaped = false
      }
    }
    return result
  }
}

/// A machine, three clients, and a cluster that does at once what it is asked for.
private struct LockDaemonWorld {
  private static let clients = (1...3).map { ClientID($0) }
  private static let refusesLocks: UInt64 = 13

  private var machine = LockDaemonMachine(configuration: .init(clusterName: "lab"))
  private var connected = Set(Self.clients)
  /// Requests without an answer yet.
  private var open: Set<ClientID> = []
  private var locks: [LockToken: LockspaceName] = [:]
  private var joined: Set<LockspaceName> = []
  private var inputs: [LockDaemonMachine.Input] = []
  private var now = Timestamp(milliseconds: 1_000)
  private var digest = ResultDigest()

  init() {
    inputs.append(.clusterChanged(isRunning: true, isQuorate: true))
    for client in Self.clients { inputs.append(.clientConnected(client, processID: 7)) }
  }

  mutating func read(_ bytes: [UInt8]) throws(FuzzFailure) {
    try work()
    var buffer = FramedTextBuffer()
    do throws(FramedTextError) {
      try buffer.append(bytes)
    } catch {
      return digest.add(1)
    }
    var turn = 0
    while let message = buffer.nextMessage() {
      let client = Self.clients[turn % Self.clients.count]
      turn += 1
      guard connected.contains(client) else { continue }
      if open.contains(client) {
        // Such a client is disconnected, and its request ends with it.
        inputs.append(.received(client, message))
        try work()
        continue
      }
      open.insert(client)
      inputs.append(.received(client, message))
      try work()
    }
  }

  /// Lets all time-outs pass, ends all connections, forces all lockspaces to stop.
  mutating func end() throws(FuzzFailure) -> UInt64 {
    for _ in 0..<200 {
      guard let deadline = machine.nextDeadline else { break }
      now = max(now, deadline)
      inputs.append(.timePassed)
      try work()
    }
    for client in connected.sorted() { inputs.append(.clientClosed(client)) }
    try work()
    let last = ClientID(99)
    connected = [last]
    open = [last]
    inputs.append(.clientConnected(last, processID: 9))
    inputs.append(
      .received(last, Array("request=\"stop_all\" cmd=\"end\" opts=\"force wait\"".utf8)))
    try work()
    guard open.isEmpty else { throw FuzzFailure("a forced stop of everything was not answered") }
    guard locks.isEmpty, joined.isEmpty else {
      throw FuzzFailure("left behind: \(locks.count) locks, \(joined.count) lockspaces")
    }
    return digest.value
  }

  private mutating func work() throws(FuzzFailure) {
    while !inputs.isEmpty {
      now = now + .milliseconds(1)
      for effect in machine.handle(inputs.removeFirst(), at: now) { try carryOut(effect) }
    }
  }

  private mutating func carryOut(_ effect: LockDaemonMachine.Effect) throws(FuzzFailure) {
    switch effect {
    case .reply(let client, let text): try heard(client, text)
    case .closeClient(let client):
      connected.remove(client)
      open.remove(client)
      inputs.append(.clientClosed(client))
    case .join(let name):
      joined.insert(name)
      inputs.append(.joined(name))
    case .leave(let name):
      joined.remove(name)
      locks = locks.filter { $0.value != name }
      inputs.append(.left(name))
    case .countMembers(let question, _): inputs.append(.members(question, others: []))
    case .lock(let token, let name, _, _, let isQueued, _):
      guard isQueued || token.rawValue % Self.refusesLocks != 0 else {
        inputs.append(.lockRefused(token, .heldElsewhere(by: nil)))
        return
      }
      locks[token] = name
      inputs.append(.lockGranted(token, valueBlock: nil))
    case .convert(let token, _, _, _):
      guard locks[token] != nil else { throw FuzzFailure("lock \(token) is converted, not held") }
      inputs.append(.lockGranted(token, valueBlock: nil))
    case .unlock(let token):
      guard locks.removeValue(forKey: token) != nil else {
        throw FuzzFailure("lock \(token) is released, not held")
      }
      inputs.append(.lockGranted(token, valueBlock: nil))
    case .settle(let question, _, _): inputs.append(.settled(question, hasEnded: true))
    case .reload(let question, _): inputs.append(.reloaded(question, failures: [:]))
    case .findHolders(let question, _, _): inputs.append(.holders(question, []))
    case .checkSharing(let question, _, _):
      inputs.append(.sharingChecked(question, refusal: nil))
    case .volumeLockEnded: throw FuzzFailure("an answer for this node, which has not asked")
    case .cancel, .describe, .sendDump, .persist, .forget, .adoptionFailed, .quit, .log: break
    }
  }

  private mutating func heard(_ client: ClientID, _ text: [UInt8]) throws(FuzzFailure) {
    guard open.remove(client) != nil else {
      throw FuzzFailure("client \(client) hears what it did not ask for")
    }
    guard let reply = try? ConfigSection(parsing: text), reply.string("response") == "OK" else {
      throw FuzzFailure("a reply that lvm does not understand: \(text)")
    }
    digest.add(Int(reply.integer("op") ?? 0) << 16)
    digest.add(Int(truncatingIfNeeded: reply.integer("op_result") ?? 1) & 0xFFFF)
  }
}

extension ArraySlice<UInt8> {
  fileprivate func containsText(_ text: String) -> Bool {
    !Recordings.texts(in: Array(self), after: text).isEmpty
  }
}
