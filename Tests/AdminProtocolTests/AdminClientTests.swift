import ClusterTypes
import Glibc
import Testing

@testable import AdminProtocol

@Suite struct AdminClientTests {
  /// A listening socket in a fresh directory.
  final class Server {
    let path: String
    private let directory: String
    private let descriptor: Int32

    init() throws {
      var template = Array("/tmp/clvmd-admin-XXXXXX".utf8CString)
      directory = try #require(
        template.withUnsafeMutableBufferPointer { buffer in
          buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        })
      path = directory + "/socket"
      descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
      let bound = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      try #require(bound == 0)
      try #require(listen(descriptor, 1) == 0)
    }

    deinit {
      close(descriptor)
      unlink(path)
      rmdir(directory)
    }

    /// Accepts one connection, reads its request, writes `bytes` and closes.
    func serve(_ bytes: [UInt8]) throws -> AdminRequest {
      let connection = accept(descriptor, nil, nil)
      defer { close(connection) }
      var framing = AdminFraming(limit: AdminFraming.requestLengthMaximum)
      var buffer = [UInt8](repeating: 0, count: 1000)
      while true {
        if let message = try framing.next() {
          try #require(write(connection, bytes, bytes.count) == bytes.count)
          return try AdminRequest(decoding: message)
        }
        let count = read(connection, &buffer, buffer.count)
        try #require(count > 0)
        framing.append(buffer[..<count])
      }
    }
  }

  @Test func repliesComeInOrderAndThenTheEnd() throws {
    let server = try Server()
    var client = try AdminClient(socketPath: server.path)
    try client.send(.status)
    let replies = [AdminReply.progress("one"), .done]
    #expect(try server.serve(replies.flatMap { $0.encode() }) == .status)
    #expect(try client.nextReply() == .progress("one"))
    #expect(try client.nextReply() == .done)
    #expect(try client.nextReply() == nil)
  }

  @Test func nonsenseFromTheDaemonIsAnError() throws {
    let server = try Server()
    var client = try AdminClient(socketPath: server.path)
    try client.send(.nodes)
    _ = try server.serve(Array("]]]\n##\n".utf8))
    do {
      _ = try client.nextReply()
      Issue.record("nonsense was understood")
    } catch {
      guard case .notUnderstood = error else {
        Issue.record("\(error)")
        return
      }
    }
  }

  @Test func missingSocketMeansThatTheDaemonDoesNotRun() {
    do {
      _ = try AdminClient(socketPath: "/tmp/clvmd-no-such-directory/socket")
      Issue.record("connected to nothing")
    } catch {
      #expect(error == .notRunning("/tmp/clvmd-no-such-directory/socket"))
    }
  }

  @Test func pathThatDoesNotFitIsRefused() {
    let path = "/" + String(repeating: "x", count: 200)
    do {
      _ = try AdminClient(socketPath: path)
      Issue.record("connected to nothing")
    } catch {
      #expect(error == .unusablePath(path))
    }
  }
}
