import ByteCoding
import ClusterMembership
import ClusterTypes
import Testing

@testable import LockspaceGroups

/// What the replicated state and its reports do with one message or view after another.
@Suite struct GroupStateTests {
  private let one = NodeInstance(NodeID(1)!, Incarnation(1))
  private let two = NodeInstance(NodeID(2)!, Incarnation(2))
  private let name = LockspaceName("alpha")!

  private func member(
    _ instance: NodeInstance, boot: String? = nil, startedClean: Bool = true
  ) -> Member {
    Member(
      instance: instance, bootID: boot ?? "boot-\(instance.node)", startedClean: startedClean)
  }

  /// Node `local` in a view with nodes 1 and 2.
  private func groups(at local: NodeInstance) -> LockspaceGroups {
    var groups = LockspaceGroups(local: local)
    var effects: [GroupEffect] = []
    groups.handle(
      .installed(View(id: 1, members: [member(one), member(two)])), effects: &effects)
    return groups
  }

  private func deliver(
    _ message: GroupMessage, from sender: NodeInstance, to groups: inout LockspaceGroups
  ) -> [GroupEffect] {
    var effects: [GroupEffect] = []
    groups.handle(.deliver(message.encoded, from: sender), effects: &effects)
    return effects
  }

  @Test func joinOfAnotherKindIsRefusedOnlyToTheNodeThatAsked() {
    for local in [one, two] {
      var groups = groups(at: local)
      _ = deliver(.join(name, .kernel), from: one, to: &groups)
      let effects = deliver(.join(name, .inHouse), from: two, to: &groups)
      let refusals = effects.filter {
        if case .joinRefused(name, .inHouse, _) = $0 { true } else { false }
      }
      #expect(refusals.count == (local == two ? 1 : 0))
      #expect(groups.lockspace(name)?.members == [one])
    }
  }

  @Test func joinBeyondTheLimitIsRefused() throws {
    var groups = groups(at: one)
    for number in 0..<GroupState.lockspaceLimit {
      let name = try #require(LockspaceName("ls\(number)"))
      let effects = deliver(.join(name, .inHouse), from: one, to: &groups)
      #expect(effects.count == 1, "stop, and no refusal")
    }
    let effects = deliver(.join(name, .inHouse), from: one, to: &groups)
    guard case .joinRefused(name, .inHouse, let reason) = effects.first else {
      return #expect(Bool(false), "\(effects)")
    }
    #expect(reason.contains("1024"))
  }

  @Test func joinOfAMemberIsNoRefusalAndLeaveOfAnotherKindIsIgnored() {
    var groups = groups(at: one)
    _ = deliver(.join(name, .kernel), from: one, to: &groups)
    #expect(deliver(.join(name, .kernel), from: one, to: &groups) == [])
    #expect(deliver(.leave(name, .inHouse), from: one, to: &groups) == [])
    #expect(groups.lockspace(name)?.members == [one])
    _ = deliver(.leave(name, .kernel), from: one, to: &groups)
    #expect(groups.lockspace(name)?.leaving == [one])
  }

  @Test func cleanStartOnTheSameBootIsNoProofButAnotherBootIsAndSoIsItsWord() {
    let later = NodeInstance(two.node, Incarnation(3))
    for boot in ["boot-2", "another"] {
      var groups = groups(at: one)
      _ = deliver(.join(name, .kernel), from: two, to: &groups)
      var effects: [GroupEffect] = []
      groups.handle(.installed(View(id: 2, members: [member(one)])), effects: &effects)
      #expect(groups.unfencedNodes.map(\.instance) == [two])
      let view = View(id: 3, members: [member(one), member(later, boot: boot)])
      groups.handle(.installed(view), effects: &effects)
      #expect(groups.unfencedNodes.isEmpty == (boot == "another"))
      _ = deliver(.fenced(two, evidence: "restarted daemon"), from: later, to: &groups)
      #expect(groups.unfencedNodes.isEmpty)
    }
  }

  @Test func numbersFromWhichCountingOnWouldOverflowAreRefused() {
    var state = ByteWriter()
    state.write(UInt64(1))
    state.writeList([NodeInstance]()) { $0.write($1) }
    state.write(UInt64.max)
    state.writeList([NodeInstance]()) { $0.write($1) }
    state.writeList([NodeInstance]()) { $0.write($1) }
    let bytes = state.bytes
    #expect(throws: ByteDecodingError.self) { try GroupState(snapshot: bytes) }
    let message = GroupMessage.running(name, generation: .max).encoded
    #expect(throws: ByteDecodingError.self) { try GroupMessage(decoding: message) }
  }
}
