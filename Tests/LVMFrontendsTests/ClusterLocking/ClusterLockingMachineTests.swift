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
      return replies.count == count ? nil : try? ClusterLockingReply(decoding: replies[count])
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

  @Test func whatIsBeingTakenUpIsSuspendedAndResumed() {
    var machine = ClusterLockingMachine(
      configuration: .init(
        node: TestCluster.node1, nodeNames: [:], clusterName: "c", life: 1))
    let now = Timestamp(milliseconds: 1)
    _ = machine.handle(.membersChanged([TestCluster.node1, TestCluster.node2]), at: now)
    _ = machine.handle(.quorumChanged(true), at: now)
    _ = machine.handle(.adopt([Self.volume: .exclusive]), at: now)
    // The lock is not granted again yet, and another node has the volume suspended.
    let job = ClusterLockingJobID(origin: TestCluster.node2, life: 1, number: 1)
    let suspend = ClusterLockingRequest.VolumeOperation(.suspend, Self.volume)
    let effects = machine.handle(
      .message(.execute(job, .volume(suspend)), from: TestCluster.node2), at: now)
    #expect(effects == [.work(job, .suspend(suspend))])
  }

  @Test func aSuspendThatPassedANodeByFails() throws {
    var machine = ClusterLockingMachine(
      configuration: .init(
        node: TestCluster.node1,
        nodeNames: [TestCluster.node1: "one", TestCluster.node2: "two"], clusterName: "c", life: 1))
    let now = Timestamp(milliseconds: 1)
    let both = [TestCluster.node1, TestCluster.node2]
    _ = machine.handle(.membersChanged(both), at: now)
    _ = machine.handle(.quorumChanged(true), at: now)
    _ = machine.handle(.clientConnected(ClientID(1), processID: 7), at: now)
    // Of a group that is not clustered, so that no lock is waited for.
    let suspend = ClusterLockingRequest.VolumeOperation(.suspend, Self.volume, isClustered: false)
    var effects = machine.handle(
      .received(ClientID(1), .init(.volume(suspend), on: .allNodes)), at: now)
    for case .work(let job, _) in effects {
      #expect(machine.handle(.worked(job, .init(isActive: true, isChanged: true)), at: now).isEmpty)
    }
    // The other daemon is killed, and its next life is a member at once.
    effects = machine.handle(.membersChanged([TestCluster.node1]), at: now)
    guard case .reply(_, let bytes)? = effects.last else {
      Issue.record("no reply: \(effects)")
      return
    }
    let reply = try ClusterLockingReply(decoding: bytes)
    #expect(reply.entries.first { $0.node == "two" }?.status == 112)
  }

  @Test func withoutQuorumNothingIsLocked() {
    var node = Node()
    node.handle(.quorumChanged(false))
    _ = node.send(.lock(.init(.protectedWrite, "V_vg0")))
    #expect(node.replies.last?[8] == UInt8(ClusterLockingStatus.wouldBlock.rawValue))
  }
}
