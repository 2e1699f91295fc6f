import ClusterTypes
import Glibc
import Testing

@testable import KernelLockspaces

/// Node 1 of cluster "lab", with nodes 2 and 3, each in its first life.
private struct Host {
  let kernel: ModelKernel
  let manager: KernelLockManager
  var comms: CommsTable

  init(lockspaces: [String] = []) throws {
    kernel = ModelKernel()
    manager = KernelLockManager(files: kernel)
    comms = CommsTable(localNode: try node(1))
    try manager.prepare(clusterName: "lab", tcpPort: 21064)
    try manager.announceLocalNode(try instance(1, 1), address: try address(1), comms: &comms)
    for name in lockspaces {
      kernel.create(name)
      try manager.setIdentifier(try lockspace(name))
    }
    _ = kernel.takeWrites()
  }

  mutating func apply(_ name: String, _ changes: [Int32: MemberChange]) throws {
    var byNode: [NodeID: MemberChange] = [:]
    for (number, change) in changes { byNode[try node(number)] = change }
    try manager.applyMembers(try lockspace(name), byNode, comms: &comms)
  }

  mutating func start(_ name: String, adding numbers: [Int32]) throws {
    var changes: [Int32: MemberChange] = [:]
    for number in numbers { changes[number] = .nodeAdded(Incarnation(1), try address(number)) }
    try apply(name, changes)
    try manager.start(try lockspace(name))
  }
}

@Test func prepare_writesTheClusterInTheOrderTheKernelNeeds() throws {
  let kernel = ModelKernel()
  let manager = KernelLockManager(files: kernel)
  var comms = CommsTable(localNode: try node(1))
  try manager.prepare(clusterName: "lab", tcpPort: 21064)
  try manager.announceLocalNode(try instance(1, 7), address: try address(1), comms: &comms)
  #expect(
    kernel.takeWrites() == [
      "mkdir ", "tcp_port=21064", "protocol=0", "recover_callbacks=1", "cluster_name=lab",
      "mkdir comms/1", "comms/1/nodeid=1", "comms/1/addr=address", "comms/1/local=1",
    ])
  #expect(comms.incarnations == [try node(1): Incarnation(7)])
}

@Test func prepare_withLeftoversOfAnEarlierRun_removesThem() throws {
  var host = try Host(lockspaces: ["vol"])
  try host.start("vol", adding: [1, 2])
  host.kernel.state.withLock { state in
    state.directories = state.directories.filter { !$0.hasPrefix("/sys/kernel/dlm/") }
  }
  try host.manager.prepare(clusterName: "lab", tcpPort: 21064)
  #expect(try host.kernel.entries(of: host.manager.paths.comms) == [])
  #expect(try host.kernel.entries(of: host.manager.paths.spaces) == [])
}

@Test func prepare_withLockspacesInTheKernel_isRefusedAndChangesNothing() throws {
  var host = try Host(lockspaces: ["vol"])
  try host.start("vol", adding: [1, 2])
  _ = host.kernel.takeWrites()
  #expect(throws: KernelControlError.uncontrolledLockspaces(["vol"])) {
    try host.manager.prepare(clusterName: "lab", tcpPort: 21064)
  }
  #expect(host.kernel.takeWrites() == [])
}

@Test(arguments: ["", "lab\n", "two words", String(repeating: "x", count: 64)])
func prepare_withANameTheKernelWouldStoreBadly_isRefused(name: String) {
  #expect(throws: KernelControlError.invalidClusterName(name)) {
    try KernelLockManager(files: ModelKernel()).prepare(clusterName: name, tcpPort: 21064)
  }
}

@Test func prepare_withoutConfigfs_saysWhatIsMissing() throws {
  let kernel = ModelKernel()
  kernel.state.withLock { $0.directories = ["/sys/module/dlm"] }
  let manager = KernelLockManager(files: kernel)
  kernel.makeFile("/proc/mounts", "sysfs /sys sysfs rw 0 0\n")
  #expect(throws: KernelControlError.configfsNotMounted(path: "/sys/kernel/config")) {
    try manager.prepare(clusterName: "lab", tcpPort: 21064)
  }
  kernel.makeFile("/proc/mounts", "none /sys/kernel/config configfs rw 0 0\n")
  #expect(throws: KernelControlError.lockManagerMissing(path: "/sys/kernel/config/dlm")) {
    try manager.prepare(clusterName: "lab", tcpPort: 21064)
  }
}

@Test func join_writesIdentifierMembersAndStart() throws {
  var host = try Host()
  host.kernel.create("vol")
  try host.manager.setIdentifier(try lockspace("vol"))
  try host.start("vol", adding: [2, 1])
  try host.manager.finish(try lockspace("vol"), .success)
  #expect(
    host.kernel.takeWrites() == [
      "vol/id=\(KernelLockManager.identifier(of: try lockspace("vol")))", "mkdir spaces/vol",
      "mkdir spaces/vol/nodes/1", "spaces/vol/nodes/1/nodeid=1",
      "mkdir comms/2", "comms/2/nodeid=2", "comms/2/addr=address",
      "mkdir spaces/vol/nodes/2", "spaces/vol/nodes/2/nodeid=2",
      "vol/control=1", "vol/event_done=0",
    ])
}

