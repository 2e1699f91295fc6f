import ClusterTypes
import Testing

@testable import LVMFrontends

/// One node alone: what its clients hear, and what is asked of its devices.
@Suite struct ClusterLockingMachineTests {
  /// A node whose locks are all granted and whose work all succeeds, at once.
  private struct Node {
    var machine = ClusterLockingMachine(
      configuration: .init(
        node: TestCluster.node1, nodeNames: [TestCluster.node1: "SINGLENODE"],
        clusterName: "localcluster", life: 1))
    var work: [ClusterLockingMachine.Work] = []
    var unlocked = 0
    var replies: [[UInt8]] = []
    var failure: String?

    init() {
      handle(.membersChanged([TestCluster.node1]))
      handle(.quorumChanged(true))
      handle(.clientConnected(ClientID(1), processID: 7))
    }

    mutating func handle(_ input: ClusterLockingMachine.Input) {
      for effect in machine.handle(input, at: Timestamp(milliseconds: 1)) {
        switch effect {
        case .reply(_, let bytes): replies.append(bytes)
        case .lock(let token, _, _, _, _), .convert(let token, _): handle(.lockGranted(token))
        case .unlock: unlocked += 1
        case .work(let job, let work):
          self.work.append(work)
          handle(.worked(job, .init(failure: failure, isActive: true, isChanged: true)))
        case .closeClient, .cancel, .send, .persist, .restart, .log: break
        }
      }
    }

    mutating func send(_ command: ClusterLockingRequest.Command) -> ClusterLockingReply? {
      let count = replies.count
      handle(.received(ClientID(1), .init(command, on: .allNodes)))
      return replies.count == count ? nil : ClusterLockingReply(decodingEntries: replies[count])
    }
  }

  private static let volume = String(repeating: "v", count: 64)

  @Test func anActivationTakesTheLockAndASuspendMakesItStronger() {
    var node = Node()
    #expect(node.send(.volume(.init(.activateShared, Self.volume)))?.entries.map(\.status) == [0])
    #expect(node.send(.query(resource: Self.volume))?.entries.map(\.text) == ["CR"])
    _ = node.send(.volume(.init(.suspend, Self.volume)))
    #expect(node.send(.query(resource: Self.volume))?.entries.map(\.text) == ["PW"])
    _ = node.send(.volume(.init(.resume, Self.volume)))
    #expect(node.send(.query(resource: Self.volume))?.entries.map(\.text) == ["CR"])
    #expect(
      node.send(.volume(.init(.activateExclusive, Self.volume)))?.entries.map(\.status) == [16])
  }

  @Test func whatADyingClientLeavesSuspendedIsResumedBeforeItsLocksAreReleased() {
    var node = Node()
    _ = node.send(.lock(.init(.protectedWrite, "V_vg0")))
    _ = node.send(.volume(.init(.activateShared, Self.volume)))
    _ = node.send(.volume(.init(.suspend, Self.volume)))
    node.work = []
    node.handle(.clientClosed(ClientID(1)))
    #expect(node.work == [.resume(.init(.resume, Self.volume))])
    #expect(node.unlocked == 1)
    #expect(node.machine.suspendedVolumes.isEmpty)
  }

  @Test func anActivationThatFailsLeavesNoLock() {
    var node = Node()
    node.failure = "no such device"
    let reply = node.send(.volume(.init(.activateExclusive, Self.volume)))
    #expect(reply?.entries.map(\.status) == [5])
    #expect(node.machine.heldVolumes.isEmpty)
  }

  @Test func withoutQuorumNothingIsLocked() {
    var node = Node()
    node.handle(.quorumChanged(false))
    _ = node.send(.lock(.init(.protectedWrite, "V_vg0")))
    #expect(node.replies.last?[8] == UInt8(ClusterLockingStatus.wouldBlock.rawValue))
  }
}

extension ClusterLockingReply {
  /// The entries of an encoded reply.
  init(decodingEntries bytes: [UInt8]) {
    var entries: [Entry] = []
    var rest = bytes.dropFirst(17)
    while let end = rest.firstIndex(of: 0), end > rest.startIndex, rest.endIndex >= end + 6 {
      let node = String(decoding: rest[rest.startIndex..<end], as: UTF8.self)
      let status = Int32(rest[end + 1])
      let text = rest[(end + 5)...].prefix { $0 != 0 }
      entries.append(.init(node: node, status: status, text: String(decoding: text, as: UTF8.self)))
      rest = rest[(text.endIndex + 1)...]
    }
    self.init(entries)
  }
}
