import ClusterTypes
import ConfigText
import LVMMetadata
import Testing

@testable import AdminProtocol

@Suite struct AdminMessageTests {
  static func node(_ number: Int32) throws -> NodeID { try #require(NodeID(number)) }

  static func everyRequest() throws -> [AdminRequest] {
    let lockspace = try #require(LockspaceName("lvm_vg0"))
    return [
      .status, .nodes, .lockspaces, .locks(lockspace: nil, onlyWaiting: true),
      .locks(lockspace: lockspace, onlyWaiting: false),
      .posixLocks(lockspace: nil, onlyWaiting: false),
      .posixLocks(lockspace: lockspace, onlyWaiting: true),
      .lock(
        LockRequest(
          lockspace: lockspace, resource: "a \"quoted\" name", mode: .protectedRead,
          isNonBlocking: true, timeoutMilliseconds: .max)),
      .lock(LockRequest(lockspace: lockspace, resource: "r", mode: .exclusive)),
      .nodeFenced(try node(3)), .nodeFenced(try node(3), by: "pacemaker"),
      .resize(
        ResizeRequest(
          command: .reduce, volumeGroup: "vg0", logicalVolume: "home",
          size: SizeArgument(sign: .decrease, amount: .percentage(20, of: .logicalVolume)))),
      .resize(
        ResizeRequest(
          command: .extend, volumeGroup: "vg0", logicalVolume: "home",
          size: SizeArgument(sign: .increase, amount: .sectors(8192)),
          physicalVolumes: ["/dev/sda:0-9", "@fast"], devices: ["/dev/sda"], allocation: "cling",
          stripes: 2, stripeSizeSectors: 128, isTest: true)),
      .activation(
        VolumeActivationRequest(command: "vgchange", action: .activate, volumeGroup: "vg")),
      .activation(
        VolumeActivationRequest(
          command: "lvchange", action: .activateExclusively, volumeGroup: "vg",
          logicalVolumes: ["a", "b"], nodes: .named(["n1", "2"]), isAutomatic: true,
          ignoresActivationSkip: true)),
      .activation(
        VolumeActivationRequest(
          command: "lvchange", action: .refresh, volumeGroup: "vg", nodes: .all)),
      .volumeCommand(
        VolumeCommandRequest(command: "lvcreate", words: ["-n", "a \"b\"", "-l", "1", "vg"])),
      .mappedDevices, .keys(.states), .keys(.adopt(list: ["number 1", "-----BEGIN"])),
      .keys(.renew(try node(2))), .keys(.install(try node(2), certificate: ["-----BEGIN"])),
      .changeConfiguration(
        .add(NewNode(name: "d", id: nil, addresses: ["192.0.2.4"], isWitness: true))),
      .changeConfiguration(
        .add(NewNode(name: "d", id: try node(4), addresses: ["192.0.2.4", "192.0.2.5"]))),
      .changeConfiguration(.remove(try node(4))), .changeConfiguration(.apply),
    ]
  }

  static func everyReply() throws -> [AdminReply] {
    let activated = VolumeActivationOutcome(
      volumeGroup: "vg", action: .deactivate, logicalVolumes: ["a", "b"],
      nodes: [try node(1), try node(2)], warnings: ["one", "two"])
    let lockspace = LockspaceStatus(
      name: try #require(LockspaceName("lvm_vg0")), kind: .inHouse, id: .max, generation: .max,
      state: .stopped, members: [try node(1), try node(2)], waitingFor: ["Node 2 is fenced."])
    let nodes = [
      NodeStatus(
        node: try node(1), name: "alpha", state: .member, incarnation: Incarnation(.max),
        address: "10.0.0.1:21064"),
      NodeStatus(node: try node(2), name: "beta", state: .unfenced, incarnation: nil, address: ""),
    ]
    let lock = LockStatus(
      lockspace: lockspace.name, resource: "res", queue: .converting,
      grantedMode: .protectedRead, requestedMode: .exclusive, node: try node(2), pid: 4711,
      owner: "lvextend", ageMilliseconds: 12)
    var waiter = LockStatus(
      lockspace: lockspace.name, resource: "res", queue: .waiting, grantedMode: nil,
      requestedMode: .protectedRead, node: try node(1), pid: 1, owner: "clvm lock",
      command: "backup", ageMilliseconds: 3)
    waiter.blockers = [lock]
    return [
      .progress("Suspended on node 2."), .lockGranted, .lockBlocks(requestedMode: .concurrentRead),
      .failed(AdminFailure(.wouldBlock, "Held by node 2.")), .done,
      .status(
        ClusterStatus(
          clusterName: "demo", node: try node(1), viewID: 12, isQuorate: true, leader: try node(2),
          nodes: nodes,
          waitingFor: ["Node 2 is to be fenced."], lockspaces: [lockspace],
          volumeGroups: [
            VolumeGroupStatus(name: "vg0", uuid: "u-u", lockspace: lockspace.name)
          ], warnings: ["The file differs."])),
      .nodes(nodes), .lockspaces([lockspace]), .locks([lock], silentNodes: []),
      .posixLocks([
        PosixLockStatus(
          lockspace: lockspace.name, inode: 7, start: 0, end: UInt64(Int64.max),
          isExclusive: true, isWaiting: false, node: try node(2), pid: 9, owner: .max)
      ]),
      .locks([waiter, lock], silentNodes: [try node(3)]),
      .resized(
        ResizeOutcome(
          volumeGroup: "vg0", logicalVolume: "home", oldSizeBytes: 1 << 40, newSizeBytes: .max,
          oldExtents: 1, newExtents: 2,
          suspensions: [.init(node: try node(1), milliseconds: 17)], warnings: ["One area."])),
      .keyStates(
        [NodeKeyState(node: try node(1), listNumber: .max, fingerprint: "sha256:0", authority: "")],
        silentNodes: [try node(2)]), .certificateRequest("00ff"),
      .activated(activated), .printed(["Logical volume \"a\" created."]), .printed([]),
      .mappedDevices([
        MappedDeviceStatus(
          name: "vg0-home", uuid: "LVM-x", major: 253, minor: 0, openCount: 1, isSuspended: true,
          isReadOnly: false, table: ["0 8192 linear 8:0 2048"], inactiveTable: [])
      ]),
    ]
  }

  /// A message as the framing hands it over.
  func unframed(_ bytes: [UInt8]) throws -> [UInt8] {
    var framing = AdminFraming(limit: 1 << 20)
    framing.append(bytes)
    return try #require(try framing.next())
  }

  @Test func everyRequestSurvivesItsText() throws {
    for request in try Self.everyRequest() {
      #expect(try AdminRequest(decoding: unframed(request.encode())) == request)
    }
  }

  @Test func everyReplySurvivesItsText() throws {
    for reply in try Self.everyReply() {
      #expect(try AdminReply(decoding: unframed(reply.encode())) == reply)
    }
  }

  @Test func textReadsAsConfigurationText() throws {
    let bytes = AdminRequest.locks(lockspace: nil, onlyWaiting: true).encode()
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == "version = 1\nrequest = \"locks\"\nwaiting = 1\n\n##\n")
  }