@Test func nodeFailed_removesCommsBeforeTheMember_andTheFilesystemReplaysItsJournal() throws {
  var host = try Host(lockspaces: ["vol"])
  try host.start("vol", adding: [1, 2])
  _ = host.kernel.takeWrites()
  try host.apply("vol", [2: .nodeFailed(Incarnation(1))])
  #expect(host.kernel.takeWrites() == ["rmdir comms/2", "rmdir spaces/vol/nodes/2"])
  try host.manager.start(try lockspace("vol"))
  #expect(host.kernel.recoveredSlots == ["vol:2"])
}

@Test func nodeLeft_keepsComms_andNoJournalIsReplayed() throws {
  var host = try Host(lockspaces: ["vol"])
  try host.start("vol", adding: [1, 2])
  _ = host.kernel.takeWrites()
  try host.apply("vol", [2: .nodeLeft])
  #expect(host.kernel.takeWrites() == ["rmdir spaces/vol/nodes/2"])
  try host.manager.start(try lockspace("vol"))
  #expect(host.kernel.recoveredSlots == [])
}

@Test func nodeFailedInTwoLockspaces_isReportedInBoth_alsoWhenItIsBackInOneAlready() throws {
  var host = try Host(lockspaces: ["a", "b"])
  try host.start("a", adding: [1, 2])
  try host.start("b", adding: [1, 2])
  try host.apply("a", [2: .nodeRenewed(Incarnation(2), try address(2))])
  try host.manager.start(try lockspace("a"))
  // "b" handles the failure of the first life later, and must not cut off the second.
  try host.apply("b", [2: .nodeFailed(Incarnation(1))])
  try host.manager.start(try lockspace("b"))
  #expect(host.kernel.recoveredSlots == ["a:2", "b:2"])
  #expect(host.kernel.exists(host.manager.paths.comms(of: try node(2))))
  #expect(host.comms.incarnations[try node(2)] == Incarnation(2))
}

@Test func nodeRenewedInTwoLockspaces_getsNewCommsOnce() throws {
  var host = try Host(lockspaces: ["a", "b"])
  try host.start("a", adding: [1, 2])
  try host.start("b", adding: [1, 2])
  _ = host.kernel.takeWrites()
  for name in ["a", "b"] {
    try host.apply(name, [2: .nodeRenewed(Incarnation(2), try address(2))])
  }
  for name in ["a", "b"] { try host.manager.start(try lockspace(name)) }
  #expect(host.kernel.takeWrites().filter { $0 == "mkdir comms/2" }.count == 1)
  #expect(host.kernel.recoveredSlots == ["a:2", "b:2"])
}

@Test func nodeThatLeftAndCameBack_betweenTwoStarts_isRemovedAndAddedWithoutFailure() throws {
  var host = try Host(lockspaces: ["vol"])
  try host.start("vol", adding: [1, 2])
  _ = host.kernel.takeWrites()
  try host.apply("vol", [2: .nodeAdded(Incarnation(1), try address(2))])
  #expect(
    host.kernel.takeWrites() == [
      "rmdir spaces/vol/nodes/2", "mkdir spaces/vol/nodes/2", "spaces/vol/nodes/2/nodeid=2",
    ])
  try host.manager.start(try lockspace("vol"))
  #expect(host.kernel.recoveredSlots == [])
}

@Test func admit_ofALaterLife_leavesTheCommsOfTheEarlierUntilTheNextStart() throws {
  var host = try Host(lockspaces: ["vol"])
  try host.start("vol", adding: [1, 2])
  _ = host.kernel.takeWrites()
  try host.manager.admit(try instance(2, 2), address: try address(2), comms: &host.comms)
  #expect(host.kernel.takeWrites() == [])
  #expect(host.comms.incarnations[try node(2)] == Incarnation(1))
}

@Test func theLocalNode_canNeitherFailNorBeRenewed() throws {
  var host = try Host(lockspaces: ["vol"])
  try host.start("vol", adding: [1])
  let local = try node(1)
  _ = host.kernel.takeWrites()
  #expect(throws: KernelControlError.localNodeCannotFail(local)) {
    try host.apply("vol", [1: .nodeFailed(Incarnation(1))])
  }
  #expect(throws: KernelControlError.localNodeCannotFail(local)) {
    try host.apply("vol", [1: .nodeRenewed(Incarnation(2), try address(1))])
  }
  #expect(host.kernel.takeWrites() == [])
}

