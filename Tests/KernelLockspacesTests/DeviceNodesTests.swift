import Glibc
import Testing

@testable import KernelLockspaces

private let misc = """
  122 dlm_vol 1
  123 dlm-monitor
  124 dlm-control
  125 dlm_plock
  236 device-mapper
  200 tun

  """

@Test func onlyDevicesOfTheLockManager_areWanted() {
  #expect(
    DeviceNodes.devices(inMisc: misc) == [
      "dlm_vol 1": 122, "dlm-monitor": 123, "dlm-control": 124, "dlm_plock": 125,
    ])
}

@Test func missingNodesAreMade_staleOnesRemoved_andGoodOnesKept() {
  let changes = DeviceNodes.changes(
    wanted: ["dlm-control": 124, "dlm_plock": 125, "dlm_a": 7],
    present: [
      "dlm-control": .misc(minor: 124), "dlm_a": .misc(minor: 6), "dlm_gone": .misc(minor: 8),
      "dlm_plock": .other,
    ])
  let expected: [DeviceNodes.Change] = [
    .remove(name: "dlm_a"), .remove(name: "dlm_gone"), .remove(name: "dlm_plock"),
    .make(name: "dlm_a", minor: 7), .make(name: "dlm_plock", minor: 125),
  ]
  #expect(changes == expected)
}

@Test func whenNothingIsMissing_nothingChanges() {
  #expect(DeviceNodes.changes(wanted: ["dlm_a": 7], present: ["dlm_a": .misc(minor: 7)]) == [])
}

@Test func withUdev_theRuleDoesTheWork() throws {
  let root = try ScratchRoot()
  try root.makeFile("/run/udev/control", "")
  try root.makeFile("/proc/misc", misc)
  let nodes = DeviceNodes(paths: root.paths)
  #expect(nodes.isManagedByUdev)
  #expect(try nodes.synchronize() == [])
  #expect(!HostKernelFiles().exists(root.path + "/dev/misc"))
}

@Test(.enabled(if: geteuid() == 0, "making device nodes needs root"))
func withoutUdev_nodesFollowTheKernel() throws {
  let root = try ScratchRoot()
  try root.makeFile("/proc/misc", "124 dlm-control\n122 dlm_a\n")
  try root.makeDirectories("/dev")
  let nodes = DeviceNodes(paths: root.paths)
  do {
    #expect(try nodes.synchronize().count == 2)
  } catch .fileOperation(.makeDevice, _, EPERM) {
    return  // Root of a container without CAP_MKNOD.
  }
  #expect(try nodes.synchronize() == [])
  try root.makeFile("/proc/misc", "124 dlm-control\n")
  #expect(try nodes.synchronize() == [.remove(name: "dlm_a")])
  #expect(try HostKernelFiles().entries(of: root.path + "/dev/misc") == ["dlm-control"])
}
