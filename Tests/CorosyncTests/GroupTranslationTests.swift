import ClusterMembership
import ClusterTypes
import Testing

@testable import Corosync

/// What corosync says in several words becomes one configuration.
@Suite struct GroupTranslationTests {
  private let ring = GroupRing(representative: 1, sequence: 8)

  private func process(_ node: Int32, _ pid: UInt32) throws -> GroupProcess {
    GroupProcess(node: try #require(NodeID(node)), pid: pid)
  }

  private func configuration(_ event: GroupEvent?) -> ([GroupProcess], GroupRing)? {
    guard case .configuration(let processes, let ring) = event else { return nil }
    return (processes, ring)
  }

  @Test func `members and ring make a configuration, and each change of one another`() throws {
    let one = try process(1, 10)
    var translation = GroupTranslation(process: one)
    #expect(try translation.event(of: .members([.init(node: 1, pid: 10)])) == nil)
    let first = try #require(configuration(try translation.event(of: .ring(ring))))
    #expect(first.0 == [one] && first.1 == ring)
    let members: [CorosyncNotice.Process] = [.init(node: 1, pid: 10), .init(node: 2, pid: 20)]
    let second = try #require(configuration(try translation.event(of: .members(members))))
    #expect(second.0 == [one, try process(2, 20)] && second.1 == ring)
  }

  @Test func `a group without this process is that of another PID namespace`() throws {
    var translation = GroupTranslation(process: try process(1, 10))
    #expect(throws: CorosyncError.notInGroup(pid: 10)) {
      try translation.event(of: .members([.init(node: 1, pid: 4711)]))
    }
  }

  @Test func `after leaving, this process may be missing`() throws {
    var translation = GroupTranslation(process: try process(1, 10))
    _ = try translation.event(of: .members([.init(node: 1, pid: 10), .init(node: 2, pid: 20)]))
    _ = try translation.event(of: .ring(ring))
    let rest = configuration(try translation.event(of: .members([.init(node: 2, pid: 20)])))
    #expect(rest?.0 == [try process(2, 20)])
  }

  @Test func `a node id that clvmd cannot have is refused`() throws {
    var translation = GroupTranslation(process: try process(1, 10))
    #expect(throws: CorosyncError.nodeOutOfRange(0x8000_0001)) {
      try translation.event(of: .message([1], .init(node: 0x8000_0001, pid: 1)))
    }
  }

  @Test func `errors say what to do`() {
    let other = CorosyncError.otherNodes(onlyInCorosync: [4], onlyConfigured: [3])
    #expect(other.description.contains("only corosync.conf has node 4"))
    #expect(other.description.contains("only clvmd.conf has node 3"))
    #expect(
      CorosyncError.notRunning(service: "cpg", code: 2).description.contains("corosync.service"))
  }
}
