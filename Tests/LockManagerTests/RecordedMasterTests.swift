import ClusterTypes
import LockProtocol
import Testing

@testable import LockManager

/// The machine in the place of kernel 1: it is given what kernel 2 sent to kernel 1 and what kernel
/// 1's applications did, and must send what kernel 1 sent.
struct RecordedMasterTests {
  @Test("As master and as owner the machine sends what a kernel sent")
  func sameMessages() throws {
    var player = try ScenePlayer()
    for name in [
      "02-lookup-and-master-two-nodes", "03-modes-conversions-lvb",
      "04-bast-grant-cancel-noqueue", "05-deadlock-altmode-orphan-purge",
      "06-overlap-cancel-unlock",
    ] {
      for event in try RecordedScene(name).events { player.play(event) }
      #expect(player.unexpected.isEmpty, "\(name): sent and not recorded")
    }
    #expect(player.compared == 86)
  }
}

/// Translates lock ids between the kernel that was recorded and the machine that stands in for it.
private struct ScenePlayer {
  var machine: LockspaceMachine
  let peer: NodeID
  /// The recorded kernel's ids, and the machine's.
  var ids: [LockID: LockID] = [:]
  var handles: [String: LockHandle] = [:]
  /// Sent by the machine and not yet found in the recording.
  var unexpected: [LockMessage] = []
  var compared = 0
  var now: UInt64 = 0

  init() throws {
    let local = try #require(NodeID(1))
    peer = try #require(NodeID(2))
    machine = .running(on: local, members: [local, peer], messageFlags: .user)
  }

  mutating func play(_ event: RecordedScene.Event) {
    switch event {
    case .command(let command, 1): run(command)
    case .command: break
    case .message(let message, 1, _): compare(message)
    case .message(let message, _, _): receive(message)
    }
  }

  private mutating func handle(_ input: LockspaceMachine.Input) {
    now += 1
    var effects: [LockspaceMachine.Effect] = []
    machine.handle(input, at: Timestamp(milliseconds: now), effects: &effects)
    for case .send(.lock(let message), _) in effects { unexpected.append(message) }
    for case .refused(let handle, let refusal) in effects {
      Issue.record("\(handle) refused: \(refusal)")
    }
  }

  private mutating func receive(_ message: LockMessage) {
    var message = message
    message.lockspaceID = machine.configuration.lockspaceID
    if message.type == .lookupReply {
      message.lockID = ids[message.lockID] ?? message.lockID
    } else {
      message.remoteID = ids[message.remoteID] ?? message.remoteID
    }
    handle(.receive(.lock(message), from: peer))
  }

  private mutating func compare(_ recorded: LockMessage) {
    guard !unexpected.isEmpty else {
      Issue.record("recorded and not sent: \(recorded)")
      return
    }
    compared += 1
    var sent = unexpected.removeFirst()
    if recorded.lockID != .none { ids[recorded.lockID] = sent.lockID }
    sent.lockID = recorded.lockID
    sent.lockspaceID = recorded.lockspaceID
    var recorded = recorded
    recorded.messageFlags.formIntersection([.shared, .masterCopy])
    #expect(sent == recorded)
  }

  /// Commands of the recording's test program: `lock NAME MODE FLAGS RESOURCE`,
  /// `conv NAME MODE FLAGS [LVB]`, `unlock NAME FLAGS`, `purge NODE PID`.
  private mutating func run(_ command: String) {
    let words = command.split(separator: " ").map(String.init)
    guard words.count >= 3 else { return }
    switch words[0] {
    case "lock":
      guard let mode = mode(words[2]), let resource = ResourceName(words[4]) else { return }
      let handle = LockHandle(UInt64(handles.count + 1))
      handles[words[1]] = handle
      self.handle(
        .lock(
          LockCall(
            handle: handle, resource: resource, mode: mode, flags: flags(words[3]),
            processID: 700)))
    case "conv":
      guard let handle = handles[words[1]], let mode = mode(words[2]) else { return }
      let value = words.count > 4 ? valueBlock(words[4]) : nil
      self.handle(.convert(handle, mode, flags: flags(words[3]), valueBlock: value))
    case "unlock":
      guard let handle = handles[words[1]] else { return }
      let flags = flags(words[2])
      self.handle(
        flags.contains(.cancel) ? .cancel(handle) : .unlock(handle, flags: flags, valueBlock: nil))
    case "purge":
      guard let processID = UInt32(words[2]) else { return }
      self.handle(.purge(peer, processID: processID))
    default: break
    }
  }

  private func mode(_ word: String) -> LockMode? { Int8(word).flatMap(LockMode.init(rawValue:)) }

  private func flags(_ word: String) -> LockFlags {
    let number =
      word.hasPrefix("0x") ? UInt32(word.dropFirst(2), radix: 16) : UInt32(word)
    return LockFlags(rawValue: number ?? 0)
  }

  private func valueBlock(_ text: String) -> [UInt8] {
    Array(text.utf8) + Array(repeating: 0, count: 32 - text.utf8.count)
  }
}