  @Test func textWithALineBreakCannotEndTheMessage() throws {
    let reply = AdminReply.progress("one\n##\ntwo")
    #expect(try AdminReply(decoding: unframed(reply.encode())) == .progress("one ## two"))
  }

  @Test func unknownRequestVersionAndFieldTypesAreErrorsThatNameTheField() {
    func error(_ text: String) -> String? {
      do {
        _ = try AdminRequest(decoding: Array(text.utf8))
        return nil
      } catch { return error.description }
    }
    #expect(error("version = 1\nrequest = \"dance\"")?.contains("dance") == true)
    #expect(error("version = 2\nrequest = \"status\"")?.contains("Version 2") == true)
    #expect(error("request = \"status\"")?.contains("version") == true)
    #expect(error("version = 1\nrequest = \"node_fenced\"\nnode = 0")?.contains("node") == true)
    #expect(error("version = 1\nrequest = \"lock\"\nlockspace = \"a/b\"")?.contains("a/b") == true)
    #expect(error("{{{")?.contains("not understood") == true)
  }

  @Test func damagedMessagesAreRefusedOrReadAndNeverTrap() throws {
    let seed = UInt64(77)
    var state = seed
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let messages =
      try Self.everyRequest().map { $0.encode() } + Self.everyReply().map { $0.encode() }
    var refused = 0
    for _ in 0..<4000 {
      var bytes = messages[random(messages.count)]
      for _ in 0...random(4) { bytes[random(bytes.count)] = UInt8(random(256)) }
      do { _ = try AdminRequest(decoding: bytes) } catch { refused += 1 }
      do { _ = try AdminReply(decoding: bytes) } catch { refused += 1 }
    }
    #expect(refused > 4000, "seed \(seed)")
  }
}

@Suite struct AdminFramingTests {
  @Test func messagesAreCutWhereverTheReadsEnd() throws {
    let stream = Array("a = 1\n\n##\nb = 2\n\n##\n".utf8)
    for cut in 0...stream.count {
      var framing = AdminFraming(limit: 100)
      var messages: [String] = []
      for part in [stream[..<cut], stream[cut...]] {
        framing.append(part)
        while let message = try framing.next() {
          messages.append(String(decoding: message, as: UTF8.self))
        }
      }
      #expect(messages == ["a = 1\n", "b = 2\n"], "cut at \(cut)")
    }
  }

  @Test func messageWithoutEndIsRefusedAtTheLimit() throws {
    var framing = AdminFraming(limit: 10)
    framing.append(Array("0123456789".utf8))
    #expect(try framing.next() == nil)
    framing.append([0x30])
    #expect(throws: AdminFraming.MessageTooLong(limit: 10)) { try framing.next() }
  }
}
