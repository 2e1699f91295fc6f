import ByteCoding
import ClusterSimulation
import ClusterTypes
import Testing

@testable import LVMFrontends

/// Requests and replies, byte for byte as the real programs wrote them.
@Suite struct ClusterLockingCodingTests {
  @Test func theRecordingsAreThere() { #expect(ClusterLockingRecording.names.count == 138) }

  @Test(arguments: ClusterLockingRecording.names)
  func repliesEncodeAsRecorded(name: String) throws {
    for line in try ClusterLockingRecording(name).lines where line.dir == "d2c" {
      guard let nodes = line.nodes, line.bytes.count >= 18 else { continue }
      var reply = ClusterLockingReply(
        nodes.map { .init(node: $0.node, status: $0.status, text: $0.text) })
      reply.status = try #require(ClusterLockingStatus(rawValue: line.status ?? 0))
      #expect(reply.encoded == line.bytes)
    }
  }

  /// However a request is cut into pieces.
  @Test(arguments: ClusterLockingRecording.names.filter { !$0.hasPrefix("raw-") })
  func requestsDecode(name: String) throws {
    for line in try ClusterLockingRecording(name).lines where line.dir == "c2d" {
      var whole = ClusterLockingRequestBuffer()
      let request = try #require(try whole.append(line.bytes))
      #expect(!whole.isIncomplete)
      #expect(commandName(request.command) == line.cmd)
      if let lock = line.name, let found = argument(of: request.command) { #expect(found == lock) }
      var pieces = ClusterLockingRequestBuffer()
      var assembled: ClusterLockingRequest?
      for byte in line.bytes {
        if let request = try pieces.append([byte]) { assembled = request }
      }
      #expect(assembled == request)
    }
  }

  private func commandName(_ command: ClusterLockingRequest.Command) -> String {
    switch command {
    case .test: "TEST"
    case .refresh: "REFRESH"
    case .clusterName: "GET_CLUSTERNAME"
    case .setDebugLevel: "SET_DEBUG"
    case .backUp: "VG_BACKUP"
    case .restart: "RESTART"
    case .syncNames: "SYNC_NAMES"
    case .volume: "LOCK_LV"
    case .lock, .cache: "LOCK_VG"
    case .query: "LOCK_QUERY"
    }
  }

  private func argument(of command: ClusterLockingRequest.Command) -> String? {
    switch command {
    case .backUp(let group): group
    case .volume(let operation): operation.volume
    case .lock(let operation): operation.resource
    case .cache(let action): "P_" + action.volumeGroup
    case .query(let resource): resource
    case .test, .refresh, .clusterName, .setDebugLevel, .restart, .syncNames: nil
    }
  }

  @Test func cacheActionsAreToldApart() throws {
    func command(_ word: UInt8) throws -> ClusterLockingRequest.Command? {
      var buffer = ClusterLockingRequestBuffer()
      return try buffer.append(
        [51, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, word, 4] + Array("P_v".utf8) + [0])?
        .command
    }
    #expect(try command(0x04) == .cache(.init(.drop, "v")))
    #expect(try command(0x14) == .cache(.init(.drop, "v")))
    #expect(try command(0x24) == .cache(.init(.commit, "v")))
    #expect(try command(0x21) == .cache(.init(.revert, "v")))
    #expect(try command(0x10) == .cache(.init(.drop, "v")))
  }

  /// `clvmd -d` sends a byte too many, which is no request.
  @Test func surplusIsThrownAway() throws {
    var buffer = ClusterLockingRequestBuffer()
    let request = try buffer.append([42, 1] + [UInt8](repeating: 0, count: 15) + [2, 0xAA])
    #expect(request == ClusterLockingRequest(.setDebugLevel(2), on: .thisNode))
    #expect(!buffer.isIncomplete)
  }

  @Test func hostileHeadersAreErrors() {
    func error(_ bytes: [UInt8]) -> ClusterLockingRequestError? {
      var buffer = ClusterLockingRequestBuffer()
      do throws(ClusterLockingRequestError) {
        _ = try buffer.append(bytes)
        return nil
      } catch {
        return error
      }
    }
    let zeros = [UInt8](repeating: 0, count: 16)
    #expect(error([99] + zeros + [0]) == .malformed("there is no command 99"))
    #expect(error([40, 0x10] + zeros) == .malformed("unknown flags 16"))
    let long: [UInt8] = [51, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x70, 0x11, 1, 0, 0, 1]
    #expect(error(long) == .malformed("70000 bytes of arguments"))
    let missing: [UInt8] = [51, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x28, 0x23, 0, 0, 0, 1]
    #expect(error(missing) == .tooLarge)
    let endless = [40] + zeros.dropLast() + [UInt8](repeating: 65, count: 300)
    #expect(error(Array(endless)) == .malformed("the name of a node has no end"))
    #expect(error([51, 1] + zeros.dropLast(2) + [0, 9]) == .refused(.invalid))
  }

  @Test func messagesSurviveTheWire() throws {
    let id = ClusterLockingJobID(origin: TestCluster.node1, life: 7, number: 9)
    let commands: [ClusterLockingNodeCommand] = [
      .test("x"), .refresh, .setDebugLevel(2), .backUp(volumeGroup: "vg"),
      .volume(.init(.suspend, "abc", isClustered: false, options: [.originOnly, .monitor])),
      .cache(.init(.revert, "vg")), .query(resource: "abc"),
    ]
    let messages =
      commands.map { ClusterLockingMessage.execute(id, $0) } + [
        .result(id, .init(status: 5, text: "no", hasActivated: true)), .cancel(id),
      ]
    for message in messages {
      #expect(try ClusterLockingMessage(decoding: message.encoded[...]) == message)
      for count in 0..<message.encoded.count {
        #expect(throws: ByteDecodingError.self) {
          try ClusterLockingMessage(decoding: message.encoded[..<count])
        }
      }
    }
  }

  @Test func randomBytesNeverTrap() {
    var random = SeededGenerator(seed: 202)
    for _ in 0..<20_000 {
      var buffer = ClusterLockingRequestBuffer()
      var bytes = (0..<Int.random(in: 0..<60, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      if bytes.count > 16, Bool.random(using: &random) {
        bytes[0] = [4, 40, 43, 50, 51, 52].randomElement(using: &random) ?? 40
        bytes[1] = 0
        bytes[13...15] = [0, 0, 0]
        bytes[16] = 0
      }
      _ = try? buffer.append(bytes)
      _ = try? ClusterLockingMessage(decoding: bytes[...])
    }
  }
}