@Test func applyMembers_interruptedAtAnyWrite_isCompletedByTheNextAttempt() throws {
  for path in ["comms/3/addr", "comms/3/nodeid", "spaces/vol/nodes/3", "spaces/vol/nodes/3/nodeid"]
  {
    var host = try Host(lockspaces: ["vol"])
    try host.start("vol", adding: [1, 2])
    let changes: [Int32: MemberChange] = [
      2: .nodeFailed(Incarnation(1)), 3: .nodeAdded(Incarnation(1), try address(3)),
    ]
    host.kernel.fail("\(host.manager.paths.cluster)/\(path)", with: EIO)
    #expect(throws: KernelControlError.self, "\(path)") { try host.apply("vol", changes) }
    host.kernel.repair()
    try host.apply("vol", changes)
    try host.manager.start(try lockspace("vol"))
    #expect(host.kernel.recoveredSlots == ["vol:2"], "\(path)")
    #expect(try host.manager.members(of: try lockspace("vol")) == [try node(1), try node(3)])
    #expect(try host.kernel.read("\(host.manager.paths.comms)/3/addr").count == 128, "\(path)")
  }
}

@Test func start_whichTheKernelWouldIgnore_isRefused() throws {
  var host = try Host()
  host.kernel.create("vol")
  #expect(throws: KernelControlError.self) { try host.manager.start(try lockspace("vol")) }
  try host.apply("vol", [1: .nodeAdded(Incarnation(1), try address(1))])
  #expect(
    throws: KernelControlError.nothingToStart(
      try lockspace("vol"), missing: "its id has not been set")
  ) {
    try host.manager.start(try lockspace("vol"))
  }
  #expect(host.kernel.text("/sys/kernel/dlm/vol/control") == "")
}

@Test func leave_removesTheSpaceAndKeepsAllComms() throws {
  var host = try Host(lockspaces: ["vol"])
  try host.start("vol", adding: [1, 2])
  _ = host.kernel.takeWrites()
  let name = try lockspace("vol")
  try host.manager.stop(name)
  try host.manager.removeSpace(name)
  try host.manager.finish(name, .success)
  #expect(
    host.kernel.takeWrites() == [
      "vol/control=0", "rmdir spaces/vol/nodes/1", "rmdir spaces/vol/nodes/2", "rmdir spaces/vol",
      "vol/event_done=0",
    ])
}

@Test func refusedJoin_isAnsweredWithANegativeErrorNumber() throws {
  let host = try Host(lockspaces: ["vol"])
  try host.manager.finish(try lockspace("vol"), .refused(errno: EPERM))
  #expect(host.kernel.text("/sys/kernel/dlm/vol/event_done") == "-1")
}

@Test func identifier_isThatOfDlmControld() throws {
  #expect(KernelLockManager.identifier(of: try lockspace("foo")) == 1_826_763_677)
}

@Test func state_ofALockspaceWhoseOnlineWasMissed_awaitsJoin() throws {
  var host = try Host()
  host.kernel.create("vol")
  let name = try lockspace("vol")
  #expect(try host.manager.lockspaces() == ["vol"])
  #expect(try host.manager.state(of: name).awaitsJoin)
  try host.manager.setIdentifier(name)
  try host.start("vol", adding: [1])
  host.kernel.makeFile("/sys/kernel/dlm/vol/recover_status", "ff\n")
  host.kernel.makeFile("/sys/kernel/dlm/vol/recover_nodeid", "2\n")
  let state = try host.manager.state(of: name)
  #expect(!state.awaitsJoin)
  #expect(state.recoverStatus.isRunning)
  #expect(state.recoverStatus.contains(.allDone))
  #expect(state.recoverNode == (try node(2)))
  #expect(state.members == [try node(1)])
}

@Test func recoverStatus_thatIsNoNumber_isAnErrorThatNamesTheFile() throws {
  let host = try Host(lockspaces: ["vol"])
  host.kernel.makeFile("/sys/kernel/dlm/vol/recover_status", "running\n")
  let path = "/sys/kernel/dlm/vol/recover_status"
  #expect(throws: KernelControlError.malformedValue(path: path, text: "running")) {
    try host.manager.recoverStatus(try lockspace("vol"))
  }
}

@Test func recoverStatus_ofAMemberThatIsNotTheLowest_isRunningAt55() throws {
  #expect(RecoverStatus(hexadecimal: "55")?.isRunning == true)
  #expect(RecoverStatus(hexadecimal: "15")?.isRunning == false)
  #expect(RecoverStatus(hexadecimal: "0") == RecoverStatus())
  #expect(RecoverStatus(hexadecimal: "xyz") == nil)
}

@Test func tcpPortThatIsBusy_tellsTheAdministratorWhatToUnmount() throws {
  let kernel = ModelKernel()
  kernel.fail("/sys/kernel/config/dlm/cluster/tcp_port", with: EBUSY)
  let error = #expect(throws: KernelControlError.self) {
    try KernelLockManager(files: kernel).prepare(clusterName: "lab", tcpPort: 21064)
  }
  #expect("\(try #require(error))".contains("unmount the cluster filesystems"))
}
