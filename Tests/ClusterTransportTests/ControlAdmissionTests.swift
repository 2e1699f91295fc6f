import ByteCoding
import ClusterTypes
import Testing

@testable import ClusterTransport

/// Who is admitted, and what an introduction may look like.
struct ControlAdmissionTests {
  private func refusal(
    of hello: Hello, at number: Int32? = nil, isDialed: Bool = false, current: UInt64? = nil
  ) throws -> ControlRefusal? {
    let local = try makeHello(2, versions: ControlVersionRange(oldest: 2, newest: 4))
    let configured = try #require(NodeID(number ?? hello.node.rawValue))
    do throws(ControlRefusal) {
      try ControlAdmission(local: local).check(
        hello, at: configured, isDialed: isDialed, isConfigured: { $0.rawValue <= 3 },
        current: current.map(Incarnation.init))
      return nil
    } catch {
      return error
    }
  }

  private let versions = ControlVersionRange(oldest: 1, newest: 2)

  @Test func greaterNodeConnectsToTheSmallerOne() throws {
    #expect(try refusal(of: makeHello(3, versions: versions)) == nil)
    #expect(try refusal(of: makeHello(1, versions: versions), isDialed: true) == nil)
    let one = try makeHello(1, versions: versions)
    #expect(try refusal(of: one) == .wrongDirection(one.node))
  }

  @Test func wrongClusterVersionNodeAndAddressAreNamed() throws {
    let three = try makeHello(3, versions: versions)
    #expect(
      try refusal(of: makeHello(3, cluster: "other", versions: versions))
        == .wrongCluster(theirs: "other", ours: "test"))
    let newer = ControlVersionRange(oldest: 5, newest: 6)
    #expect(
      try refusal(of: makeHello(3, versions: newer))
        == .incompatibleVersion(
          theirs: newer, ours: ControlVersionRange(oldest: 2, newest: 4)))
    let four = try makeHello(4, versions: versions)
    #expect(try refusal(of: four) == .unknownNode(four.node))
    let one = try #require(NodeID(1))
    #expect(
      try refusal(of: three, at: 1) == .addressOfAnotherNode(claimed: three.node, configured: one))
  }

  @Test func earlierLifeDoesNotReplaceALaterOne() throws {
    let three = try makeHello(3, incarnation: 7, versions: versions)
    #expect(try refusal(of: three, current: 8) == .olderIncarnation(three.node))
    #expect(try refusal(of: three, current: 7) == nil)
    #expect(try refusal(of: three, current: 6) == nil)
  }

  @Test func helloSurvivesTheWire() throws {
    let hello = try makeHello(3, incarnation: .max)
    #expect(try Hello(decoding: hello.encoded()[...]) == hello)
    #expect(try Hello(decoding: (hello.encoded() + [9, 9])[...]) == hello)
    for length in 0..<hello.encoded().count {
      #expect(throws: ByteDecodingError.self) {
        try Hello(decoding: hello.encoded().prefix(length))
      }
    }
  }

  @Test func longestHelloFitsTheStrangersLimit() throws {
    let hello = Hello(
      versions: versions, clusterName: String(repeating: "c", count: 64),
      node: try #require(NodeID(1)), incarnation: Incarnation(1),
      bootID: String(repeating: "b", count: 64), payload: Array(repeating: 0, count: 4096))
    #expect(hello.encoded().count == Hello.maximumEncodedLength)
  }
}
