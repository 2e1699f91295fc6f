import ClusterTypes
import Glibc
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import LVMFrontends

/// LVM 2.02's requests on a real unix socket, before a machine whose locks are all granted.
@Suite struct ClusterLockingServerTests {
  /// Grants every lock but those of `V_taken`, which wait for ever; all work succeeds.
  private final class Grants: ClusterLockingCluster {
    var frontend: ClusterLockingFrontend?
    var work: [ClusterLockingMachine.Work] = []
    private(set) var waiting: Set<LockToken> = []

    func carryOut(_ effect: ClusterLockingMachine.Effect) {
      switch effect {
      case .lock(let token, "V_taken", _, _, _): waiting.insert(token)
      case .lock(let token, _, _, _, _), .convert(let token, _):
        frontend?.handle(.lockGranted(token))
      case .cancel(let token):
        if waiting.remove(token) != nil { frontend?.handle(.lockRefused(token, .cancelled)) }
      case .work(let job, let work):
        self.work.append(work)
        frontend?.handle(.worked(job, .init(isActive: true, isChanged: true)))
      default: break
      }
    }

    func stepped() {}
  }

  private struct Running {
    let cluster: NIOLoopBound<Grants>
    let loop: any EventLoop

    func stop() async throws {
      try await loop.flatSubmit { [cluster, loop] in
        cluster.value.frontend?.stop() ?? loop.makeSucceededVoidFuture()
      }.get()
    }

    func waitingCount() async throws -> Int {
      try await loop.submit { [cluster] in cluster.value.waiting.count }.get()
    }

    func clientCount() async throws -> Int {
      try await loop.submit { [cluster] in cluster.value.frontend?.machine.clients.count ?? 0 }
        .get()
    }
  }

  private func withServer(_ body: (String, Running) async throws -> Void) async throws {
    let folder = TemporaryFolder()
    let path = "\(folder.path)/clvmd.sock"
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let running = try await loop.flatSubmit {
      let cluster = Grants()
      let frontend = ClusterLockingFrontend(
        eventLoop: loop,
        machine: .init(
          node: TestCluster.node1, nodeNames: [TestCluster.node1: "SINGLENODE"],
          clusterName: "localcluster", life: 1),
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        clock: { Timestamp(milliseconds: 1) }, cluster: cluster)
      cluster.frontend = frontend
      frontend.handle(.membersChanged([TestCluster.node1]))
      frontend.handle(.quorumChanged(true))
      let running = Running(cluster: NIOLoopBound(cluster, eventLoop: loop), loop: loop)
      return frontend.start(
        .init(socketPath: path, pidFilePath: "\(folder.path)/clvmd.pid", clientCountMax: 1_200)
      ).map { running }
    }.get()
    do {
      try await body(path, running)
      try await running.stop()
    } catch {
      try await running.stop()
      throw error
    }
  }

  /// `LOCK_VG V_vg0`, as lvextend sends it.
  private static let lock = hex("33010000000000000000000007000000000404565f76673000")
  private static let unlock = hex("33010000000000000000000007000000000604565f76673000")
  private static let granted = hex(
    "010000000000000000000000100000000053494e474c454e4f444500000000000000")

  private static func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  @Test func aRequestInOnePieceIsAnsweredAsTheOriginalDoes() async throws {
    try await withServer { path, _ in
      let client = try #require(RawSocketClient(path: path))
      client.send(Self.lock)
      #expect(client.receive(34) == Self.granted)
    }
  }

  @Test func aRequestByteByByteIsAnsweredOnceItIsWhole() async throws {
    try await withServer { path, _ in
      let client = try #require(RawSocketClient(path: path))
      for byte in Self.lock { client.send([byte]) }
      #expect(client.receive(34) == Self.granted)
      client.send(Self.unlock)
      #expect(client.receive(34) == Self.granted, "the name kept all its bytes")
    }
  }

  @Test func whatFollowsARequestInOneWriteIsThrownAway() async throws {
    try await withServer { path, _ in
      let client = try #require(RawSocketClient(path: path))
      client.send(Self.lock + Self.unlock)
      #expect(client.receive(34) == Self.granted)
      client.send(Self.unlock)
      #expect(client.receive(34) == Self.granted, "the lock was still held")
    }
  }

