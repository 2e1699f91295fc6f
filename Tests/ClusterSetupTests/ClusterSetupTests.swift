import ClusterCredentials
import ClusterDaemon
import ClusterTypes
import Foundation
import NIOPosix
import Testing

@testable import ClusterSetup

/// From nothing to two nodes that believe each other, in files of one folder.
struct ClusterSetupTests {
  private let folder = FileManager.default.temporaryDirectory.path + "/setup-\(UUID().uuidString)"

  init() throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  private func path(_ name: String) -> String { "\(folder)/\(name)" }
  private func keys(_ name: String) -> KeyDirectory { KeyDirectory(path: path(name)) }

  private func initialize() throws -> ClusterInitialization.Result {
    let nodes = try ["a=192.0.2.1,198.51.100.1", "7:b=192.0.2.2"].map {
      try #require(NamedNode($0))
    }
    return try ClusterInitialization(
      configurationPath: path("a.conf"), keyDirectory: keys("a")
    ).run(.init(name: "lab", nodes: nodes, localNode: "a", allowsExternal: true))
  }

  private func configuration(_ name: String) throws -> DaemonConfiguration {
    try #require(try ConfigurationText(path: path(name))).configuration()
  }

  @Test func nodesAreNamedOnTheCommandLine() throws {
    #expect(NamedNode("a=192.0.2.1") == NamedNode(name: "a", addresses: ["192.0.2.1"]))
    #expect(
      NamedNode("3:a=2001:db8::1,2001:db8::2")
        == NamedNode(name: "a", id: NodeID(3), addresses: ["2001:db8::1", "2001:db8::2"]))
    for wrong in ["", "a", "=192.0.2.1", "0:a=1", "x:a=1", "a=", "a=1,", "a=1,2,3", ":a=1"] {
      #expect(NamedNode(wrong) == nil, "\(wrong)")
    }
    let ids = ["2:a=1", "b=2", "c=3", "1:d=4"].compactMap { NamedNode($0) }.numbered().map(\.id)
    #expect(ids == [2, 3, 4, 1].map { NodeID($0) })
  }

  @Test func initMakesAConfigurationThatCanBeUsedAndKeysThatFit() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let result = try initialize()
    let cluster = try configuration("a.conf").cluster
    #expect(cluster.id == result.cluster)
    #expect(cluster.nodes.map(\.id) == [1, 7].map { NodeID($0) })
    #expect(cluster.localNode.name == "a")
    #expect(try keys("a").credential().identity.node == cluster.localNode.id)
    #expect(try keys("a").authority().certificate.fingerprint == result.authority)
    #expect(throws: SetupError.self) { try initialize() }
  }

  @Test func initGivesKeysToAnExistingClusterAndKeepsComments() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let text = """
      # ours
      cluster {
        name = "lab"   # as on the disks
        node_id = 1
        nodes { a { id = 1 address = "192.0.2.1" } b { id = 2 address = "192.0.2.2" } }
      }
      membership { allow_external = 1 }
      """
    try text.write(toFile: path("a.conf"), atomically: true, encoding: .utf8)
    let result = try ClusterInitialization(
      configurationPath: path("a.conf"), keyDirectory: keys("a")
    ).run(nil)
    #expect(try configuration("a.conf").cluster.id == result.cluster)
    let changed = try String(contentsOfFile: path("a.conf"), encoding: .utf8)
    #expect(changed.hasPrefix("# ours\ncluster {\n\tid = \"\(result.cluster)\"\n"))
    #expect(changed.contains("# as on the disks"))
  }

  @Test func initChangesNothingWhenTheNodesCannotBeUsed() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let nodes = try ["a=192.0.2.1", "b=192.0.2.1"].map { try #require(NamedNode($0)) }
    let error = #expect(throws: SetupError.self) {
      try ClusterInitialization(configurationPath: path("a.conf"), keyDirectory: keys("a"))
        .run(.init(name: "lab", nodes: nodes, localNode: "a", allowsExternal: true))
    }
    #expect(error?.description.contains("already an address of node") == true)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
  }

  @Test func keysOfAllNodesCanBeLeftForOtherWays() async throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let nodes = try ["a=192.0.2.1", "b=192.0.2.2"].map { try #require(NamedNode($0)) }
    _ = try ClusterInitialization(configurationPath: path("a.conf"), keyDirectory: keys("a"))
      .run(
        .init(name: "lab", nodes: nodes, localNode: "a", allowsExternal: true),
        exportDirectory: path("export"))
    let exported = try keys("export/b").credential()
    try keys("a").trustedKeys().check(exported.certificate)
    #expect(try configuration("export/b/clvmd.conf").cluster.localNode.name == "b")
    #expect(exported.identity.node == NodeID(2))
  }

  @Test(.timeLimit(.minutes(5)))
  func nodeJoinsWithATokenAndGetsANewKeyWithAnother() async throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let text = """
      cluster {
        name = "lab"
        node_id = 1
        key_directory = "\(path("a"))"
        nodes { a { id = 1 address = "127.0.0.1" } }
      }
      membership { allow_external = 1 }
      """
    try text.write(toFile: path("a.conf"), atomically: true, encoding: .utf8)
    _ = try ClusterInitialization(
      configurationPath: path("a.conf"), keyDirectory: keys("a")
    ).run(nil)
    // A check refuses loopback addresses of several nodes, which a test on one machine needs.
    let group = MultiThreadedEventLoopGroup.singleton
    let configuration = try #require(try ConfigurationText(path: path("a.conf")))
    let invitation = try JoinInvitation(
      joining: try #require(NodeID(1)), name: "a", port: 0, text: configuration)
    var fingerprints: Set<KeyFingerprint> = []
    for round in 0..<2 {
      let (listening, tokens) = AsyncStream.makeStream(of: String.self)
      async let joined = onItsOwnThread {
        try invitation.wait(lifetime: .seconds(60), on: group) { tokens.yield($0) }
      }
      var iterator = listening.makeAsyncIterator()
      let token = try #require(await iterator.next())
      let joining = try ClusterJoining(
        token: token, configurationPath: path("b.conf"), keyDirectory: keys("b"))
      if round == 1 {
        #expect(throws: SetupError.self) { try joining.run(replaces: false, on: group) }
      }
      let result = try await onItsOwnThread { try joining.run(replaces: round == 1, on: group) }
      #expect(try await joined == result.fingerprint)
      fingerprints.insert(result.fingerprint)
      #expect(try keys("b").credential().certificate.fingerprint == result.fingerprint)
      try keys("a").trustedKeys().check(keys("b").credential().certificate)
      #expect(throws: CredentialError.self) { try keys("b").authority() }
      #expect(try self.configuration("b.conf").cluster.keyDirectory == path("b"))
    }
    #expect(fingerprints.count == 2)
  }

  /// Commands wait for the network as a process of their own may, and a task may not.
  private func onItsOwnThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
  }
}
