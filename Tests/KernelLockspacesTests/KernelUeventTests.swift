import Testing

@testable import KernelLockspaces

private func datagram(_ fields: [String]) -> [UInt8] {
  fields.flatMap { Array($0.utf8) + [0] }
}

private let volume = "4A3BFFCD0B6D4E91879FC20B77639035"

@Test func online_asTheKernelSendsIt_isParsed() throws {
  let event = try #require(
    KernelUevent(
      datagram: datagram([
        "online@/kernel/dlm/\(volume)", "ACTION=online", "DEVPATH=/kernel/dlm/\(volume)",
        "SUBSYSTEM=dlm", "LOCKSPACE=\(volume)", "SEQNUM=762",
      ])))
  #expect(event.action == .online)
  #expect(event.lockspace?.text == volume)
  #expect(event.sequenceNumber == 762)
}

@Test(arguments: ["add", "online", "offline", "remove"])
func allActionsOfALockspace_areParsed(action: String) {
  let event = KernelUevent(
    datagram: datagram([
      "\(action)@/kernel/dlm/x", "ACTION=\(action)", "DEVPATH=/kernel/dlm/x", "SUBSYSTEM=dlm",
      "LOCKSPACE=x",
    ]))
  #expect(event?.action.rawValue == action)
  #expect(event?.sequenceNumber == nil)
}

@Test func eventsOfOtherSubsystemsAndActions_areIgnored() {
  let block = datagram([
    "add@/devices/vda", "ACTION=add", "DEVPATH=/devices/vda", "SUBSYSTEM=block",
  ])
  let misc = datagram([
    "add@/devices/virtual/misc/dlm_x", "ACTION=add", "DEVPATH=/devices/virtual/misc/dlm_x",
    "SUBSYSTEM=misc", "DEVNAME=dlm_x",
  ])
  let change = datagram([
    "change@/kernel/dlm/x", "ACTION=change", "DEVPATH=/kernel/dlm/x", "SUBSYSTEM=dlm",
    "LOCKSPACE=x",
  ])
  for bytes in [block, misc, change] { #expect(KernelUevent(datagram: bytes) == nil) }
}

@Test func aNameThatClvmdDoesNotServe_keepsTheDirectoryInWhichToRefuseIt() throws {
  let event = try #require(
    KernelUevent(
      datagram: datagram([
        "online@/kernel/dlm/a!b", "ACTION=online", "DEVPATH=/kernel/dlm/a!b", "SUBSYSTEM=dlm",
        "LOCKSPACE=a/b",
      ])))
  #expect(event.lockspace == nil)
  let kernel = ModelKernel(lockspaces: ["a!b"])
  try KernelLockManager(files: kernel).refuse(event, errno: 22)
  #expect(kernel.text("/sys/kernel/dlm/a!b/event_done") == "-22")
}

@Test func anyBytes_areParsedOrIgnored() {
  let whole = datagram([
    "online@/kernel/dlm/x", "ACTION=online", "DEVPATH=/kernel/dlm/x", "SUBSYSTEM=dlm",
    "LOCKSPACE=x", "SEQNUM=1",
  ])
  for length in 0...whole.count { _ = KernelUevent(datagram: whole[..<length]) }
  var seed: UInt64 = 20
  for _ in 0..<2000 {
    var bytes = whole
    for _ in 0..<3 {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      bytes[Int(seed >> 33) % bytes.count] = UInt8(truncatingIfNeeded: seed >> 24)
    }
    if let event = KernelUevent(datagram: bytes) { #expect(event.directory != "..") }
  }
  let escape = datagram([
    "online@/kernel/dlm/..", "ACTION=online", "DEVPATH=/kernel/dlm/..", "SUBSYSTEM=dlm",
    "LOCKSPACE=..",
  ])
  #expect(KernelUevent(datagram: escape) == nil)
}

@Test func theDeviceOfALockspace_isNoticedAndOtherDevicesAreNot() {
  var reading = UeventSocket.Reading()
  reading.take(
    datagram: datagram(["add@/devices/virtual/misc/tun", "SUBSYSTEM=misc", "DEVNAME=net/tun"]))
  #expect(!reading.deviceNodesChanged)
  reading.take(
    datagram: datagram(["add@/devices/virtual/misc/dlm_x", "SUBSYSTEM=misc", "DEVNAME=dlm_x"]))
  #expect(reading.deviceNodesChanged)
  #expect(reading.events == [])
}