  @Test func aSecondRequestWhileOneWaitsIsBusy() async throws {
    try await withServer { path, running in
      let client = try #require(RawSocketClient(path: path))
      client.send(
        Self.hex("3301000000000000000000000900000000") + [0x04, 0x04] + "V_taken".utf8 + [0])
      try await Self.eventually { try await running.waitingCount() == 1 }
      client.send(Self.unlock)
      let busy = client.receive(18)
      #expect(busy[8] == 16)
      client.close()
      let other = try #require(RawSocketClient(path: path))
      other.send(Self.lock)
      #expect(other.receive(34) == Self.granted)
    }
  }

  @Test(arguments: [
    [UInt8](repeating: 0x63, count: 25), Array("GET / HTTP/1.1\r\n\r\nxxxxxxx".utf8),
  ])
  func whatIsNoRequestEndsTheConnectionWithoutAWord(bytes: [UInt8]) async throws {
    try await withServer { path, _ in
      let client = try #require(RawSocketClient(path: path))
      client.send(bytes)
      #expect(client.receive(1).isEmpty)
    }
  }

  @Test func aRequestThatIsTooLargeIsRefusedAndDisconnected() async throws {
    try await withServer { path, _ in
      let client = try #require(RawSocketClient(path: path))
      client.send(Self.hex("33000000000000000000000028230000000404") + [UInt8(ascii: "P")])
      #expect(client.receive(100) == Self.hex("010000000000000016000000000000000000"))
    }
  }

  @Test func aThousandClientsAtOnceAreServed() async throws {
    try await withServer { path, running in
      let clients = (0..<1_000).compactMap { _ in RawSocketClient(path: path) }
      try #require(clients.count == 1_000)
      for client in clients { client.send(Self.lock) }
      #expect(clients.allSatisfy { $0.receive(34) == Self.granted })
      for client in clients { client.close() }
      try await Self.eventually { try await running.clientCount() == 0 }
    }
  }

  @Test func clientsThatGoAwayInTheMiddleLeaveNothing() async throws {
    try await withServer { path, running in
      for count in 1..<Self.lock.count {
        let client = try #require(RawSocketClient(path: path))
        client.send(Array(Self.lock[..<count]))
        client.close()
      }
      try await Self.eventually { try await running.clientCount() == 0 }
    }
  }

  @Test func aClientThatNeverReadsIsNotReadFromAnyMore() async throws {
    try await withServer { path, _ in
      let deaf = try #require(RawSocketClient(path: path))
      deaf.fill(with: Self.lock)
      let other = try #require(RawSocketClient(path: path))
      other.send(Self.lock)
      #expect(other.receive(34) == Self.granted)
    }
  }

  private static func eventually(_ condition: () async throws -> Bool) async throws {
    for _ in 0..<1_000 where try await !condition() { try await Task.sleep(for: .milliseconds(10)) }
    #expect(try await condition())
  }
}

/// A blocking client that sends and gets plain bytes.
private final class RawSocketClient {
  private var descriptor: Int32

  init?(path: String) {
    guard let address = UnixSocketAddress(path: path) else { return nil }
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    // No test waits longer for what does not come.
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    guard descriptor >= 0, address.withPointer({ connect(descriptor, $0, $1) }) == 0 else {
      return nil
    }
  }

  deinit { close() }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  func send(_ bytes: [UInt8]) {
    _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  /// Sends as much as the other side takes.
  func fill(with bytes: [UInt8]) {
    var silentRounds = 0
    while silentRounds < 20 {
      let count = Glibc.send(
        descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      if count < 0 {
        silentRounds += 1
        usleep(10_000)
      } else {
        silentRounds = 0
      }
    }
  }

  /// So many bytes, or fewer when the connection ends before.
  func receive(_ count: Int) -> [UInt8] {
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: count)
    while received.count < count {
      let got = recv(descriptor, &buffer, count - received.count, 0)
      guard got > 0 else { break }
      received += buffer[..<got]
    }
    return received
  }
}
