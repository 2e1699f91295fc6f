import ClusterTypes
import Fuzzing
import LockManager
import LockProtocol

extension FuzzTarget {
  /// A lockspace with a hostile control plane, hostile applications and hostile peers: a script of
  /// inputs, most of them recorded messages. Whatever comes, it does not trap, grows no more than
  /// it was given, and what it sends can be encoded.
  public static let lockspaceMachine = FuzzTarget(
    name: "lockspace-machine", summary: "calls, stops, starts and messages in any order: no trap",
    corpusFolder: "Fixtures/dlm", maximumLength: 1536,
    dictionary: Recordings.dictionary + LockScript.dictionary, seeds: LockScript.scripts,
    run: { input throws(FuzzFailure) in
      var script = LockScript(input)
      return try script.run()
    })
}

/// The input as a list of what happens: a byte that says what, then its arguments.
///
///     0  message   length (2 bytes), bytes; answers to questions are made to fit the question
///     1  stop
///     2  start     members (bit mask), departed (bit mask)
///     3  lock      name, mode, flags (4 bytes)
///     4  convert   handle, mode, flags (4 bytes)
///     5  unlock    handle, flags (4 bytes)
///     6  cancel    handle
///     7  time      tens of milliseconds
///     8  abandon   handle
///     9  purge     node, process
struct LockScript {
  static let dictionary: [[UInt8]] =
    [[1, 2, 0x0E, 0], [2, 0x0E, 0], [1], [7, 255], [3, 0, 5, 8, 0, 0, 0], [6, 1]]
  private static let local = harnessNode(1)

  private var script: ArraySlice<UInt8>
  private var machine: LockspaceMachine
  private var now = Timestamp(milliseconds: 1000)
  private var nextHandle: UInt64 = 1
  private var inputCount = 0
  /// The last question to each node, which answers are made to fit.
  private var questions: [NodeID: RecoveryMessage] = [:]
  private var digest = ResultDigest()

  init(_ input: [UInt8]) {
    script = input[...]
    guard let name = LockspaceName("fuzz") else { preconditionFailure("a name") }
    machine = LockspaceMachine(
      LockspaceMachine.Configuration(name: name, localNode: Self.local, seed: 1))
  }

  mutating func run() throws(FuzzFailure) -> UInt64 {
    while let input = nextInput() {
      inputCount += 1
      var effects: [LockspaceMachine.Effect] = []
      machine.handle(input, at: now, effects: &effects)
      for effect in effects { try take(effect) }
      if machine.lockCount > inputCount || machine.resourceCount > 64 * inputCount {
        throw FuzzFailure(
          "\(machine.lockCount) locks, \(machine.resourceCount) resources of \(inputCount) inputs")
      }
    }
    digest.add(machine.lockCount)
    return digest.value
  }

  // MARK: Reading

  private mutating func nextByte() -> UInt8 { script.popFirst() ?? 0 }

  private mutating func nextFlags() -> LockFlags {
    LockFlags(
      rawValue: (0..<4).reduce(0) { number, index in
        number | UInt32(script.popFirst() ?? 0) << UInt32(8 * index)
      })
  }

  /// Mostly one of the handles that are in use.
  private mutating func someHandle() -> LockHandle {
    LockHandle(UInt64(nextByte()) % max(nextHandle, 1) + 1)
  }

  private mutating func someMode() -> LockMode {
    LockMode(rawValue: Int8(nextByte() % 7) - 1) ?? .iv
  }

  private mutating func nextInput() -> LockspaceMachine.Input? {
    guard let kind = script.popFirst() else { return nil }
    switch kind % 10 {
    case 0: return message() ?? .timer
    case 1: return .stop
    case 2:
      let (members, departed) = (nodes(nextByte()), nodes(nextByte()))
      return .start(members: members.map { Member($0) }, departed: Set(departed))
    case 3:
      let name = ResourceName("name-\(nextByte() % 16)")
      let (mode, flags) = (someMode(), nextFlags())
      guard let name else { return .timer }
      nextHandle += 1
      return .lock(
        LockCall(handle: LockHandle(nextHandle), resource: name, mode: mode, flags: flags))
    case 4: return .convert(someHandle(), someMode(), flags: nextFlags(), valueBlock: nil)
    case 5: return .unlock(someHandle(), flags: nextFlags(), valueBlock: nil)
    case 6: return .cancel(someHandle())
    case 7:
      now = now + .milliseconds(10 * Int(nextByte()))
      return .timer
    case 8: return .abandon(someHandle())
    default: return .purge(harnessNode(Int32(nextByte() % 4) + 1), processID: UInt32(nextByte()))
    }
  }

