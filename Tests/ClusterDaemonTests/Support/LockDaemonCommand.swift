import ClusterDaemon
import ConfigText
import Testing

/// A command of LVM on lvmlockd's socket.
struct LockDaemonCommand {
  private let client: SocketClient

  init(on node: LoopbackNode) async throws {
    client = try await SocketClient.connect(to: node.lockDaemonSocket)
    try await client.send(Array("request = \"hello\"\n\n##\n".utf8))
    let greeting = try ConfigSection(parsing: try #require(try await client.next()))
    try #require(greeting.string("protocol") == "lvmlockd" && greeting.integer("version") == 1)
  }

  /// Spelled as lvm does.
  func send(_ request: String, _ fields: KeyValuePairs<String, String> = [:]) async throws {
    var text = "request=\"\(request)\"\ncmd =\"test\"\npid =1\n"
    for (name, value) in fields { text += "\(name) =\"\(value)\"\n" }
    try await client.send(Array((text + "\n##\n").utf8))
  }

  func result() async throws -> Int64 { try #require(try await reply().integer("op_result")) }

  func reply() async throws -> ConfigSection {
    let reply = try ConfigSection(parsing: try #require(try await client.next()))
    #expect(reply.string("response") == "OK")
    return reply
  }

  func ask(
    _ request: String, _ fields: KeyValuePairs<String, String> = [:]
  ) async throws -> Int64 {
    try await send(request, fields)
    return try await result()
  }

  func isWaiting(after duration: Duration) async throws -> Bool {
    try await client.isSilent(for: duration)
  }

  func close() async throws { try await client.close() }
}