  private func nodes(_ mask: UInt8) -> [NodeID] {
    (1...4).filter { mask >> UInt8($0) & 1 == 1 }.map { harnessNode(Int32($0)) }
  }

  private mutating func message() -> LockspaceMachine.Input? {
    let length = Int(nextByte()) | Int(nextByte()) << 8
    let bytes = script.prefix(length)
    script = script.dropFirst(length)
    guard let frame = try? Frame(decoding: bytes) else { return nil }
    switch frame.content {
    case .bare(.lock(var message)), .sequenced(_, .lock(var message)):
      message.lockspaceID = machineID
      return .receive(.lock(message), from: message.sender)
    case .bare(.recovery(let message)), .sequenced(_, .recovery(let message)):
      return .receive(.recovery(fitting(message)), from: message.sender)
    case .finish, .acknowledgement: return nil
    }
  }

  private var machineID: LockspaceID {
    LockspaceName("fuzz").map { LockspaceID(name: $0) } ?? LockspaceID(0)
  }

  /// A recorded answer gets the id and the sequence of the question that is open; otherwise a
  /// recovery would never come further than its first question.
  private func fitting(_ message: RecoveryMessage) -> RecoveryMessage {
    var message = message
    message.lockspaceID = machineID
    guard message.type.isReply, let question = questions[message.sender] else { return message }
    message.id = question.id
    message.sequenceReply = question.sequence
    return message
  }

  // MARK: Effects

  private mutating func take(_ effect: LockspaceMachine.Effect) throws(FuzzFailure) {
    switch effect {
    case .send(let packet, let node):
      let bytes = Frame(.sequenced(0, packet), sender: Self.local).encoded()
      guard (try? Frame(decoding: bytes)) != nil else {
        throw FuzzFailure("sends what cannot be decoded: \(packet)")
      }
      guard node != Self.local else { throw FuzzFailure("sends \(packet) to itself") }
      if case .recovery(let message) = packet, !message.type.isReply { questions[node] = message }
      digest.add(1 + packet.kindNumber << 4)
    case .completed(_, let outcome):
      digest.add(2 + Int(outcome.mode.map { $0.rawValue + 2 } ?? 0) << 4)
    case .released: digest.add(3)
    case .blocking(_, let mode): digest.add(4 + Int(mode.rawValue + 1) << 4)
    case .refused: digest.add(5)
    case .memberRemoved: digest.add(6)
    case .memberAdded: digest.add(7)
    case .recovered: digest.add(8)
    case .recoveryFailed: digest.add(9)
    case .wake(let time):
      guard time >= now else { throw FuzzFailure("wants to be woken in the past") }
    }
  }
}

extension LockScript {
  /// A recording as a script: the node that it is about starts with the others, its own requests are
  /// calls, and what the others sent it are messages.
  static func scripts(_ file: CorpusFile) -> [[UInt8]] {
    let messages = Recordings.messages(in: file)
    return stride(from: 0, to: messages.count, by: 5).map { start in
      var script: [UInt8] = [2, 0x0E, 0]
      for bytes in messages[start..<min(start + 7, messages.count)] {
        script += self.script(of: bytes)
      }
      return script
    }
  }

  private static func script(of bytes: [UInt8]) -> [UInt8] {
    let message = [0, UInt8(bytes.count & 0xFF), UInt8(bytes.count >> 8)] + bytes
    guard let frame = try? Frame(decoding: bytes) else { return message }
    switch frame.content {
    case .sequenced(_, .lock(let lock)) where lock.sender == local: return call(like: lock)
    case .bare(let packet) where packet.sender == local: return []
    case .bare, .sequenced, .finish, .acknowledgement: return message + [7, 2]
    }
  }

  private static func call(like message: LockMessage) -> [UInt8] {
    let flags = (0..<4).map { UInt8(truncatingIfNeeded: message.lockFlags.rawValue >> (8 * $0)) }
    let mode = UInt8(message.requestedMode.rawValue + 1)
    let number = UInt8(truncatingIfNeeded: message.hash)
    switch message.type {
    case .request, .lookup: return [3, number, mode] + flags
    case .convert: return [4, number, mode] + flags
    case .unlock: return [5, number] + flags
    case .cancel: return [6, number]
    case .requestReply, .convertReply, .unlockReply, .cancelReply, .grant, .blocking, .remove,
      .lookupReply, .purge:
      return [1, 2, 0x0E, 0]
    }
  }
}
